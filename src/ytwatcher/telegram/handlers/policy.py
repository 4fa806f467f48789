"""How a chat is told: mute, quiet hours, digest, time zone, language; what it may have; taking its data along, and leaving."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from zoneinfo import available_timezones

from babel import Locale
from babel.numbers import format_decimal
from telegram import InputFile, Update

from ytwatcher.condition import look, needs
from ytwatcher.core.changes import ENDED_ALL, MUTED_UNTIL
from ytwatcher.core.durations import parse_duration
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.policy import Recipient, digest_text, parse_digest, parse_quiet, quiet_text
from ytwatcher.core.schedule import expected_delay
from ytwatcher.errors import InputError
from ytwatcher.outlook import look_ahead
from ytwatcher.setting_types import check_language, check_timezone
from ytwatcher.store.access import Role
from ytwatcher.store.questions import Question
from ytwatcher.telegram.desk import Desk, Handler, button, command, dead, keyboard, local, message_of, named, reply, topic_of
from ytwatcher.telegram.texts import Say
from ytwatcher.telegram.visit import Context, Visit
from ytwatcher.watch_files import export_watches

OFF = "off"
LONGEST_MUTE = timedelta(days=366)
MUTES = (1, 8, 24)
"""Hours that a button offers."""
MOST_NEEDS = 10
ZONES = 6
"""How many time zones of one name are offered."""


def handlers(desk: Desk) -> Sequence[Handler]:
    return [
        command(desk, "mute", _mute),
        command(desk, "quiet", _quiet),
        command(desk, "digest", _digest),
        command(desk, "timezone", _timezone),
        command(desk, "language", _language),
        command(desk, "stop", _stop),
        command(desk, "quota", _quota),
        command(desk, "status", _status, role=Role.MANAGER, private=True),
        command(desk, "export", _export),
        button(desk, "mute", _mute_pressed, r"\d{1,8}"),
        button(desk, "zone", _zone_pressed, r"[\w+/-]+"),
        button(desk, "lang", _language_pressed, "[a-z]{2}"),
        button(desk, "stop", _stop_pressed, "yes|no"),
    ]


# --- mute, quiet hours, digest ------------------------------------------------------------------------------------------


async def _mute(desk: Desk, update: Update, context: Context) -> None:
    """`/mute 8h`, counted from the message, so that handling it twice is the same; `/mute off`; alone it shows what holds."""
    visit, said, message = context.visit, " ".join(context.args or ()), message_of(update)
    say = desk.texts.of(visit.language)
    if not said:
        await _show_mute(desk, update, visit, await desk.people.recipient(visit.address))
        return
    try:
        until = None if said.lower() == OFF else message.date + min(parse_duration(said), LONGEST_MUTE)
    except ValueError:
        await reply(update, say("“{said}” is not a duration; write for example /mute 8h, /mute 2d or /mute off.", said=said))
        return
    await _set_mute(desk, update, context, until)


async def _mute_pressed(desk: Desk, update: Update, context: Context) -> None:
    value = await named(desk, update, context)
    if value is not None:
        minutes = int(value)
        await _set_mute(desk, update, context, datetime.fromtimestamp(minutes * 60, UTC) if minutes else None)


async def _set_mute(desk: Desk, update: Update, context: Context, until: datetime | None) -> None:
    what = Phrase(MUTED_UNTIL, at=f"{until:%Y-%m-%d %H:%M}") if until else f"mute {OFF}"
    recipient = await change(desk, update, context, what, muted_until=until)
    if recipient is not None:
        await _show_mute(desk, update, context.visit, recipient)


async def _show_mute(desk: Desk, update: Update, visit: Visit, recipient: Recipient) -> None:
    say, now = desk.texts.of(visit.language), desk.clock.now()
    if recipient.muted_until is not None and recipient.muted_until > now:
        text = say("Muted until {at}: what happens until then is not told, also not later.", at=local(recipient.muted_until, visit))
        await reply(update, text, keyboard([[(say("Unmute"), "mute", "0")]], visit.address))
        return
    offers = [(say("{n} h", n=n), "mute", str(int((now + timedelta(hours=n)).timestamp()) // 60)) for n in MUTES]
    await reply(update, say("Not muted: alerts are sent. Mute for:"), keyboard([offers], visit.address))


async def _quiet(desk: Desk, update: Update, context: Context) -> None:
    visit, said = context.visit, " ".join(context.args or ())
    say = desk.texts.of(visit.language)
    recipient: Recipient | None = await desk.people.recipient(visit.address)
    if said:
        try:
            quiet = None if said.lower() == OFF else parse_quiet(said)
        except InputError:
            await reply(update, say("“{said}” are not quiet hours; write for example /quiet 23:00-07:30, or /quiet off.", said=said))
            return
        recipient = await change(desk, update, context, f"quiet {said}", quiet=quiet)
    if recipient is None:
        return
    if recipient.quiet is None:
        await reply(update, say("No quiet hours. To hold alerts at night, write for example /quiet 23:00-07:30."))
        return
    text = say(
        "Quiet hours {hours} ({zone}): alerts wait until they end. /quiet off ends that.",
        hours=quiet_text(recipient.quiet),
        zone=recipient.timezone,
    )
    await reply(update, text)


async def _digest(desk: Desk, update: Update, context: Context) -> None:
    visit, said = context.visit, " ".join(context.args or ())
    say = desk.texts.of(visit.language)
    recipient: Recipient | None = await desk.people.recipient(visit.address)
    if said:
        try:
            digest = None if said.lower() == OFF else parse_digest(said)
        except InputError:
            await reply(
                update,
                say("“{said}” is no time for a digest; write /digest daily 09:00, /digest weekly mon 09:00, or /digest off.", said=said),
            )
            return
        recipient = await change(desk, update, context, f"digest {said}", digest=digest)
    if recipient is None:
        return
    if recipient.digest is None:
        await reply(update, say("No digest: alerts come at once. To get them together, write for example /digest daily 09:00."))
        return
    text = say(
        "Digest {when} ({zone}): alerts wait and come together then. /digest off ends that.",
        when=digest_text(recipient.digest),
        zone=recipient.timezone,
    )
    await reply(update, text)


# --- time zone and language ---------------------------------------------------------------------------------------------


async def _timezone(desk: Desk, update: Update, context: Context) -> None:
    visit, said = context.visit, " ".join(context.args or ())
    say = desk.texts.of(visit.language)
    if said:
        await _city(desk, update, context, said)
        return
    zone = (await desk.people.recipient(visit.address)).timezone
    if not visit.private:
        await reply(update, say("The clock here is {zone}. To change it, write /timezone and a city: /timezone Berlin.", zone=zone))
        return
    await desk.people.ask(visit.here, visit.user, "timezone")
    await reply(update, say("Your clock is {zone}. Which bigger city near you has your time? Write its name.", zone=zone))


async def take_city(desk: Desk, update: Update, context: Context, _: Question) -> bool:
    """The answer to the question for a city; a link or another command is none."""
    said = (message_of(update).text or "").strip()
    if "://" in said or len(said) > 60:
        return False
    return await _city(desk, update, context, said)


async def _city(desk: Desk, update: Update, context: Context, said: str) -> bool:
    """Whether a time zone was found; of several, buttons let choose."""
    visit, found = context.visit, zones_of(said)
    say = desk.texts.of(visit.language)
    if not found:
        await reply(update, say("I know no time zone “{said}”; try the biggest city near you, or write it as Europe/Berlin.", said=said))
        return False
    if len(found) > 1:
        await reply(update, say("Which one?"), keyboard([[(zone, "zone", zone)] for zone in found], visit.address))
        return True
    await _set_zone(desk, update, context, found[0])
    return True


async def _zone_pressed(desk: Desk, update: Update, context: Context) -> None:
    value = await named(desk, update, context)
    if value is not None:
        await (_set_zone(desk, update, context, value) if value in available_timezones() else dead(desk, update, context))


async def _set_zone(desk: Desk, update: Update, context: Context, zone: str) -> None:
    recipient = await change(desk, update, context, f"timezone {zone}", timezone=zone)
    if recipient is not None:
        at = local(desk.clock.now(), context.visit, recipient.timezone)
        await reply(update, desk.texts.of(context.visit.language)("The clock is {zone} now: it is {at} there.", zone=zone, at=at))


def zones_of(said: str) -> list[str]:
    """The time zones that a text may mean: by its IANA name, or by its last part, the city."""
    try:
        return [check_timezone(said)]
    except ValueError:
        wanted = said.strip().replace(" ", "_").lower()
    cities = {zone: zone.lower().rpartition("/")[2] for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")}
    exact = sorted(zone for zone, city in cities.items() if city == wanted or zone.lower() == wanted)
    return exact[:ZONES] or sorted(zone for zone, city in cities.items() if len(wanted) > 2 and city.startswith(wanted))[:ZONES]


async def _language(desk: Desk, update: Update, context: Context) -> None:
    visit, said = context.visit, " ".join(context.args or ())
    say = desk.texts.of(visit.language)
    if said:
        try:
            await _set_language(desk, update, context, check_language(said))
        except ValueError:
            await reply(update, say("“{said}” is not a language; write for example /language de.", said=said))
        return
    names = ["en", *sorted(desk.texts.catalogs)]
    offers = [[(Locale.parse(name).get_display_name(name) or name, "lang", name)] for name in names]
    await reply(
        update,
        say("Which language? (Others: /language and its code; then numbers and times are written as there.)"),
        keyboard(offers, visit.address),
    )


async def _language_pressed(desk: Desk, update: Update, context: Context) -> None:
    value = await named(desk, update, context)
    if value is not None:
        known = value == "en" or value in desk.texts.catalogs
        await (_set_language(desk, update, context, value) if known else dead(desk, update, context))


async def _set_language(desk: Desk, update: Update, context: Context, language: str) -> None:
    if await change(desk, update, context, f"language {language}", language=language) is not None:
        name = Locale.parse(language).get_display_name(language) or language
        await reply(update, desk.texts.of(language)("From now on: {language}.", language=name))


# --- what it may have, what is known, and leaving -----------------------------------------------------------------------


async def _quota(desk: Desk, update: Update, context: Context) -> None:
    visit = context.visit
    say = desk.texts.of(visit.language)
    outlook = await desk.db.read(look_ahead, desk.settings, desk.clock.now())
    used, limits = await desk.people.standing_of(visit.address)
    day = outlook.budgets[0].ledger.day
    lines = [
        say(
            "{n} videos are watched in all, each read every {span}; news is about {delay} old.",
            n=_number(outlook.videos, visit),
            span=_span(outlook.statistics.interval, say),
            delay=_span(expected_delay(outlook.statistics.interval), say),
        )
    ]
    for budget in outlook.budgets:
        ledger = budget.ledger
        lines.append(
            say(
                "{bucket}: {used} of {limit} units used today.",
                bucket=ledger.bucket,
                used=_number(ledger.total, visit),
                limit=_number(ledger.limit, visit),
            )
        )
    lines.append(say("The quota day ends at {at}.", at=local(day.end_at, visit)))
    for text, now_used, most in (
        (say("targets"), used.targets, limits and limits.targets),
        (say("rules"), used.rules, limits and limits.rules),
        (say("messages in 24 h"), used.messages, limits and limits.messages),
    ):
        of = (
            say("{what} here: {used} of {most}", what=text, used=_number(now_used, visit), most=_number(most, visit))
            if most
            else say("{what} here: {used}", what=text, used=_number(now_used, visit))
        )
        lines.append(of)
    await reply(update, "\n".join(lines))


async def _status(desk: Desk, update: Update, context: Context) -> None:
    visit, now = context.visit, desk.clock.now()
    say, found = desk.texts.of(visit.language), await desk.db.read(look, desk.settings, True, now)
    lines = [
        say(
            "{targets} targets are watched, {videos} videos.",
            targets=_number(len(found.targets), visit),
            videos=_number(found.videos, visit),
        ),
        say("Last read at {at}.", at=local(found.read_at, visit)) if found.read_at else say("Nothing was read yet."),
        say("{n} alerts wait, {held} are held.", n=found.outbox.get("waiting", 0), held=found.outbox.get("held", 0)),
        *(say("Needs a hand: {what}.", what=what) for what in list(needs(found, desk.settings))[:MOST_NEEDS]),
    ]
    await reply(update, "\n".join(lines))


async def _export(desk: Desk, update: Update, context: Context) -> None:
    """The chat's own watches and rules, as `ytwatcher import` reads them."""
    visit, message = context.visit, message_of(update)
    say = desk.texts.of(visit.language)
    watches = [one for one in await desk.db.read(_exported) if one["to"] == visit.address]
    if not watches:
        await reply(update, say("Nothing is watched here."))
        return
    body = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in watches).encode()
    await message.get_bot().send_document(
        message.chat_id,
        InputFile(BytesIO(body), filename="watches.jsonl"),
        caption=say("{n} watches with their rules, one a line; “ytwatcher import” reads them.", n=len(watches)),
        message_thread_id=topic_of(message),
    )


