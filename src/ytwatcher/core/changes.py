"""What is recorded of who changed what; stored as its English text, and recognized where it is shown."""

from __future__ import annotations

from ytwatcher.core.phrases import Phrase, recognized

ADDED = Phrase("added {title}")
REMOVED = Phrase("removed {title}")
RULE_MADE = Phrase("rule “{line}” on {title}")
RULE_ENDED = Phrase("rule “{line}” removed from {title}")
RULE_REPLACED = Phrase("rule “{old}” on {title} became “{line}”")
MUTED_FOR = Phrase("mute for {span}")
MUTED_UNTIL = Phrase("mute until {at} UTC")
ENDED_ALL = Phrase("ended all {n} watches")
LET_IN = Phrase("let in as {role}")
INVITED = Phrase("invited a {role}")
DISMISSED = Phrase("dismissed, {n} watches ended")
_CHANGES = (ADDED, REMOVED, RULE_ENDED, RULE_REPLACED, RULE_MADE, MUTED_FOR, MUTED_UNTIL, ENDED_ALL, LET_IN, INVITED, DISMISSED)


def change(text: str) -> str:
    """What was recorded, as a phrase; a command, as it was typed."""
    return recognized(text, _CHANGES)
