"""What becomes of a call's rows when replicas refuse, differ or are lost: replicas are scripts, message by message."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from medinject_demo.domain import BASE, FinishReason
from medinject_demo.engine.base import Delta, Event, Events, Finished, Request
from medinject_demo.engine.fleet.call import Call, Lost
from medinject_demo.engine.fleet.plan import ROWS
from medinject_demo.engine.fleet.wire import Accepted, Message, Refused
from medinject_demo.errors import InvalidValue, MedInjectError, ModelError

from ..laws import asked

Script = Callable[[Sequence[Request]], Iterator[Message]]


class Scripted:
    """Replicas that answer each part by the next script, the last one again and again."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts, self.sent, self.cancelled = list(scripts), [], 0
        self._lock = threading.Lock()

    def __call__(self, requests: Sequence[Request]) -> Any:
        with self._lock:
            self.sent.append(tuple(requests))
            script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        return _Answering(self, script(requests))


class _Answering:
    def __init__(self, replicas: Scripted, messages: Iterator[Message]) -> None:
        self._replicas, self._messages = replicas, messages

    def __iter__(self) -> Iterator[Message]:
        return self._messages

    def cancel(self) -> None:
        self._replicas.cancelled += 1


def ended(row: int, tokens: int = 1) -> Finished:
    return Finished(row, FinishReason.STOP, tokens, 99.0)


def whole(requests: Sequence[Request]) -> Iterator[Message]:
    """Each row says its own question."""
    yield Accepted(("print",) * len(requests))
    for row, request in enumerate(requests):
        yield (Delta(row, request.messages[-1]["content"]), ended(row))


def refusing(error: MedInjectError) -> Script:
    def script(requests: Sequence[Request]) -> Iterator[Message]:
        yield Refused.of(error)

    return script


def lost_after(*events: Event, prints: str = "print") -> Script:
    def script(requests: Sequence[Request]) -> Iterator[Message]:
        yield Accepted((prints,) * len(requests))
        yield events
        raise Lost("A replica was lost.")

    return script


def lost_at_once(requests: Sequence[Request]) -> Iterator[Message]:
    yield from ()
    raise Lost("A replica was lost.")


def call(replicas: Scripted, rows: int, clock: Callable[[], float] = lambda: 0.0) -> Events:
    begun = Call(replicas, [asked(f"question {row}", BASE) for row in range(rows)], clock)
    begun.begin(60)
    return Events(begun, rows)


def heard(events: Events, rows: int) -> tuple[list[str], list[Finished]]:
    texts, ends = [""] * rows, {}
    for event in events:
        assert event.row not in ends
        if isinstance(event, Delta):
            texts[event.row] += event.text
        else:
            ends[event.row] = event
    return texts, [ends[row] for row in range(rows)]


