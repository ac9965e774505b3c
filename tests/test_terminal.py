from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from medinject_demo.domain import BASE, MIXTURES, FinishReason, Mixture, Sampling
from medinject_demo.engine.base import Delta, Engine, Event, Finished, Request, ScriptedEngine
from medinject_demo.errors import InvalidValue, ModelError
from medinject_demo.terminal import NOTICE, Comparison, compare, followed, panels, printable, show_live

AMPLE = Sampling(max_new_tokens=200)
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
NAT, SYN = Mixture.parse("nat"), Mixture.parse("syn")


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def long(request: Request) -> str:
    return (
        f"{request.mixture} : "
        + "une infection virale des voies respiratoires, œdème 💪, " * 8
        + f"fin:{request.mixture}"
    )


def failing_syn(request: Request) -> str:
    if request.mixture == SYN:
        raise RuntimeError("CUDA out of memory.\nTried to allocate 3 GiB.")
    return f"oui de {request.mixture}"


class Faltering(ScriptedEngine):
    """Says a word, then fails, as a row does whose later step fails."""

    def stream(self, requests: Sequence[Request]) -> Iterator[Event]:
        yield Delta(0, "presque")
        yield Finished(0, FinishReason.ERROR, 1, 0.5, "logits that are not finite")


class Interrupted(ScriptedEngine):
    """A person types Ctrl-C after the first word."""

    def stream(self, requests: Sequence[Request]) -> Iterator[Event]:
        yield Delta(0, "presque")
        raise KeyboardInterrupt


def asking(arms: Sequence[Mixture] = MIXTURES, question: str = "Bonjour", sampling: Sampling = AMPLE) -> Comparison:
    return Comparison("mini", question, tuple(arms), sampling)


def written(comparison: Comparison, engine: Engine, *, as_json: bool = False) -> str:
    stream = StringIO()
    compare(comparison, engine, stream, as_json=as_json)
    return stream.getvalue()


def console(width: int, height: int = 24) -> Console:
    return Console(file=Terminal(), force_terminal=True, width=width, height=height, _environ={})


def lines_of(console: Console) -> list[str]:
    assert isinstance(console.file, StringIO)
    return ESCAPES.sub("", console.file.getvalue()).splitlines()


def test_the_pieces_of_each_row_become_the_card_of_its_arm() -> None:
    cards = followed(asking().follow(ScriptedEngine(long)))
    assert [card.mixture for card in cards] == list(MIXTURES)
    assert [card.answer().text for card in cards] == [long(Request((), mixture)) for mixture in MIXTURES]
    assert [card.fingerprint for card in cards] == [f"scripted-{mixture}" for mixture in MIXTURES]


def test_all_arms_are_asked_in_one_batch() -> None:
    states = list(asking().follow(ScriptedEngine(long)))
    assert all(not card.text for card in states[0])
    assert all(card.text and not card.end for card in states[len(MIXTURES)])


def test_in_a_pipe_each_answer_is_whole_and_said_once() -> None:
    text = written(asking(), ScriptedEngine(long))
    for mixture in MIXTURES:
        assert text.count(f"\n== {mixture}: ") == 1
        assert long(Request((), mixture)) in text.splitlines()


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"])
def test_in_a_pipe_there_are_no_control_codes(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "1")
    text = written(asking(), ScriptedEngine(lambda request: "rouge \x1b[31m\x07\x9b0m\r ici"))
    assert "rouge [31m0m ici" in text
    assert printable(text) == text


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    compare(asking(), ScriptedEngine(long), stream)
    assert printable(stream.getvalue()) == stream.getvalue()


def test_a_terminal_gets_panels_and_its_cursor_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    compare(asking(), ScriptedEngine(long), stream)
    assert "╭" in stream.getvalue()
    assert stream.getvalue().rfind("\x1b[?25h") > stream.getvalue().rfind("\x1b[?25l")


@pytest.mark.parametrize("width", [30, 60, 80, 200])
def test_at_the_end_every_answer_is_whole_within_the_width(width: int) -> None:
    shown = console(width)
    cards = show_live(asking().follow(ScriptedEngine(long)), shown)
    lines = lines_of(shown)
    assert max(map(cell_len, lines)) <= width
    final = Console(file=StringIO(), width=width)
    final.print(panels(cards, width))
    words = " ".join(lines_of(final))
    for mixture in MIXTURES:
        assert f" {mixture} ─" in words
        assert f"fin:{mixture}" in words


@pytest.mark.parametrize(("width", "height"), [(80, 23), (60, 29), (60, 19), (200, 40)])
def test_on_the_way_eight_arms_fit_the_height_and_show_their_last_words(width: int, height: int) -> None:
    *_, before_last, _ = asking().follow(ScriptedEngine(long))
    shown = console(width, height)
    shown.print(panels(before_last, width, height))
    assert len(lines_of(shown)) <= height
    assert "\n".join(lines_of(shown)).count("fin:") == len(MIXTURES)


def test_panels_are_side_by_side_where_they_are_readable() -> None:
    cards = followed(asking().follow(ScriptedEngine(failing_syn)))
    tops = []
    for width in (60, 80, 120, 200, 400):
        shown = console(width)
        shown.print(panels(cards, width))
        tops.append(lines_of(shown)[0].count("╭"))
    assert tops == [1, 2, 3, 4, 8]


