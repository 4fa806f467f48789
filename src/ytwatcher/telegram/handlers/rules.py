"""/rules: what a watch tells, explained; more rules by typing or by buttons, each rehearsed before it is kept; fewer by button."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from babel.numbers import format_decimal
from telegram import Update
from telegram.ext import ApplicationHandlerStop

from ytwatcher.core.changes import RULE_ENDED, RULE_MADE
from ytwatcher.core.cleaning import clean
from ytwatcher.core.model import CHANNEL_METRICS, Metric, RuleKind, RuleSpec
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.quieter import quieter
from ytwatcher.core.rules import canonical, check_fits, explain, parse_rule
from ytwatcher.core.rules import note as about
from ytwatcher.errors import InputError, RuleError
from ytwatcher.looking import Watched, named, watched
from ytwatcher.rehearsal import DAYS, Rehearsal, rehearse
from ytwatcher.store.questions import Question
from ytwatcher.telegram.desk import Desk, Handler, button, command, message_of, reply
from ytwatcher.telegram.desk import named as value_of
from ytwatcher.telegram.handlers.alerts import markup
from ytwatcher.telegram.handlers.policy import note
from ytwatcher.telegram.handlers.watching import choices
from ytwatcher.telegram.keyboards import LONGEST, Rows, data, packed, unpacked
from ytwatcher.telegram.texts import Say
from ytwatcher.telegram.visit import Context, Visit

TOPIC = "rule"
METRICS = (Metric.VIEWS, Metric.LIKES, Metric.COMMENTS)
KINDS = tuple(kind for kind in RuleKind if kind not in (RuleKind.AVAILABILITY, RuleKind.TITLE, RuleKind.NEW))
PLAIN = (RuleKind.AVAILABILITY, RuleKind.TITLE, RuleKind.NEW)
OFFERED = {
    RuleKind.EVERY: ("10", "100", "1k", "10k", "100k", "1M"),
    RuleKind.REACH: ("1k", "10k", "100k", "1M", "10M", "100M"),
    RuleKind.RISE: ("1%", "5%", "10%", "50", "500", "5k"),
    RuleKind.FALL: ("1%", "5%", "10%", "10", "100", "1k"),
    RuleKind.FASTER: ("100/h", "1k/h", "10k/h", "100k/h"),
    RuleKind.SLOWER: ("10/h", "100/h", "1k/h", "10k/h"),
}
"""Numbers for those who press; whoever types may take any."""


class Draft(NamedTuple):
    """A rule that is not kept yet, on a watch."""

    watch: Watched
    spec: RuleSpec

    @property
    def line(self) -> str:
        return canonical(self.spec)


def handlers(desk: Desk) -> Sequence[Handler]:
    key = r"\d{1,18}"
    return [
        command(desk, "rules", _rules),
        button(desk, "rules", _shown, key),
        button(desk, "unrule", _unrule, rf"{key}\.[\w-]{{1,24}}"),
        button(desk, "newrule", _new, key),
        button(desk, "metric", _metric, rf"{key}\.m\d"),
        button(desk, "kind", _kind, rf"{key}\.m\d_k\d"),
        button(desk, "try", _try, rf"{key}\..+"),
        button(desk, "less", _less, rf"{key}\..+"),
        button(desk, "keep", _keep, rf"{key}\..+"),
    ]


async def _rules(desk: Desk, update: Update, context: Context) -> None:
    visit, said = context.visit, " ".join(context.args or ())
    say = desk.texts.of(visit.language)
    found = await desk.db.read(named, visit.address, said)
    if len(found) == 1:
        await _show(desk, update, context, found[0].pk)
    elif found:
        await reply(update, say("The rules of which one?"), markup(choices(found, "rules", visit.address)))
    elif said:
        await reply(update, say("Nothing of that name is watched here. /list shows what is."))
    else:
        await reply(update, say("Nothing is watched here yet. Send me a link, or /add with one."))


async def _shown(desk: Desk, update: Update, context: Context) -> None:
    value = await value_of(desk, update, context)
    if value is not None:
        await desk.people.answered(context.visit.here, context.visit.user)
        await _show(desk, update, context, int(value))


async def _show(desk: Desk, update: Update, context: Context, target_pk: int, first: str = "") -> None:
    visit = context.visit
    say = desk.texts.of(visit.language)
    one = await _watched(desk, visit, target_pk)
    lines = [first] if first else []
    lines.append(say("Rules of {title}:", title=_title(one)))
    lines += [
        say("• <code>{line}</code>: {explained}", line=rule.line, explained=explain(rule.spec, one.target.kind)) for rule in one.rules
    ] or [say("None: nothing is told of it.")]
    rows = [[(f"✖ {rule.line}", data("unrule", visit.address, f"{target_pk}.{rule.id}"))] for rule in one.rules[:20]]
    await reply(update, "\n".join(lines), markup([*rows, [(say("Add a rule"), data("newrule", visit.address, target_pk))]]))


async def _watched(desk: Desk, visit: Visit, target_pk: int) -> Watched:
    """The watch that a button names.

    Raises:
        InputError: it is none of the visit's.
    """
    one = await desk.db.read(watched, visit.address, target_pk)
    if one is None:
        raise InputError(desk.texts.of(visit.language)("It is not watched here any more."))
    return one


async def _unrule(desk: Desk, update: Update, context: Context) -> None:
    """Pressed twice it is done once."""
    value, visit = await value_of(desk, update, context), context.visit
    say = desk.texts.of(visit.language)
    if value is None or not await desk.admins.may_change(update, context, say):
        return
    pk, _, rule_id = value.partition(".")
    one = await _watched(desk, visit, int(pk))
    rule = next((rule for rule in one.rules if rule.id == rule_id), None)
    if rule is None:
        await _show(desk, update, context, int(pk), say("That rule is gone."))
        return
    await desk.watches.remove_rule(rule_id)
    await note(desk, visit, Phrase(RULE_ENDED, line=rule.line, title=one.target.title or one.target.id))
    await _show(desk, update, context, int(pk), say("Removed: <code>{line}</code>", line=rule.line))


# --- a new one ----------------------------------------------------------------------------------------------------------


async def _new(desk: Desk, update: Update, context: Context) -> None:
    """The next message is the rule, unless buttons make one."""
    value, visit = await value_of(desk, update, context), context.visit
    say = desk.texts.of(visit.language)
    if value is None or not await desk.admins.may_change(update, context, say):
        return
    one = await _watched(desk, visit, int(value))
    await desk.people.ask(visit.here, visit.user, TOPIC, target=one.target.pk, address=visit.address)
    metrics = [metric for metric in METRICS if _fits(parse_rule(f"{metric} change"), one)]
    metrics += [metric for metric in CHANNEL_METRICS if _fits(parse_rule(f"{metric} change"), one)]
    row = [
        (str(metric), data("metric", visit.address, f"{value}.{packed(parse_rule(f'{metric} change')).partition('_')[0]}"))
        for metric in metrics
    ]
    plain = [(str(kind), data("try", visit.address, f"{value}.{packed(RuleSpec(kind))}")) for kind in PLAIN if _fits(RuleSpec(kind), one)]
    text = say(
        "Write the rule for {title}, for example <code>views every 10k</code> or <code>likes rise 5%</code>; or choose:", title=_title(one)
    )
    await reply(update, text, markup([row[:3], *([row[3:]] if row[3:] else []), plain, [_back(say, visit, value)]]))


def _fits(spec: RuleSpec, one: Watched) -> bool:
    try:
        check_fits(spec, one.target.kind)
    except RuleError:
        return False
    return True


def _back(say: Say, visit: Visit, target_pk: str | int) -> tuple[str, str]:
    return (say("Cancel"), data("rules", visit.address, target_pk))


async def _metric(desk: Desk, update: Update, context: Context) -> None:
    value, visit = await value_of(desk, update, context), context.visit
    if value is None:
        return
    say = desk.texts.of(visit.language)
    pk, _, metric = value.partition(".")
    name = unpacked(f"{metric}_change").metric
    rows = [[_kind_button(visit, pk, str(name), kind) for kind in KINDS[start : start + 4]] for start in range(0, len(KINDS), 4)]
    await reply(update, say("{metric}: which kind of rule?", metric=name), markup([*rows, [_back(say, visit, pk)]]))


def _kind_button(visit: Visit, pk: str, metric: str, kind: RuleKind) -> tuple[str, str]:
    """What needs no number is tried at once."""
    if kind in OFFERED:
        spec = packed(parse_rule(f"{metric} {kind} {OFFERED[kind][0]}"))
        return (str(kind), data("kind", visit.address, f"{pk}.{'_'.join(spec.split('_')[:2])}"))
    return (str(kind), data("try", visit.address, f"{pk}.{packed(parse_rule(f'{metric} {kind}'))}"))


async def _kind(desk: Desk, update: Update, context: Context) -> None:
    value, visit = await value_of(desk, update, context), context.visit
    if value is None:
        return
    say = desk.texts.of(visit.language)
    pk, _, named_kind = value.partition(".")
    kind = next((one for one in OFFERED if packed(RuleSpec(one)) == named_kind.partition("_")[2]), None)
    if kind is None:
        raise InputError(say("That button is of no use any more; see /rules."))
    found = [unpacked(f"{named_kind}_{amount}") for amount in OFFERED[kind]]
    buttons = [(amount, data("try", visit.address, f"{pk}.{packed(spec)}")) for amount, spec in zip(OFFERED[kind], found, strict=True)]
    text = say("<code>{start} …</code>: how much? Any number can be written, too.", start=f"{found[0].metric} {kind}")
    await reply(update, text, markup([buttons[:3], buttons[3:], [_back(say, visit, pk)]]))


async def take_rule(desk: Desk, update: Update, context: Context, question: Question) -> bool:
    """The answer to the question for a rule; a wrong one may be written again, a link is none."""
    said = (message_of(update).text or "").strip()
    if "://" in said or said.startswith("@"):
        return False
    visit = context.visit
    if question.facts.get("address") != visit.address:
        return False
    say = desk.texts.of(visit.language)
    if not await desk.admins.may_change(update, context, say):
        raise ApplicationHandlerStop
    try:
        one = await _watched(desk, visit, int(question.facts["target"]))
        spec = parse_rule(said)
        check_fits(spec, one.target.kind)
    except InputError as error:
        await reply(update, say.fault(error))
        raise ApplicationHandlerStop from None  # the question stays
    await _rehearse(desk, update, context, Draft(one, spec))
    return True


# --- rehearsed, and kept ------------------------------------------------------------------------------------------------


async def _draft(desk: Desk, update: Update, context: Context) -> Draft | None:
    """The rule that a pressed button holds; None: it is about another chat, or nobody who may change it pressed it: that was said."""
    value, visit = await value_of(desk, update, context), context.visit
    if value is None or not await desk.admins.may_change(update, context, desk.texts.of(visit.language)):
        return None
    pk, _, rule = value.partition(".")
    one = await _watched(desk, visit, int(pk))
    spec = unpacked(rule)
    check_fits(spec, one.target.kind)
    return Draft(one, spec)


async def _try(desk: Desk, update: Update, context: Context) -> None:
    draft = await _draft(desk, update, context)
    if draft is not None:
        await _rehearse(desk, update, context, draft)


async def _rehearse(desk: Desk, update: Update, context: Context, draft: Draft) -> None:
    visit = context.visit
    say = desk.texts.of(visit.language)
    recipient = await desk.people.recipient(visit.address)
    now, (pk, rule) = desk.clock.now(), (draft.watch.target.pk, packed(draft.spec))
    if len(data("keep", visit.address, f"{pk}.{rule}")) > LONGEST:
        raise InputError(say("This rule is longer than a button can hold; leave an option out, or take a rounder number."))

    def run(con: sqlite3.Connection) -> Rehearsal:
        return rehearse(con, draft.spec, draft.line, [draft.watch.target], recipient, now, days=DAYS, show=0)

    lines = [
        say("<code>{line}</code> on {title}", line=draft.line, title=_title(draft.watch)),
        say.html(explain(draft.spec, draft.watch.target.kind)),
        *([say.html(remark)] if (remark := about(draft.spec)) else []),
        _would_have_sent(await desk.db.read(run), say, visit),
    ]
    row = [(say("Keep it"), data("keep", visit.address, f"{pk}.{rule}"))]
    row += [(say("Quieter"), data("less", visit.address, f"{pk}.{rule}"))] if quieter(draft.spec) else []
    await reply(update, "\n".join(lines), markup([[*row, _back(say, visit, pk)]]))


def _would_have_sent(done: Rehearsal, say: Say, visit: Visit) -> str:
    if done.caveat is not None and not done.messages:
        return say("What it would have sent cannot be said: that is not stored.")
    hours = round((done.until_at - done.since_at).total_seconds() / 3600)
    values = {"n": format_decimal(done.messages, locale=visit.language), "night": format_decimal(done.at_night, locale=visit.language)}
    if hours < 48:
        text = say("In the last {hours} hours this would have sent {n} messages, {night} at night.", hours=hours, **values)
    else:
        text = say("In the last {days} days this would have sent {n} messages, {night} at night.", days=hours // 24, **values)
    return text if done.caveat is None else f"{text} {say.html(done.caveat)}"


async def _less(desk: Desk, update: Update, context: Context) -> None:
    draft = await _draft(desk, update, context)
    if draft is None:
        return
    visit = context.visit
    say = desk.texts.of(visit.language)
    rows: Rows = [
        [(canonical(spec), data("try", visit.address, f"{draft.watch.target.pk}.{packed(spec)}"))] for spec in quieter(draft.spec).values()
    ]
    await reply(
        update, say("Quieter than <code>{line}</code>:", line=draft.line), markup([*rows, [_back(say, visit, draft.watch.target.pk)]])
    )


async def _keep(desk: Desk, update: Update, context: Context) -> None:
    """Pressed twice it is done once."""
    draft = await _draft(desk, update, context)
    if draft is None:
        return
    visit, target = context.visit, draft.watch.target
    say = desk.texts.of(visit.language)
    text = say("It is a rule already: <code>{line}</code>", line=draft.line)
    if all(canonical(rule.spec) != draft.line for rule in draft.watch.rules):
        made = await desk.watches.add_rule(target.id, draft.line, visit.address)
        await note(desk, visit, Phrase(RULE_MADE, line=made.line, title=target.title or target.id))
        text = say("Kept: <code>{line}</code>.", line=made.line)
        if made.next_number is not None:
            text += " " + say("The next number told is {n}.", n=format_decimal(made.next_number, locale=visit.language))
    await desk.people.answered(visit.here, visit.user)
    await _show(desk, update, context, target.pk, text)


def _title(one: Watched) -> str:
    return clean(one.target.title or one.target.id)
