"""What is watched: /add or a pasted link, /list, /now, /top."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from types import MappingProxyType

from babel.numbers import format_decimal
from telegram import Update
from telegram.ext import MessageHandler, filters

from ytwatcher.core.changes import ADDED
from ytwatcher.core.cleaning import clean, isolated
from ytwatcher.core.model import Metric, TargetKind
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.rules import METRIC_NAMES
from ytwatcher.core.targets import links, target_url
from ytwatcher.errors import InputError, OutsideError
from ytwatcher.looking import Page, Ranked, Watched, named, page_of, ranking, standings, targets_of, watched
from ytwatcher.rule_answers import RuleAnswer
from ytwatcher.standing import Standing
from ytwatcher.store.watches import Target
from ytwatcher.telegram.desk import Desk, Handler, button, command, message_of, reply
from ytwatcher.telegram.desk import named as value_of
from ytwatcher.telegram.handlers.alerts import markup
from ytwatcher.telegram.handlers.policy import note
from ytwatcher.telegram.keyboards import Rows, chart_data, data
from ytwatcher.telegram.texts import Marked, Say
from ytwatcher.telegram.visit import Context, Visit
from ytwatcher.watches import Added

AT_ONCE = 10
"""How many links of one message are taken."""
NAMED = 5
LONGEST = 60
KIND_NAMES = MappingProxyType({TargetKind.PLAYLIST: Phrase("playlist"), TargetKind.CHANNEL: Phrase("channel")})
ON_BUTTON = 40


def handlers(desk: Desk) -> Sequence[Handler]:
    pasted = filters.TEXT & ~filters.COMMAND & filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE
    return [
        command(desk, "add", _add),
        command(desk, "list", _list),
        command(desk, "now", _now),
        command(desk, "top", _top),
        button(desk, "list", _turned, r"\d{1,6}"),
        button(desk, "watch", _watch_pressed, r"\d{1,18}"),
        button(desk, "top", _top_pressed, r"\d{1,18}\.[vg]"),
        MessageHandler(pasted, partial(_pasted, desk)),
    ]


# --- adding -------------------------------------------------------------------------------------------------------------


async def _pasted(desk: Desk, update: Update, context: Context) -> None:
    """A message with links, or with an id or a handle and nothing else. Anything else is not for the bot."""
    text = (message_of(update).text or "").strip()
    say = desk.texts.of(context.visit.language)
    found = links(text)
    if not found and " " in text:
        await reply(update, say("Send me a link to YouTube, or see /help."))
        return
    await _add_all(desk, update, context, found or [text], [])


async def _add(desk: Desk, update: Update, context: Context) -> None:
    """`/add LINK`, with rules behind it or each on a line of its own."""
    say = desk.texts.of(context.visit.language)
    said = (message_of(update).text or "").partition(" ")[2] if " " in (message_of(update).text or "") else ""
    first, *lines = [line.strip() for line in said.splitlines() if line.strip()] or [""]
    found = links(first)
    if not first:
        await reply(update, say("Write a link, an id or an @handle behind it: /add https://youtu.be/… Rules may follow, one a line."))
        return
    target = found[0] if found else first.split()[0]
    behind = first[first.find(target) + len(target) :] if len(found) < 2 else ""
    rules = [one.strip() for one in behind.split(";") if one.strip()] + lines
    await _add_all(desk, update, context, found if len(found) > 1 else [target], rules)


async def _add_all(desk: Desk, update: Update, context: Context, found: Sequence[str], rules: Sequence[str]) -> None:
    visit = context.visit
    say = desk.texts.of(visit.language)
    if not await desk.admins.may_change(update, context, say):
        return
    if len(found) == 1:
        added = await _add_one(desk, visit, found[0], rules)
        if isinstance(added, str):
            await reply(update, added)
        else:
            await reply(update, _added(added, say, visit), markup(await _buttons(desk, visit, added.target.id, say)))
        return
    lines = []
    for text in found[:AT_ONCE]:
        added = await _add_one(desk, visit, text, rules)
        lines.append(added if isinstance(added, str) else _heading(added, say))
    lines += not_taken(found, AT_ONCE, say)
    await reply(update, "\n".join(lines), markup([[(say("List"), data("list", visit.address, 1))]]))


def not_taken(said: Sequence[str], most: int, say: Say) -> list[str]:
    """What to say of links that are too many."""
    if len(said) <= most:
        return []
    left = ", ".join(said[most : most + NAMED])
    return [say("At most {n} links at once. Not taken: {links} ({left} in all).", n=most, links=left, left=len(said) - most)]


async def _add_one(desk: Desk, visit: Visit, text: str, rules: Sequence[str]) -> Added | str:
    """What was added, or what to say where it was not."""
    say = desk.texts.of(visit.language)
    try:
        added = await desk.watches.add(text, rules, visit.address)
    except InputError as error:
        return say.fault(error)
    except OutsideError as error:
        return say("YouTube could not be asked about {text}: {error}. Try it again later.", text=clean(text), error=error)
    if added.new:
        await note(desk, visit, Phrase(ADDED, title=added.target.title or added.target.id))
    return added


def _heading(added: Added, say: Say) -> str:
    shown = title_link(added.target.title or added.target.id, added.target.url)
    if added.target.kind is TargetKind.VIDEO:
        return say("Watching {title}.", title=shown) if added.new else say("{title} is watched already.", title=shown)
    if added.new:
        return say("Watching {title}, {n} videos so far.", title=shown, n=added.videos)
    return say("{title} is watched already, {n} videos.", title=shown, n=added.videos)


def _added(added: Added, say: Say, visit: Visit) -> str:
    lines = [_heading(added, say)]
    numbers = [
        f"{say.plain(METRIC_NAMES[metric])} {_number(value, visit)}"
        for metric, value in added.numbers.items()
        if value is not None and (value or metric != Metric.FAVORITES)
    ]
    if numbers:
        lines.append(say("Today: {numbers}", numbers=" · ".join(numbers)))
    cost = added.units_a_day
    lines.append(say("It costs about {n} units of quota a day.", n=_number(cost.statistics + cost.default, visit)))
    lines += ["", *(_rule(rule, say, visit) for rule in added.rules)]
    if added.target.also_playlist:
        lines += ["", say("The link also names a playlist; to watch all of it: /add {id}", id=added.target.also_playlist)]
    return "\n".join(lines)


def _rule(rule: RuleAnswer, say: Say, visit: Visit) -> str:
    text = say("• <code>{line}</code>: {explained}", line=rule.line, explained=rule.explained)
    if rule.refused:
        return text + " " + say("Refused, {why}.", why=rule.refused)
    if rule.next_number is not None:
        text += " " + say("The next number told is {n}.", n=_number(rule.next_number, visit))
    return text


async def _buttons(desk: Desk, visit: Visit, target_id: str, say: Say) -> Rows:
    target = next((one for one in await desk.db.read(targets_of, visit.address) if one.id == target_id), None)
    return [] if target is None else _of_watch(target, visit.address, say)


def _of_watch(target: Target, address: str, say: Say) -> Rows:
    row = [
        (say("Rules"), data("rules", address, target.pk)),
        (say("Chart"), chart_data(target.id)),
        (say("Remove"), data("remove", address, target.pk)),
    ]
    return [row]


# --- looking ------------------------------------------------------------------------------------------------------------


async def _list(desk: Desk, update: Update, context: Context) -> None:
    await _show_page(desk, update, context, 1)


async def _turned(desk: Desk, update: Update, context: Context) -> None:
    value = await value_of(desk, update, context)
    if value is not None:
        await _show_page(desk, update, context, int(value))


async def _show_page(desk: Desk, update: Update, context: Context, number: int) -> None:
    visit = context.visit
    say = desk.texts.of(visit.language)
    page = await desk.db.read(page_of, visit.address, number)
    if not page.total:
        await reply(update, say("Nothing is watched here yet. Send me a link, or /add with one."))
        return
    lines = [say("{n} watched, page {number} of {pages}:", n=page.total, number=page.number, pages=page.pages)]
    lines += [f"\n{page.first + place}. {_watched(one, say, visit)}" for place, one in enumerate(page.watches, start=1)]
    await reply(update, "\n".join(lines), markup(_pages(page, visit.address)))


def _pages(page: Page, address: str) -> Rows:
    numbers = [(str(page.first + place), data("watch", address, one.target.pk)) for place, one in enumerate(page.watches, start=1)]
    turns = [("◀", data("list", address, page.number - 1))] if page.number > 1 else []
    turns += [("▶", data("list", address, page.number + 1))] if page.number < page.pages else []
    return [*(numbers[start : start + 5] for start in range(0, len(numbers), 5)), *([turns] if turns else [])]


def _watched(one: Watched, say: Say, visit: Visit) -> str:
    """A watch in two lines: what it is, and its numbers with what came in 24 hours."""
    head = title_link(one.target.title or one.target.id, target_url(one.target.id, one.target.kind))
    if one.target.kind is not TargetKind.VIDEO:
        head = Marked(say("{title} ({kind}, {n} videos)", title=head, kind=KIND_NAMES[one.target.kind], n=one.videos))
    fault = "\n" + say("cannot be read at present: {fault}", fault=one.target.fault) if one.target.fault else ""
    return f"{head}\n{_numbers(one.own, say, visit)}{fault}" if one.own is not None else f"{head}{fault}"


def _numbers(own: Standing, say: Say, visit: Visit) -> str:
    if own.state.newest_at is None:
        return say("not read yet")
    shown = " · ".join(f"{say.plain(METRIC_NAMES[metric])} {_with_growth(own, metric, visit)}" for metric in own.metrics)
    return shown + (" · " + say("vanished from YouTube") if own.state.presence.vanished_at else "")


def _with_growth(own: Standing, metric: Metric, visit: Visit) -> str:
    value, moved = own.state.metric(metric).value, own.moved(metric, own.day_ago)
    if value is None:
        return "–"
    return _number(value, visit) + (f" ({_signed(moved, visit)})" if moved is not None else "")


async def _watch_pressed(desk: Desk, update: Update, context: Context) -> None:
    value = await value_of(desk, update, context)
    if value is None:
        return
    say = desk.texts.of(context.visit.language)
    one = await desk.db.read(watched, context.visit.address, int(value))
    if one is None:
        await reply(update, say("It is not watched here any more."))
        return
    lines = [_watched(one, say, context.visit), *(f"• <code>{escape(rule.line, quote=False)}</code>" for rule in one.rules)]
    rows = [*_of_watch(one.target, context.visit.address, say), [(say("List"), data("list", context.visit.address, 1))]]
    await reply(update, "\n".join(lines), markup(rows))


async def _now(desk: Desk, update: Update, context: Context) -> None:
    """`/now` shows all that has numbers of its own, `/now NAME` one, also a video of a list."""
    visit, said = context.visit, " ".join(context.args or ())
    say = desk.texts.of(visit.language)
    if not said:
        page = await desk.db.read(page_of, visit.address, 1)
        if page.total != 1 or page.watches[0].own is None:
            await _show_page(desk, update, context, 1)
            return
        said = page.watches[0].target.id
    found = await desk.db.read(standings, visit.address, said)
    if not found:
        await reply(update, say("Nothing of that name is watched here. /list shows what is."))
        return
    await reply(update, "\n\n".join(_in_full(one, say, visit) for one in found))


def _in_full(one: Standing, say: Say, visit: Visit) -> str:
    lines: list[str] = [title_link(one.state.title or one.state.subject_id, one.url)]
    for metric in one.metrics:
        value = one.state.metric(metric).value
        hour, day = one.moved(metric, one.hour_ago), one.moved(metric, one.day_ago)
        lines.append(
            say(
                "{metric}: {value} ({hour} in 1 h, {day} in 24 h)",
                metric=METRIC_NAMES[metric],
                value="–" if value is None else _number(value, visit),
                hour=_signed(hour, visit),
                day=_signed(day, visit),
            )
        )
    return "\n".join(lines)


# --- the top ------------------------------------------------------------------------------------------------------------


async def _top(desk: Desk, update: Update, context: Context) -> None:
    visit, said = context.visit, " ".join(context.args or ())
    say = desk.texts.of(visit.language)
    found = [one for one in await desk.db.read(named, visit.address, said) if one.kind is not TargetKind.VIDEO]
    if len(found) == 1:
        await _show_top(desk, update, context, found[0], by_growth=False)
    elif found:
        await reply(
            update, say("Which one? YouTube's terms allow no ranking across several."), markup(choices(found, "top", visit.address, ".v"))
        )
    else:
        await reply(update, say("/top ranks the videos of one channel or playlist, and none of that name is watched here."))


async def _top_pressed(desk: Desk, update: Update, context: Context) -> None:
    value = await value_of(desk, update, context)
    if value is None:
        return
    pk, _, order = value.partition(".")
    one = await desk.db.read(watched, context.visit.address, int(pk))
    if one is None:
        await reply(update, desk.texts.of(context.visit.language)("It is not watched here any more."))
    else:
        await _show_top(desk, update, context, one.target, by_growth=order == "g")


async def _show_top(desk: Desk, update: Update, context: Context, target: Target, *, by_growth: bool) -> None:
    visit = context.visit
    say = desk.texts.of(visit.language)
    found: Sequence[Ranked] = await desk.db.read(lambda con: ranking(con, target, by_growth=by_growth))
    title = title_link(target.title or target.id, target_url(target.id, target.kind))
    lines = [say("{title}: by views in 24 h", title=title) if by_growth else say("{title}: by views", title=title)]
    for place, one in enumerate(found, start=1):
        grown = _signed(one.grown, visit)
        name = title_link(one.title or one.subject_id, target_url(one.subject_id, TargetKind.VIDEO))
        lines.append(f"{place}. {name}: {_number(one.views, visit)} ({grown})")
    if not found:
        lines.append(say("not read yet"))
    other = (
        (say("By views"), data("top", visit.address, f"{target.pk}.v"))
        if by_growth
        else (say("By growth"), data("top", visit.address, f"{target.pk}.g"))
    )
    await reply(update, "\n".join(lines), markup([[other]]))


# --- words --------------------------------------------------------------------------------------------------------------


def choices(found: Sequence[Target], kind: str, address: str, suffix: str = "") -> Rows:
    """A button for each target, as many as a person looks through."""
    return [[(clean(one.title or one.id, ON_BUTTON), data(kind, address, f"{one.pk}{suffix}"))] for one in found[: AT_ONCE * 2]]


def title_link(text: str, url: str) -> Marked:
    return Marked(f'<a href="{escape(url)}">{escape(isolated(clean(text, LONGEST)), quote=False)}</a>')


def _number(value: int, visit: Visit) -> str:
    return format_decimal(value, locale=visit.language)


def _signed(value: int | None, visit: Visit) -> str:
    return "–" if value is None else f"{'−' if value < 0 else '+'}{format_decimal(abs(value), locale=visit.language)}" if value else "0"