def test_what_an_answer_says_is_text_not_markup() -> None:
    shown = console(80)
    show_live(asking([BASE]).follow(ScriptedEngine(lambda request: "[bold]gras[/bold] :warning: \x1b[31m")), shown)
    assert any("[bold]gras[/bold] :warning: [31m" in line for line in lines_of(shown))


def test_a_word_wider_than_its_panel_is_broken_not_cut() -> None:
    shown = console(80)
    show_live(asking().follow(ScriptedEngine(lambda request: "mot" * 100)), shown)
    assert "".join(lines_of(shown)).replace("│", "").replace(" ", "").count("mot") >= 100 * len(MIXTURES) - 50
    assert "…" not in lines_of(shown)[-2]


def test_an_answer_without_text_says_so() -> None:
    assert "(no text)" in written(asking([BASE]), ScriptedEngine(lambda request: ""))


def test_an_answer_cut_at_its_length_says_so() -> None:
    text = written(asking([BASE], sampling=Sampling(max_new_tokens=3)), ScriptedEngine(long))
    assert "== base: cut at 3 tokens, " in text


def test_an_arm_that_fails_is_shown_as_failed_and_the_others_answer() -> None:
    stream = StringIO()
    with pytest.raises(ModelError, match=r"^arm syn: expected an answer, got RuntimeError: CUDA out of memory\. Ask"):
        compare(asking(), ScriptedEngine(failing_syn), stream)
    assert "== syn: failed\nRuntimeError: CUDA out of memory\n" in stream.getvalue()
    assert "oui de all" in stream.getvalue()


def test_what_a_row_said_before_it_failed_is_no_answer() -> None:
    (card,) = followed(asking([NAT]).follow(Faltering(long)))
    assert card.answer().text == ""
    for stream, as_json in ((StringIO(), False), (StringIO(), True), (Terminal(), False)):
        with pytest.raises(ModelError, match="arm nat: expected an answer, got logits that are not finite"):
            compare(asking([NAT]), Faltering(long), stream, as_json=as_json)
        assert "logits that are not finite" in stream.getvalue()
    assert "presque" not in stream.getvalue().rpartition("╭")[2]


def test_all_arms_that_failed_are_named() -> None:
    with pytest.raises(ModelError, match=r"^arm base, nat: expected an answer, got ZeroDivisionError"):
        written(asking([BASE, NAT]), ScriptedEngine(lambda request: str(1 / 0)))


def test_the_json_document_holds_the_question_the_sampling_and_every_answer() -> None:
    sampling = Sampling(max_new_tokens=200, temperature=0.7, seed=3)
    document = json.loads(written(asking(question=" Où ? ", sampling=sampling), ScriptedEngine(long), as_json=True))
    assert document["question"] == "Où ?"
    assert document["model"] == "mini"
    assert Sampling(**document["sampling"]) == sampling
    assert [answer["mixture"] for answer in document["answers"]] == [mixture.slug for mixture in MIXTURES]
    assert set(document["answers"][0]) == {"mixture", "fingerprint", "text", "finish_reason", "tokens", "seconds"}
    assert document["answers"][1]["text"] == long(Request((), NAT))


def test_in_json_a_failed_row_has_its_error_and_no_text() -> None:
    stream = StringIO()
    with pytest.raises(ModelError):
        compare(asking([NAT, SYN]), ScriptedEngine(failing_syn), stream, as_json=True)
    nat, syn = json.loads(stream.getvalue())["answers"]
    assert "error" not in nat
    assert (syn["text"], syn["finish_reason"]) == ("", "error")
    assert syn["error"] == "RuntimeError: CUDA out of memory"


@pytest.mark.parametrize("stream", [StringIO(), Terminal()], ids=["pipe", "terminal"])
def test_what_the_engine_refuses_is_raised_before_anything_is_written(stream: StringIO) -> None:
    with pytest.raises(ModelError, match="arm nat: expected one of base, got none"):
        compare(asking(), ScriptedEngine(long, [BASE]), stream)
    assert stream.getvalue() == ""


def test_ctrl_c_gives_the_terminal_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with pytest.raises(KeyboardInterrupt):
        compare(asking(), Interrupted(long), stream)
    assert stream.getvalue().rfind("\x1b[?25h") > stream.getvalue().rfind("\x1b[?25l")


@pytest.mark.parametrize("question", ["", " \n\t "])
def test_an_empty_question_is_refused(question: str) -> None:
    with pytest.raises(InvalidValue, match=r"question: expected a text, got an empty one\. Write a question\."):
        asking(question=question)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InvalidValue, match=r"question: expected UTF-8 text, got bytes that are not"):
        asking(question=b"\xe9t\xe9".decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    ("sampling", "said"),
    [(AMPLE, "greedy, at most 200"), (Sampling(temperature=0.7, seed=3), "temperature 0.7, seed 3, at most 512")],
)
def test_the_heading_says_what_answers_how_and_what_it_is_not(sampling: Sampling, said: str) -> None:
    heading = asking(sampling=sampling).heading
    assert heading == f"mini, {said} new tokens. {NOTICE}"
    assert "medical advice" in heading
