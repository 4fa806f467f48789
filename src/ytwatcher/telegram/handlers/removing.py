"""What is no longer to be watched: /remove, and its buttons."""

from __future__ import annotations

from collections.abc import Sequence
from html import unescape

from telegram import Update

from ytwatcher.core.changes import REMOVED
from ytwatcher.core.cleaning import clean
from ytwatcher.core.model import TargetKind
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.targets import links, target_url
from ytwatcher.errors import YTWatcherError
from ytwatcher.looking import named, watched
from ytwatcher.telegram.desk import Desk, Handler, button, command, reply
from ytwatcher.telegram.desk import named as value_of
from ytwatcher.telegram.handlers.alerts import markup
from ytwatcher.telegram.handlers.policy import note
from ytwatcher.telegram.handlers.watching import AT_ONCE, LONGEST, ON_BUTTON, choices, not_taken, title_link
from ytwatcher.telegram.keyboards import LONGEST as FITS
from ytwatcher.telegram.keyboards import Rows, data
from ytwatcher.telegram.visit import Context, Visit


def handlers(desk: Desk) -> Sequence[Handler]:
    return [
        command(desk, "remove", _remove),
        button(desk, "remove", _remove_pressed, r"\d{1,18}"),
        button(desk, "removed", _removed, r"\d{1,18}(?:\.\d{1,18})*"),
    ]


async def _remove(desk: Desk, update: Update, context: Context) -> None:
    """Which one is asked where it is not clear; a name that is clear is enough."""
    visit, said = context.visit, " ".join(context.args or ())
    say = desk.texts.of(visit.language)
    if not await desk.admins.may_change(update, context, say):
        return
    if len(several := links(said)) > 1:
        await _remove_several(desk, update, context, several)
        return
    found = await desk.db.read(named, visit.address, said)
    if len(found) == 1 and said:
        await _remove_all(desk, update, context, [found[0].pk])
    elif found:
        await reply(update, say("Which one?"), markup(choices(found, "remove", visit.address)))
    elif said:
        await reply(update, say("Nothing of that name is watched here. /list shows what is."))
    else:
        await reply(update, say("Nothing is watched here yet. Send me a link, or /add with one."))


async def _remove_several(desk: Desk, update: Update, context: Context, said: Sequence[str]) -> None:
    """Asks once for all of them, as far as their numbers fit into a button; else they are ended one by one."""
    visit = context.visit
    say = desk.texts.of(visit.language)
    by_link = [(link, await desk.db.read(named, visit.address, link)) for link in said[: AT_ONCE * 2]]
    found = list({one.pk: one for _, mine in by_link for one in mine}.values())
    lines = [f"• {title_link(one.title or one.id, target_url(one.id, one.kind))}" for one in found]
    lines += [say("{link} is not watched here.", link=clean(link, LONGEST)) for link, mine in by_link if not mine]
    lines += not_taken(said, AT_ONCE * 2, say)
    if not found:
        await reply(update, "\n".join(lines))
        return
    all_of_them = data("removed", visit.address, ".".join(str(one.pk) for one in found))
    if len(all_of_them) <= FITS:
        rows: Rows = [[(say("Stop them all"), all_of_them), (say("Keep them"), data("list", visit.address, 1))]]
        await reply(update, "\n".join([say("Stop watching these, with all their rules?"), *lines]), markup(rows))
    else:
        await reply(update, "\n".join([say("Which one?"), *lines]), markup(choices(found, "remove", visit.address)))


async def _remove_pressed(desk: Desk, update: Update, context: Context) -> None:
    """Asks once."""
    value = await value_of(desk, update, context)
    say = desk.texts.of(context.visit.language)
    if value is None or not await desk.admins.may_change(update, context, say):
        return
    one = await desk.db.read(watched, context.visit.address, int(value))
    if one is None:
        await reply(update, say("It is not watched here any more."))
        return
    title = clean(one.target.title or one.target.id, ON_BUTTON)
    address = context.visit.address
    rows = [[(unescape(say("Stop: {title}", title=title)), data("removed", address, value)), (say("Keep"), data("watch", address, value))]]
    video = one.target.kind is TargetKind.VIDEO
    await reply(
        update, say("Stop watching, with all rules?") if video else say("Stop watching, with all videos in it and all rules?"), markup(rows)
    )


async def _removed(desk: Desk, update: Update, context: Context) -> None:
    value = await value_of(desk, update, context)
    if value is not None and await desk.admins.may_change(update, context, desk.texts.of(context.visit.language)):
        await _remove_all(desk, update, context, [int(one) for one in value.split(".")])


async def _remove_all(desk: Desk, update: Update, context: Context, target_pks: Sequence[int]) -> None:
    lines = [await _remove_one(desk, context.visit, pk) for pk in target_pks]
    await reply(update, "\n".join(dict.fromkeys(lines)))


async def _remove_one(desk: Desk, visit: Visit, target_pk: int) -> str:
    """End a watch; what to say of it."""
    say = desk.texts.of(visit.language)
    one = await desk.db.read(watched, visit.address, target_pk)
    if one is None:
        return say("It is not watched here any more.")
    title = one.target.title or one.target.id
    try:
        await desk.watches.remove(one.target.id, visit.address)
    except YTWatcherError as error:
        return say("That did not work: {error}.", error=error)
    await note(desk, visit, Phrase(REMOVED, title=title))
    return say("Not watched any more: {title}.", title=clean(title))