@pytest.mark.parametrize("rows", [0, 1, ROWS, ROWS + 1, 5 * ROWS - 1])
def test_parts_are_as_large_as_a_comparison_and_rows_keep_their_numbers(rows: int) -> None:
    replicas = Scripted(whole)
    texts, ends = heard(call(replicas, rows), rows)
    assert texts == [f"question {row}" for row in range(rows)]
    assert all(end.reason is FinishReason.STOP for end in ends)
    assert sorted(map(len, replicas.sent), reverse=True) == [ROWS] * (rows // ROWS) + [rows % ROWS] * (rows % ROWS > 0)


def test_seconds_are_those_of_the_visitor() -> None:
    times = iter([10.0, 12.5])
    _, (end,) = heard(call(Scripted(whole), 1, lambda: next(times)), 1)
    assert end.seconds == 2.5


def test_a_row_that_said_nothing_is_asked_anew_and_one_that_did_ends_with_an_error() -> None:
    replicas = Scripted(lost_after(Delta(0, "du "), Delta(2, "tout"), ended(2)), whole)
    texts, ends = heard(call(replicas, 4), 4)
    assert texts == ["du ", "question 1", "tout", "question 3"]
    assert [end.reason for end in ends] == [FinishReason.ERROR, *[FinishReason.STOP] * 3]
    assert ends[0].error == "A replica was lost. Ask again."
    assert ends[0].tokens == 1
    assert [len(each) for each in replicas.sent] == [4, 2]


def test_a_row_that_ends_replica_after_replica_is_not_asked_for_ever() -> None:
    replicas = Scripted(lost_after())
    texts, ends = heard(call(replicas, 2), 2)
    assert texts == ["", ""]
    assert [end.reason for end in ends] == [FinishReason.ERROR] * 2
    assert ends[0].error.startswith("fleet: expected a replica that answers, got A replica was lost. ")
    assert len(replicas.sent) == 2


def test_where_no_replica_takes_it_the_call_is_refused() -> None:
    with pytest.raises(ModelError, match="fleet: expected a replica that answers, got A replica was lost"):
        call(Scripted(lost_at_once), 2)


def test_a_replica_lost_before_it_took_the_rows_is_no_loss() -> None:
    assert heard(call(Scripted(lost_at_once, whole), 1), 1)[0] == ["question 0"]


def test_a_row_asked_anew_is_not_answered_by_another_adapter() -> None:
    replicas = Scripted(lost_after(Delta(0, "du ")), lost_after(Delta(0, "faux"), prints="swapped"))
    texts, ends = heard(call(replicas, 2), 2)
    assert texts == ["du ", ""]
    assert ends[1].error == "answer: expected the arm that was asked, got another, swapped in. Ask again."
    assert replicas.cancelled == 2


@pytest.mark.parametrize("error", [InvalidValue("prompt: too long"), ModelError("arm: none")])
def test_a_refusal_is_raised_with_its_own_class_and_the_other_parts_are_cancelled(error: MedInjectError) -> None:
    held = threading.Event()

    def holding(requests: Sequence[Request]) -> Iterator[Message]:
        if len(requests) < ROWS:
            yield Refused.of(error)
            return
        yield Accepted(("print",) * len(requests))
        held.wait(60)
        raise Lost("cancelled")

    replicas = Scripted(holding)
    replicas.scripts *= 2
    with pytest.raises(type(error), match=str(error)):
        call(replicas, ROWS + 1)
    assert replicas.cancelled >= 1
    held.set()


def test_a_replica_that_ends_before_its_rows_is_lost() -> None:
    def short(requests: Sequence[Request]) -> Iterator[Message]:
        yield Accepted(("print",) * len(requests))

    assert heard(call(Scripted(short, whole), 1), 1)[0] == ["question 0"]


def test_closing_cancels_and_wakes_who_waits() -> None:
    waiting, gone = threading.Event(), threading.Event()

    def silent(requests: Sequence[Request]) -> Iterator[Message]:
        yield Accepted(("print",) * len(requests))
        waiting.set()
        gone.wait(60)
        raise Lost("cancelled")

    replicas = Scripted(silent)
    events = call(replicas, 1)
    reader = threading.Thread(target=list, args=(events,), daemon=True)
    reader.start()
    waiting.wait(60)
    events.close()
    reader.join(60)
    assert not reader.is_alive()
    assert replicas.cancelled == 1
    assert list(events) == []
    gone.set()


def test_cancelling_ends_every_row_once_for_whoever_still_reads() -> None:
    """As where the engine is closed: a row that has ended keeps its end, the others are cancelled."""
    gone = threading.Event()

    def slow(requests: Sequence[Request]) -> Iterator[Message]:
        yield Accepted(("print",) * len(requests))
        yield (Delta(0, "début"), Delta(1, "tout"), ended(1))
        gone.wait(60)
        yield (Delta(0, " trop tard"), ended(0))

    begun = Call(Scripted(slow), [asked("question", BASE)] * 2, lambda: 0.0)
    begun.begin(60)
    events = Events(begun, 2)
    said = [next(events) for _ in range(3)]
    begun.cancel()
    gone.set()
    begun.join(60)
    assert [*said[2:], *events] == [Finished(1, FinishReason.STOP, 1, 0.0), Finished(0, FinishReason.CANCELLED, 1, 0.0)]


def test_rows_are_only_said_to_be_asked_anew_where_they_are(caplog: pytest.LogCaptureFixture) -> None:
    heard(call(Scripted(lost_after()), 2), 2)
    assert [record.getMessage() for record in caplog.records] == ["A replica was lost. 2 rows are asked anew."]


def test_nobody_who_answers_in_time_is_said() -> None:
    never = threading.Event()

    def mute(requests: Sequence[Request]) -> Iterator[Message]:
        never.wait(60)
        yield from ()

    begun = Call(Scripted(mute), [asked("question", BASE)], lambda: 0.0)
    with pytest.raises(ModelError, match=r"got none within 0.01 s. They may be busy"):
        begun.begin(0.01)
    never.set()
