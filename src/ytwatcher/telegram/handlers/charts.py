"""/chart and /charts: pictures of how the numbers went, and how a chat wants them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, InputMediaPhoto, Message, Update
from telegram.error import BadRequest
from telegram.ext import CallbackQueryHandler

from ytwatcher.core.cleaning import clean
from ytwatcher.core.model import Metric, TargetKind
from ytwatcher.core.rules import METRIC_NAMES
from ytwatcher.errors import InputError, YTWatcherError
from ytwatcher.pictures import SPANS, Picture, View, metrics_of, span_name
from ytwatcher.telegram.desk import Desk, Handler, command, message_of, send, topic_of
from ytwatcher.telegram.texts import Say
from ytwatcher.telegram.visit import Context

LETTERS = {"v": Metric.VIEWS, "l": Metric.LIKES, "c": Metric.COMMENTS, "s": Metric.SUBSCRIBERS, "t": Metric.TOTAL_VIEWS}
DATA = re.compile(r"chart:([\w-]{1,40}):(24h|7d|30d):([vlcst])")
CHOICES = 10


class Wanted(NamedTuple):
    """What `/chart` asks for: what it is about, as typed, and how it is to be seen."""

    text: str
    span: timedelta
    metric: Metric


def handlers(desk: Desk) -> Sequence[Handler]:
    return [
        command(desk, "chart", _chart),
        command(desk, "charts", _charts),
        CallbackQueryHandler(partial(_pressed, desk), pattern=f"^{DATA.pattern}$"),
    ]


def chart_data(view: View) -> str:
    """The data of a button that shows a view; 47 bytes at most."""
    letter = next(letter for letter, metric in LETTERS.items() if metric is view.metric)
    return f"chart:{view.about}:{next(name for name, span in SPANS.items() if span == view.span)}:{letter}"


def wanted_of(words: Sequence[str]) -> Wanted:
    """`[what] [24h|7d|30d] [metric]`, in whatever order; what is neither a time nor a metric names the video."""
    metrics = {metric.value: metric for metric in LETTERS.values() if " " not in metric.value}
    rest, span, metric = [], SPANS["24h"], Metric.VIEWS
    for word in words:
        if word.lower() in SPANS:
            span = SPANS[word.lower()]
        elif word.lower() in metrics:
            metric = metrics[word.lower()]
        else:
            rest.append(word)
    return Wanted(" ".join(rest), span, metric)


async def _chart(desk: Desk, update: Update, context: Context) -> None:
    message, visit = message_of(update), context.visit
    say = desk.texts.of(visit.language)
    if [word.lower() for word in context.args or ()] in (["dark"], ["light"]):
        await _set_look(desk, update, context, dark=(context.args or [""])[0].lower() == "dark")
        return
    wanted = wanted_of(context.args or ())
    found = await desk.charts.find(wanted.text, visit.address)
    if not found:
        await send(message, say("Nothing of that name is watched here. /list shows what is.") if wanted.text else nothing(say))
    elif len(found) > 1:
        rows = [[(clean(one.title or one.id, 40), chart_data(View(one.id, wanted.span, wanted.metric)))] for one in found[:CHOICES]]
        await send(message, say("Which one?"), _keyboard(rows))
    else:
        await _show(desk, update, context, View(found[0].id, wanted.span, wanted.metric))


def nothing(say: Say) -> str:
    return say("Nothing is watched here yet. Send me a link, or /add with one.")


async def _pressed(desk: Desk, update: Update, context: Context) -> None:
    query = update.callback_query
    match = DATA.fullmatch((query.data if query else None) or "")
    assert query is not None and match is not None  # the handler's pattern
    await query.answer()
    await _show(desk, update, context, View(match[1], SPANS[match[2]], LETTERS[match[3]]))


async def _show(desk: Desk, update: Update, context: Context, view: View) -> None:
    """Draw it beside the others' updates. A press on a picture's own button changes the picture; anything else gets a new one."""
    message, say = message_of(update), desk.texts.of(context.visit.language)
    edit = update.callback_query is not None and bool(message.photo) and _is_chart(message)
    work = _draw(desk, message, context.visit.address, view, say, edit=edit)
    if not desk.errands.start(context.visit.here, work):
        await send(message, say("One picture at a time, please: the last one is still being drawn."))


async def _draw(desk: Desk, message: Message, address: str, view: View, say: Say, *, edit: bool) -> None:
    try:
        picture = await desk.charts.picture(view, address, say.plain)
    except InputError as error:
        await send(message, f"{say.fault(error)}.")
        return
    except YTWatcherError:
        await send(message, say("The chart could not be drawn just now; try again in a minute."))
        return
    caption, keyboard = _caption(picture, say), await _choices(desk, picture, address, say)
    if not edit:
        await message.get_bot().send_photo(
            message.chat_id, picture.png, caption=caption, message_thread_id=topic_of(message), reply_markup=keyboard
        )
        return
    try:
        await message.edit_media(InputMediaPhoto(picture.png, caption=caption, parse_mode="HTML"), reply_markup=keyboard)
    except BadRequest as error:
        if "not modified" not in str(error):
            raise


def _caption(picture: Picture, say: Say) -> str:
    metric = METRIC_NAMES[picture.view.metric]
    text = say("{title}: {metric}", title=picture.title, metric=metric)
    if picture.left_out:
        text += "\n" + say("The {n} smallest are not in the picture.", n=picture.left_out)
    return text


async def _choices(desk: Desk, picture: Picture, address: str, say: Say) -> InlineKeyboardMarkup:
    """Buttons for other times and other metrics; what is shown has a dot."""
    view = picture.view
    targets = [one for one in await desk.charts.find(view.about, address) if one.id == view.about]
    kind = targets[0].kind if targets else TargetKind.VIDEO
    times = [_choice(say.plain(span_name(span)), View(view.about, span, view.metric), view) for span in SPANS.values()]
    metrics = [_choice(say.plain(METRIC_NAMES[metric]), View(view.about, view.span, metric), view) for metric in metrics_of(kind)]
    return _keyboard([times, metrics[:3], *([metrics[3:]] if metrics[3:] else [])])


def _choice(text: str, view: View, shown: View) -> tuple[str, str]:
    return (f"• {text}" if view == shown else text), chart_data(view)


# --- how a chat wants its pictures ----------------------------------------------------------------------------------------


async def _charts(desk: Desk, update: Update, context: Context) -> None:
    """`/charts on|off`: whether alerts carry their chart; alone it shows how it is."""
    message, visit = message_of(update), context.visit
    say, said = desk.texts.of(visit.language), " ".join(context.args or ()).lower()
    if said in ("on", "off"):
        if not await desk.admins.may_change(update, context, say):
            return
        wishes = await desk.charts.wish(visit.address, with_alerts=said == "on")
    else:
        wishes = await desk.charts.wishes(visit.address)
    state = say("Alerts come with their chart.") if wishes.with_alerts else say("Alerts come without a chart.")
    await send(message, f"{state}\n{say('/charts on or /charts off changes it; /chart dark or /chart light changes the colours.')}")


async def _set_look(desk: Desk, update: Update, context: Context, *, dark: bool) -> None:
    say = desk.texts.of(context.visit.language)
    if await desk.admins.may_change(update, context, say):
        await desk.charts.wish(context.visit.address, dark=dark)
        await send(message_of(update), say("Charts are dark from now on.") if dark else say("Charts are light from now on."))


def _is_chart(message: Message) -> bool:
    """Whether all buttons under the message are a chart's own: the picture of an alert stays what it is."""
    rows = message.reply_markup.inline_keyboard if message.reply_markup else ()
    return bool(rows) and all(DATA.fullmatch(str(button.callback_data)) for row in rows for button in row)


def _keyboard(rows: Sequence[Sequence[tuple[str, str]]]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup([[InlineKeyboardButton(text, callback_data=data) for text, data in row] for row in rows])
