"""The operator's own words for a kind of alert: a small part of Jinja2, in which no template can run for long, grow, or reach anything.

A template puts texts together: values, `if`, a few filters. There are no loops, calls, assignments or arithmetic, so what it makes is
never longer than the template times its longest value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ytwatcher.core.addresses import CONSOLE
from ytwatcher.core.findings import Item
from ytwatcher.core.model import Alert, Metric, RuleId, RuleKind, SubjectId
from ytwatcher.core.policy import Recipient
from ytwatcher.core.render import Limits, compose
from ytwatcher.core.wording import did_you_mean, quoted
from ytwatcher.core.words import FIELDS, Text

LONGEST_TEMPLATE = 2000
FILTERS = ("capitalize", "default", "lower", "title", "trim", "truncate", "upper")
_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.Concat,
    nodes.Filter,
    nodes.Keyword,
    nodes.If,
    nodes.CondExpr,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Compare,
    nodes.Operand,
    nodes.List,
    nodes.Tuple,
)
_FAULTS = (TemplateError, SyntaxError, ValueError, TypeError, ArithmeticError, AssertionError, RecursionError, MemoryError)
"""What Jinja2 raises of a text that is no template, or of values that it cannot put together."""
_PASSED = (RuleKind.EVERY, RuleKind.REACH, RuleKind.MILESTONES)
_WITHOUT_METRIC = (RuleKind.AVAILABILITY, RuleKind.TITLE, RuleKind.NEW)
_FACTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"availability": ("vanished",), "title": ("The old title", "The new title"), "faster": ("5000/h",), "slower": ("100/h",)}
)
"""By kind, of an example."""
_AT = datetime(2026, 10, 5, 17, tzinfo=UTC)


def compile_template(kind: RuleKind, source: str) -> Text:
    """The template as a function of an alert's values, tried on examples of its kind.

    Raises:
        ValueError: it is not one; the text names the line and what would be right.
    """
    if len(source) > LONGEST_TEMPLATE:
        raise ValueError(f"has {len(source):,} characters; {LONGEST_TEMPLATE:,} are the most")
    environment = _environment()
    try:
        tree = environment.parse(source)
        for fault in _faults(tree):
            raise ValueError(fault)
        template = environment.from_string(tree)
        _try(kind, template.render)
    except TemplateSyntaxError as error:
        raise ValueError(f"line {error.lineno}: {error.message}") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except _FAULTS as error:
        raise ValueError(str(error) or type(error).__name__) from None

    def text(values: Mapping[str, str]) -> str:
        try:
            return template.render(values)
        except _FAULTS:
            return ""  # the usual words are better than none

    return text


def preview(kind: RuleKind, text: Text) -> str:
    """A message with an example of the kind, in these words."""
    return _composed(_example(kind, 998), kind, text)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # the whole text is escaped where it becomes HTML: a template has no markup of its own
    )
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    return environment


def _faults(tree: nodes.Template) -> Iterator[str]:
    for node in _walk(tree):
        if not isinstance(node, _ALLOWED):
            word = quoted(type(node).__name__.lower())
            yield f"line {node.lineno}: {word} is not possible here; there are values, if and else, and the filters {', '.join(FILTERS)}"
        if isinstance(node, nodes.Name) and node.name not in FIELDS:
            hint = did_you_mean(node.name, FIELDS)
            there = f"there are {', '.join(FIELDS)}"
            yield f"line {node.lineno}: there is no value {quoted(node.name)}; {f'{hint} ' if hint else ''}{there}"


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child)


def _try(kind: RuleKind, text: Text) -> None:
    """Render examples: an ordinary one, and, where that can be, one of a first reading.

    Raises:
        ValueError: nothing comes of one; or whatever Jinja2 raises.
    """
    for previous in (998, None) if kind in _PASSED else (998,):
        made: list[str] = []

        def words(values: Mapping[str, str], made: list[str] = made) -> str:
            made.append(text(values))
            return made[-1]

        _composed(_example(kind, previous), kind, words)
        if not made[0].strip():
            raise ValueError("nothing comes of it" if previous else "nothing comes of it where there is no previous value")


def _composed(item: Item, kind: RuleKind, text: Text) -> str:
    return compose([item], Recipient(CONSOLE), _AT, Limits(), {kind: text}).plain


def _example(kind: RuleKind, previous: int | None) -> Item:
    metric = None if kind in _WITHOUT_METRIC else Metric.VIEWS
    before = None if metric is None else previous
    alert = Alert(
        RuleId("r1"),
        SubjectId("jNQXAC9IVRw"),
        kind,
        _AT,
        metric,
        before,
        None if metric is None else 1034,
        None if before is None else _AT - timedelta(minutes=12),
        1000 if kind in _PASSED else None,
        _FACTS.get(kind, ()),
    )
    return Item(1, "r1:jNQXAC9IVRw:0", alert, title="Me at the zoo", rule=f"views {kind}", target_pk=1, target_title="Me at the zoo")
