"""Several arms side by side in a terminal: an engine's events in, panels or plain text out.

A ``Comparison`` follows the answers; ``show_live`` and ``show_plain`` draw what it yields. Knows the engine by its
seam alone, and no model, file or setting.
"""

from __future__ import annotations

import itertools
import json
import math
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.panel import Panel
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from .domain import Answer, FinishReason, Mixture, Sampling
from .engine.base import Delta, Engine, Event, Finished, Request
from .errors import InvalidValue, ModelError

NOTICE: Final = "A research demonstration: no answer here is medical advice."
NARROWEST: Final = 38
"""Columns of a panel below which the panels go one under the other."""
LOWEST: Final = 3
"""Lines of a panel with one line of text."""


@dataclass(frozen=True)
class Card:
    """The answer of one arm so far."""

    mixture: Mixture
    fingerprint: str
    text: str = ""
    end: Finished | None = None

    @property
    def failed(self) -> bool:
        """True where the row ended without an answer."""
        return self.end is not None and self.end.reason in (FinishReason.ERROR, FinishReason.CANCELLED)

    def after(self, event: Event) -> Card:
        """The card once an event of its row has come."""
        return replace(self, text=self.text + event.text) if isinstance(event, Delta) else replace(self, end=event)

    @property
    def outcome(self) -> str:
        """How the answer ended, in a few words, or where it is."""
        if self.end is None:
            return "answering" if self.text else "waiting"
        if self.failed:
            return "failed"
        said = f"{self.end.tokens} tokens"
        return f"{f'cut at {said}' if self.end.reason is FinishReason.LENGTH else said}, {self.end.seconds:.1f} s"

    @property
    def fault(self) -> str:
        """What went wrong with a failed row, in one line; empty for any other."""
        if self.end is None or not self.failed:
            return ""
        lines = printable(self.end.error).strip().splitlines()
        return (lines[0] if lines else str(self.end.reason)).rstrip(". ")

    @property
    def shown(self) -> str:
        """What a person reads: the text so far, without what could steer the terminal, or the fault."""
        return self.fault or printable(self.text).strip() or ("…" if self.end is None else "(no text)")

    def answer(self) -> Answer:
        """The answer of a row that has ended; what a failed row had said is no answer."""
        assert self.end is not None, "still answering"
        text = "" if self.failed else self.text
        return Answer(self.mixture, self.fingerprint, text, self.end.reason, self.end.tokens, self.end.seconds)


Cards = tuple[Card, ...]
"""One card of each arm asked, in their order."""


@dataclass(frozen=True)
class Comparison:
    """One question put to several arms at once."""

    model: str
    """Name of the profile."""
    question: str
    arms: tuple[Mixture, ...]
    sampling: Sampling

    def __post_init__(self) -> None:
        if not self.question.strip():
            raise InvalidValue.of("question", expected="a text", got="an empty one", remedy="Write a question.")
        if any(unicodedata.category(each) == "Cs" for each in self.question):  # bytes of a command line, not UTF-8
            raise InvalidValue.of("question", expected="UTF-8 text", got="bytes that are not")

    @property
    def heading(self) -> str:
        """What answers, how, and what it is not."""
        drawn = f"temperature {self.sampling.temperature:g}, seed {self.sampling.seed}"
        way = "greedy" if self.sampling.greedy else drawn
        return f"{self.model}, {way}, at most {self.sampling.max_new_tokens} new tokens. {NOTICE}"

    def follow(self, engine: Engine) -> Iterator[Cards]:
        """The cards before anything is said, then after each event; the arms answer in one batch.

        Raises:
            ModelError: an arm is not there.
            InvalidValue: the question is longer than the context.
        """
        messages = ({"role": "user", "content": self.question.strip()},)
        events = engine.stream([Request(messages, mixture, self.sampling) for mixture in self.arms])
        cards = tuple(Card(mixture, engine.fingerprint(mixture)) for mixture in self.arms)
        return itertools.accumulate(events, _after, initial=cards)

    def report(self, cards: Cards) -> dict[str, Any]:
        """The finished comparison as one JSON document; ``error`` is there for a failed row only."""
        answers = []
        for card in cards:
            answer = asdict(card.answer()) | {"mixture": card.mixture.slug}
            del answer["cached"]  # here every answer is given anew
            answers.append(answer | ({"error": card.fault} if card.failed else {}))
        sampling = asdict(self.sampling)
        return {"question": self.question.strip(), "model": self.model, "sampling": sampling, "answers": answers}


