"""What commands want from the process that holds the lease: the table of what it does for them. Every answer is plain JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from ytwatcher.clock import Clock
from ytwatcher.core.addresses import SERVICE
from ytwatcher.core.model import Metric
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.wording import did_you_mean, quoted
from ytwatcher.errors import ConfigError, InputError, YTWatcherError
from ytwatcher.notify.delivery import Sender
from ytwatcher.notify.dispatcher import Dispatcher
from ytwatcher.people import INVITATION_FOR, new_invitation
from ytwatcher.poller import Poller
from ytwatcher.rule_answers import RuleAnswer
from ytwatcher.settings import Settings
from ytwatcher.store import outbox, recipients
from ytwatcher.store.access import Role
from ytwatcher.store.db import Database
from ytwatcher.telegram.setup import BotSetup
from ytwatcher.watches import Added, Watches

Handler = Callable[..., Awaitable[dict[str, Any]]]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Requested:
    """Does what commands want, by the parts of this process; `more` is what the streaming way does for them."""

    settings: Settings
    clock: Clock
    db: Database
    poller: Poller
    dispatcher: Dispatcher
    watches: Watches
    senders: Mapping[str, Sender]
    more: Mapping[str, Handler] = field(default_factory=dict)

    async def perform(self, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Do what a command wants: `{"ok": …}`, or `{"error": text, "exit_code": n}`."""
        handler = partial(_HANDLERS[kind], self) if kind in _HANDLERS else self.more.get(kind)
        if handler is None:
            return {"error": f"“{kind}” is not known to the running process; it is of another version: start it anew", "exit_code": 1}
        try:
            return {"ok": await handler(**payload)}
        except YTWatcherError as error:
            return {"error": str(error), "exit_code": error.exit_code}
        except Exception as error:  # the edge of a request: a faulty one must not end the loops, and again at each start
            log.exception("request_fault", kind=kind)
            return {"error": f"a fault in the program ({type(error).__name__}); the log of the running process says where", "exit_code": 1}

    def check_reachable(self, address: str) -> None:
        """See that something can send to the address.

        Raises:
            InputError: nothing can.
        """
        scheme, _, name = address.partition(":")
        if scheme == SERVICE and name not in self.settings.services:
            hint = did_you_mean(name, self.settings.services) or Phrase("[services] in the configuration names them")
            raise InputError("there is no service {name}; {hint}", name=quoted(name), hint=hint)
        if scheme not in self.senders:
            raise InputError("{address}: telegram.bot_token is not set; `ytwatcher init` asks for it", address=address)


async def know_recipient(db: Database, settings: Settings, address: str) -> None:
    """A recipient that is new begins with the configured language and time zone."""
    telegram = settings.telegram
    await db.write(recipients.ensure, address, language=telegram.language, timezone=telegram.timezone)


async def _add(it: Requested, text: str, rules: list[str], to: str | None) -> dict[str, Any]:
    address = to or it.settings.telegram.operator
    it.check_reachable(address)
    return added_json(await it.watches.add(text, rules, address))


async def _add_rule(it: Requested, target: str, rule: str, to: str | None) -> dict[str, Any]:
    return _rule_json(await it.watches.add_rule(target, rule, to or it.settings.telegram.operator))


async def _remove_rule(it: Requested, rule_id: str) -> dict[str, Any]:
    await it.watches.remove_rule(rule_id)
    return {"id": rule_id}


async def _remove(it: Requested, target: str, to: str | None) -> dict[str, Any]:
    removed = await it.watches.remove(target, to or it.settings.telegram.operator)
    it.poller.wake.set()
    return {"id": removed.id, "title": removed.title, "kind": removed.kind}


async def _outbox_retry(it: Requested, message: int) -> dict[str, Any]:
    if not await it.db.write(outbox.retry, message, it.clock.now()):
        raise InputError("there is no dead message {n} that could be sent again; `ytwatcher outbox list` shows them", n=str(message))
    it.dispatcher.wake.set()
    return {"message": message}


async def _outbox_drop(it: Requested, message: int) -> dict[str, Any]:
    if not await it.db.write(outbox.drop, message):
        raise InputError("there is no open message {n}; `ytwatcher outbox list` shows them", n=str(message))
    it.dispatcher.wake.set()
    return {"message": message}


async def _outbox_test(it: Requested, recipient: str) -> dict[str, Any]:
    it.check_reachable(recipient)
    await know_recipient(it.db, it.settings, recipient)
    alert_id = await it.db.write(recipients.add_test, recipient, it.clock.now())
    it.dispatcher.wake.set()
    return {"alert": alert_id}


async def _invite(it: Requested, role: str) -> dict[str, Any]:
    telegram = it.settings.telegram
    if telegram.bot_token is None:
        raise ConfigError(["telegram.bot_token: is not set; `ytwatcher init` asks for it"])
    async with BotSetup(telegram.base_url, telegram.bot_token.reveal()) as setup:
        bot = await setup.get_me()
    now = it.clock.now()
    code = await it.db.write(new_invitation, Role(role), None, now)
    return {
        "role": role,
        "link": f"{bot.link}?start={code}",
        "group_link": f"{bot.link}?startgroup={code}",
        "expires_at": (now + INVITATION_FOR).isoformat(),
    }


async def _poke(it: Requested) -> dict[str, Any]:
    """Something was written beside us: look at it now."""
    it.dispatcher.wake.set()
    it.poller.wake.set()
    return {}


_HANDLERS: Mapping[str, Handler] = {
    "add": _add,
    "remove": _remove,
    "rules add": _add_rule,
    "rules remove": _remove_rule,
    "outbox retry": _outbox_retry,
    "outbox drop": _outbox_drop,
    "outbox test": _outbox_test,
    "invite": _invite,
    "poke": _poke,
}


def added_json(added: Added) -> dict[str, Any]:
    """The answer to `add`, as `ytwatcher add --json` prints it."""
    target = added.target
    return {
        "id": target.id,
        "kind": target.kind,
        "title": target.title,
        "url": target.url,
        "also_playlist": target.also_playlist,
        "to": added.address,
        "new": added.new,
        "videos": added.videos,
        "numbers": {metric: added.numbers[metric] for metric in Metric if metric in added.numbers},
        "units_a_day": added.units_a_day._asdict(),
        "rules": [_rule_json(rule) for rule in added.rules],
    }


def _rule_json(rule: RuleAnswer) -> dict[str, Any]:
    return {
        "id": rule.id,
        "rule": rule.line,
        "explained": rule.explained,
        "note": rule.note,
        "next_number": rule.next_number,
        "refused": rule.refused,
        "skipped": rule.skipped,
    }
