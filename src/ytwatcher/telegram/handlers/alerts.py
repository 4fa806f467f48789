"""The buttons under alerts: why it came, its chart, fewer of them, silence, the end. They know their message by its key: they work after a
restart and on old messages, or say plainly why not."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_decimal
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update

from ytwatcher.core.changes import MUTED_FOR, REMOVED, RULE_REPLACED
from ytwatcher.core.cleaning import clean
from ytwatcher.core.durations import duration_text
from ytwatcher.core.model import Alert, Lane, TargetKind
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.quieter import quieter
from ytwatcher.core.rules import METRIC_NAMES, canonical, explain, parse_rule
from ytwatcher.errors import InputError
from ytwatcher.store import outbox_list, watches
from ytwatcher.store.outbox_list import Finding, Letter
from ytwatcher.store.watches import PastRule
from ytwatcher.telegram.desk import Desk, Handler, button, local, message_of, named, reply, send
from ytwatcher.telegram.handlers.policy import note
from ytwatcher.telegram.keyboards import Rows, chart_data, data
from ytwatcher.telegram.texts import Say
from ytwatcher.telegram.visit import Context, Visit

MOST = 8
"""However much is in a message: as many lines, or buttons, are made of it."""
MUTE = timedelta(hours=8)
LONGEST = 48


def handlers(desk: Desk) -> Sequence[Handler]:
    key, rule = r"\d{1,18}", r"[\w-]{1,24}"
    return [
        button(desk, "why", _why, key),
        button(desk, "pics", _charts, key),
        button(desk, "softer", _softer, rf"{key}(?:\.{rule})?"),
        button(desk, "soften", _soften, rf"{rule}\.(?:x10|pause|milestones)"),
        button(desk, "undo", _undo, rf"{rule}\.{rule}"),
        button(desk, "hush", _hush, key),
        button(desk, "end", _end, key),
        button(desk, "ended", _ended, key),
        button(desk, "kept", _kept),
    ]


def markup(rows: Rows) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup([[InlineKeyboardButton(text, callback_data=value) for text, value in row] for row in rows])


async def _about(desk: Desk, update: Update, context: Context) -> str | None:
    """The value of the pressed button; from now on the visit is about the chat that the message is in, whatever was chosen for commands."""
    value = await named(desk, update, context, about_here=True)
    context.visit = replace(context.visit, standing=replace(context.visit.standing, address=context.visit.here))
    return value


async def _letter(desk: Desk, update: Update, context: Context) -> Letter | None:
    """What the pressed button's message told. None: it is another chat's, or there is nothing left of it, and that was said."""
    value = await _about(desk, update, context)
    if value is None:
        return None
    found = await desk.db.read(outbox_list.letter, int(value.partition(".")[0]))
    query, say = update.callback_query, desk.texts.of(context.visit.language)
    assert query is not None  # only buttons come here
    if found is None or found.address != context.visit.here or not found.found:
        await query.answer(say("Nothing is known of this message any more."), show_alert=True)
        return None
    await query.answer()
    return found


async def _say(update: Update, text: str, rows: Rows = ()) -> None:
    """Under an alert the answer is a message of its own: the alert stays as it is."""
    await send(message_of(update), text, markup(rows) if rows else None)


# --- why --------------------------------------------------------------------------------------------------------------


async def _why(desk: Desk, update: Update, context: Context) -> None:
    letter = await _letter(desk, update, context)
    if letter is None:
        return
    visit = context.visit
    parts = [await _reason(desk, visit, letter, finding) for finding in letter.found[:MOST]]
    if len(letter.found) > MOST:
        parts.append(desk.texts.of(visit.language)("And {n} more.", n=len(letter.found) - MOST))
    await _say(update, "\n\n".join(parts))


async def _reason(desk: Desk, visit: Visit, letter: Letter, finding: Finding) -> str:
    say, alert = desk.texts.of(visit.language), finding.alert
    rule = await desk.db.read(watches.rule, alert.rule_id)
    lines = [say("<b>{title}</b>", title=clean(finding.title or alert.subject_id))]
    if rule is None:
        lines.append(say("Its rule was forgotten with its watch."))
    else:
        gone = say("Rule (ended meanwhile):") if rule.ended else say("Rule:")
        explained = explain(parse_rule(rule.line), rule.target.kind)
        lines.append(say("{what} <code>{line}</code>: {explained}", what=gone, line=rule.line, explained=explained))
    lines += _readings(say, visit, finding)
    lines.append(_way(say, letter, alert))
    return "\n".join(lines)


def _readings(say: Say, visit: Visit, finding: Finding) -> list[str]:
    alert = finding.alert
    read_at = _second(alert.observed_at, visit)
    if finding.emptied:
        return [say("Read at {at}. The values were deleted, as all are after 30 days.", at=read_at)]
    if alert.metric is None or alert.current is None:
        if alert.previous_at is None:
            return [say("Read at {at}.", at=read_at)]
        return [say("Read at {at}, and before that at {before}.", at=read_at, before=_second(alert.previous_at, visit))]
    now = say(
        "{metric}: {value}, read at {at}.",
        metric=say.plain(METRIC_NAMES[alert.metric]).capitalize(),
        value=_number(alert.current, visit),
        at=read_at,
    )
    if alert.previous is None:
        return [now]
    value = _number(alert.previous, visit)
    if alert.previous_at is not None:
        return [say("Before: {value}, read at {at}.", value=value, at=_second(alert.previous_at, visit)), now]
    return [say("Measured from {value}, as it was when the rule was made or told last.", value=value), now]


def _way(say: Say, letter: Letter, alert: Alert) -> str:
    """By which of the three kinds of calls it was read, and how long the news took."""
    lanes = {
        Lane.STATISTICS: say("Read with the statistics of many videos at once."),
        Lane.METADATA: say("Read with the video's details."),
        Lane.MEMBERSHIP: say("Read with the list of videos."),
    }
    read = lanes.get(alert.lane) if alert.lane is not None else None
    if letter.sent_at is None:
        return read or say("When it was sent is not known.")
    seconds = max(0, round((letter.sent_at - alert.observed_at).total_seconds()))
    took = (
        say("Sent {n} s after the reading.", n=seconds) if seconds < 120 else say("Sent {n} min after the reading.", n=round(seconds / 60))
    )
    return f"{read} {took}" if read else took


def _second(at: datetime, visit: Visit) -> str:
    return format_datetime(at, "d MMM, HH:mm:ss", tzinfo=ZoneInfo(visit.timezone), locale=visit.language)


def _number(value: int, visit: Visit) -> str:
    return format_decimal(value, locale=visit.language)


# --- charts ------------------------------------------------------------------------------------------------------------


async def _charts(desk: Desk, update: Update, context: Context) -> None:
    """Of several videos one is chosen."""
    letter = await _letter(desk, update, context)
    if letter is None:
        return
    titles = {finding.alert.subject_id: clean(finding.title or finding.alert.subject_id, LONGEST) for finding in letter.found}
    rows = [[(title, chart_data(subject))] for subject, title in list(titles.items())[:MOST]]
    await _say(update, desk.texts.of(context.visit.language)("Which one?"), rows)


# --- quieter -----------------------------------------------------------------------------------------------------------


async def _softer(desk: Desk, update: Update, context: Context) -> None:
    """What can be offered for the rule; of several rules one is chosen first."""
    letter = await _letter(desk, update, context)
    if letter is None or not await desk.admins.may_change(update, context, say := desk.texts.of(context.visit.language)):
        return
    message, _, chosen = (update.callback_query.data or "").rpartition("/")[2].partition(".") if update.callback_query else ("", "", "")
    rules = {rule.id: rule for rule in await desk.db.read(_rules, [finding.alert.rule_id for finding in letter.found])}
    living = {rule_id: rule for rule_id, rule in rules.items() if not rule.ended and rule.address == context.visit.here}
    if not living:
        await _say(update, say("That rule is gone; /rules shows those in force."))
    elif chosen in living or len(living) == 1:
        rule = living.get(chosen) or next(iter(living.values()))
        await _offer(update, say, context.visit.here, rule)
    else:
        rows = [
            [
                (
                    f"{rule.line} · {clean(rule.target.title or rule.target.id, LONGEST)}",
                    data("softer", context.visit.here, f"{message}.{rule_id}"),
                )
            ]
            for rule_id, rule in list(living.items())[:MOST]
        ]
        await _say(update, say("Which rule?"), rows)


def _rules(con: sqlite3.Connection, ids: Sequence[str]) -> list[PastRule]:
    found = (watches.rule(con, rule_id) for rule_id in dict.fromkeys(ids))
    return [rule for rule in found if rule is not None]


async def _offer(update: Update, say: Say, address: str, rule: PastRule) -> None:
    offered = quieter(parse_rule(rule.line))
    if not offered:
        await _say(update, say("“{line}” cannot be made quieter; /rules removes it.", line=rule.line))
        return
    lines = {name: canonical(spec) for name, spec in offered.items()}
    rows = [[(line, data("soften", address, f"{rule.id}.{name}"))] for name, line in lines.items()]
    await _say(update, say("In place of “{line}” on {title}:", line=rule.line, title=clean(rule.target.title or rule.target.id)), rows)


async def _soften(desk: Desk, update: Update, context: Context) -> None:
    value = await _about(desk, update, context)
    if value is None or not await desk.admins.may_change(update, context, desk.texts.of(context.visit.language)):
        return
    rule_id, _, name = value.partition(".")
    rule = await desk.db.read(watches.rule, rule_id)
    offered = quieter(parse_rule(rule.line)) if rule is not None and rule.address == context.visit.here else {}
    if rule is None or name not in offered:
        raise InputError("that rule is gone; /rules shows those in force")
    await _replace(desk, update, context, rule, canonical(offered[name]))


async def _undo(desk: Desk, update: Update, context: Context) -> None:
    """The old line becomes a new rule: ids are never used again."""
    value = await _about(desk, update, context)
    if value is None or not await desk.admins.may_change(update, context, desk.texts.of(context.visit.language)):
        return
    new_id, _, old_id = value.partition(".")
    new, old = await desk.db.read(watches.rule, new_id), await desk.db.read(watches.rule, old_id)
    if new is None or old is None or new.target.pk != old.target.pk or {new.address, old.address} != {context.visit.here}:
        raise InputError("that rule is gone; /rules shows those in force")
    await _replace(desk, update, context, new, old.line)


async def _replace(desk: Desk, update: Update, context: Context, old: PastRule, line: str) -> None:
    visit = context.visit
    say = desk.texts.of(visit.language)
    made = await desk.watches.replace_rule(old.id, line, visit.address)
    await note(desk, visit, Phrase(RULE_REPLACED, old=old.line, title=old.target.title or old.target.id, line=line))
    text = say("From now on: <code>{line}</code>. {explained}", line=made.line, explained=made.explained)
    if made.next_number is not None:
        text += " " + say("The next number told is {n}.", n=_number(made.next_number, visit))
    await reply(update, text, markup([[(say("Undo"), data("undo", visit.here, f"{made.id}.{old.id}"))]]))


# --- silence and the end ---------------------------------------------------------------------------------------------------


async def _hush(desk: Desk, update: Update, context: Context) -> None:
    say = desk.texts.of(context.visit.language)
    letter = await _letter(desk, update, context)
    if letter is None or not await desk.admins.may_change(update, context, say):
        return
    visit = context.visit
    until = desk.clock.now() + MUTE
    await desk.people.prefer(visit.here, muted_until=until)
    await note(desk, visit, Phrase(MUTED_FOR, span=duration_text(MUTE)))
    text = say("Muted until {at}: what happens until then is not told, also not later.", at=local(until, visit))
    await _say(update, text, [[(say("Unmute"), data("mute", visit.here, "0"))]])


async def _end(desk: Desk, update: Update, context: Context) -> None:
    """Asks once; of several targets one is chosen by its button."""
    say = desk.texts.of(context.visit.language)
    letter = await _letter(desk, update, context)
    if letter is None or not await desk.admins.may_change(update, context, say):
        return
    rules = await desk.db.read(_rules, [finding.alert.rule_id for finding in letter.found])
    here = context.visit.here
    watched = {target.pk for target, address in await desk.db.read(watches.watches) if address == here}
    targets = {rule.target.pk: rule.target for rule in rules if rule.address == here and rule.target.pk in watched}
    if not targets:
        await _say(update, say("It is not watched here any more."))
        return
    rows = [
        [(unescape(say("Stop: {title}", title=clean(one.title or one.id, LONGEST))), data("ended", here, pk))]
        for pk, one in list(targets.items())[:MOST]
    ]
    kinds = {one.kind for one in targets.values()}
    text = (
        say("Stop watching, with all rules?") if kinds == {TargetKind.VIDEO} else say("Stop watching, with all videos in it and all rules?")
    )
    await _say(update, text, [*rows, [(say("Keep"), data("kept", here, 0))]])


async def _ended(desk: Desk, update: Update, context: Context) -> None:
    value = await _about(desk, update, context)
    say = desk.texts.of(context.visit.language)
    if value is None or not await desk.admins.may_change(update, context, say):
        return
    visit = context.visit
    target = next((one for one, to in await desk.db.read(watches.watches) if to == visit.here and one.pk == int(value)), None)
    if target is None:
        await reply(update, say("It is not watched here any more."))
        return
    await desk.watches.remove(target.id, visit.here)
    await note(desk, visit, Phrase(REMOVED, title=target.title or target.id))
    await reply(update, say("Not watched any more: {title}.", title=clean(target.title or target.id)))


async def _kept(desk: Desk, update: Update, context: Context) -> None:
    if await _about(desk, update, context) is not None:
        await reply(update, desk.texts.of(context.visit.language)("It goes on."))