def _exported(con: Any) -> list[dict[str, Any]]:
    return list(export_watches(con))


async def _stop(desk: Desk, update: Update, context: Context) -> None:
    """Asks first. The question's buttons hold all that is needed: they work after a restart, and twice do no more than once."""
    visit = context.visit
    say = desk.texts.of(visit.language)
    if not await desk.admins.may_change(update, context, say):
        return
    used, _ = await desk.people.standing_of(visit.address)
    buttons = keyboard([[(say("End them all"), "stop", "yes"), (say("Keep them"), "stop", "no")]], visit.address)
    whose = visit.standing.title or say("this chat")
    await reply(update, say("End all watches of {chat} ({n}) with their rules? To pause them, /mute.", chat=whose, n=used.targets), buttons)


async def _stop_pressed(desk: Desk, update: Update, context: Context) -> None:
    say = desk.texts.of(context.visit.language)
    value = await named(desk, update, context)
    if value is None or not await desk.admins.may_change(update, context, say):
        return
    if value != "yes":
        await reply(update, say("All watches go on."))
        return
    ended = await desk.watches.stop(context.visit.address)
    if ended:
        await note(desk, context.visit, Phrase(ENDED_ALL, n=ended))
    await reply(update, say("{n} watches ended. Send me a link to begin anew.", n=ended))


# --- what these share -----------------------------------------------------------------------------------------------------


async def change(desk: Desk, update: Update, context: Context, what: str, **changes: Any) -> Recipient | None:
    """Change how the visit's recipient is told, and note who did; None: who writes may not, and was told so."""
    visit = context.visit
    if not await desk.admins.may_change(update, context, desk.texts.of(visit.language)):
        return None
    recipient = await desk.people.prefer(visit.address, **changes)
    await note(desk, visit, what)
    return recipient


async def note(desk: Desk, visit: Visit, what: str) -> None:
    """Record who changed what (`/log`)."""
    await desk.people.record(visit.address, visit.user, visit.name, what)


def _number(value: int, visit: Visit) -> str:
    return format_decimal(value, locale=visit.language)


def _span(span: timedelta, say: Say) -> str:
    minutes = max(1, round(span / timedelta(minutes=1)))
    return say("{n} min", n=minutes) if minutes < 120 else say("{n} h", n=round(minutes / 60))