def compare(comparison: Comparison, engine: Engine, stream: TextIO, *, as_json: bool = False) -> None:
    """Ask, and write the answers: live on a terminal, whole and plain elsewhere, or as one JSON document.

    Raises:
        ModelError: an arm failed; what the others answered has been written.
    """
    states = comparison.follow(engine)
    if as_json:
        cards = followed(states)
        stream.write(json.dumps(comparison.report(cards), ensure_ascii=False, indent=2) + "\n")
    else:
        cards = show(states, comparison.heading, stream)
    require_answers(cards)


def followed(states: Iterable[Cards]) -> Cards:
    """The last cards, with nothing shown on the way."""
    return deque(states, maxlen=1).pop()


def show(states: Iterable[Cards], heading: str, stream: TextIO) -> Cards:
    """Show a comparison: live on a terminal that can, else as plain text; the last cards come back."""
    console = Console(file=stream)
    live = stream.isatty() and not console.is_dumb_terminal

    def say(text: str) -> None:
        stream.write(f"{text}\n")
        stream.flush()  # whoever reads the pipe has each answer when it ends

    if not live:
        say(f"{heading}\n")
        return show_plain(states, say)
    console.print(Text(heading, style="dim"))
    return show_live(states, console)


def show_plain(states: Iterable[Cards], say: Callable[[str], object]) -> Cards:
    """Say each answer whole once it has ended, as plain text without control codes; the last cards come back."""
    cards: Cards = ()
    said: set[Mixture] = set()
    for cards in states:
        for card in cards:
            if card.end is not None and card.mixture not in said:
                said.add(card.mixture)
                say(f"== {card.mixture}: {card.outcome}\n{card.shown}\n")
    return cards


def show_live(states: Iterable[Cards], console: Console) -> Cards:
    """Draw the answers as they come, within the terminal's height, then all of them whole; the last cards come back."""
    cards: Cards = ()
    with Live(console=console, transient=True, refresh_per_second=12) as live:
        for cards in states:
            live.update(panels(cards, console.width, console.height - 1))
    console.print(panels(cards, console.width))
    return cards


def panels(cards: Cards, width: int, height: int | None = None) -> Table:
    """The cards in as many columns as are readable; within ``height`` lines each shows the end of its text."""
    columns = min(len(cards), max(1, width // NARROWEST))
    if height is not None:  # narrower rather than cut off below
        columns = max(columns, math.ceil(len(cards) * LOWEST / max(height, LOWEST)))
    rows = math.ceil(len(cards) / columns)
    columns = math.ceil(len(cards) / rows)  # four and four rather than five and three
    each = None if height is None else max(LOWEST, height // rows)
    table = Table.grid(expand=True)
    for _ in range(columns):
        table.add_column(ratio=1)
    for start in range(0, len(cards), columns):
        table.add_row(*(_panel(card, each) for card in cards[start : start + columns]))
    return table


def require_answers(cards: Cards) -> None:
    """Raises ModelError where an arm failed; the sentence names the arms and the first reason."""
    failed = [card for card in cards if card.failed]
    if failed:
        raise ModelError.of(
            f"arm {', '.join(card.mixture.slug for card in failed)}",
            expected="an answer",
            got=failed[0].fault,
            remedy="Ask for fewer arms or fewer new tokens, or see: python -m medinject_demo doctor",
        )


def printable(text: str) -> str:
    """The text without the control characters by which an answer could steer the terminal."""
    return "".join(each for each in text if each in "\n\t" or unicodedata.category(each) != "Cc")


@dataclass(frozen=True)
class _Tail:
    """The last lines of a text, as many as there is room for."""

    text: Text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self.text, options.update(height=None), pad=False)
        for line in lines[-options.height :] if options.height else lines:
            yield from line
            yield Segment.line()


def _after(cards: Cards, event: Event) -> Cards:
    """The cards once an event has come."""
    return (*cards[: event.row], cards[event.row].after(event), *cards[event.row + 1 :])


def _panel(card: Card, height: int | None) -> Panel:
    """One card; ``height`` lines with the frame, or as many as its text has."""
    return Panel(
        _Tail(Text(card.shown, overflow="fold")),
        title=Text(card.mixture.slug, style="bold"),
        subtitle=Text(card.outcome),
        border_style="red" if card.failed else "" if card.end else "dim",
        height=height,
    )
