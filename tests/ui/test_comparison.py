from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest

from medinject_demo.domain import MIXTURES, FinishReason, Kind, Mixture, Prompt, Sampling
from medinject_demo.engine.base import Delta, Event, Finished, Request, ScriptedEngine
from medinject_demo.errors import InvalidValue, ModelError, Refused
from medinject_demo.prompts import layout, load_prompts
from medinject_demo.ui.asking import question_of
from medinject_demo.ui.comparison import BOUNDS, Comparison, follow, opened, out_of_bounds, sampling_of

PROMPT = Prompt(Kind.OEQ, "Quels sont les symptômes de la grippe ?")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
STUDY = {bound.setting: getattr(Sampling(), bound.setting) for bound in BOUNDS}


def begun(engine: ScriptedEngine, *slugs: str) -> Comparison:
    return opened(engine, "Modèle", PROMPT, slugs or [arm.slug for arm in MIXTURES], Sampling(), NOW)


def fails_for_trad(request: Request) -> str:
    if request.mixture.slug == "trad":
        raise RuntimeError("boum")
    return f"Réponse de {request.mixture}."


class Watched(Iterator[Event]):
    """The events of a call, as an engine gives them: closed begun or not. It may fail after some."""

    def __init__(self, events: Iterator[Event], most: int) -> None:
        self.events, self.left, self.closed = events, most, False

    def __next__(self) -> Event:
        if not self.left:
            raise ModelError("engine: expected it to go on, got a fault.")
        self.left -= 1
        return next(self.events)

    def close(self) -> None:
        self.closed = True


class Watching(ScriptedEngine):
    """Keeps the events of its last call; they fail after ``most``."""

    def __init__(self, most: int = -1) -> None:
        super().__init__(lambda request: "un deux trois")
        self.most = most

    def stream(self, requests: Sequence[Request]) -> Iterator[Event]:
        self.watched = Watched(super().stream(requests), self.most)
        return self.watched


def test_all_arms_are_answered_in_one_stream_in_their_order() -> None:
    engine = ScriptedEngine(lambda request: f"Ici {request.mixture}")
    for slugs in (["nat", "base"], [arm.slug for arm in MIXTURES]):
        *_, last = follow(engine, begun(engine, *slugs))
        assert [card.text for card in last.cards] == [f"Ici {slug}" for slug in slugs]
        assert not last.live
        assert last.ended == len(slugs)


def test_an_answer_only_grows() -> None:
    engine = ScriptedEngine(lambda request: "un deux trois quatre")
    states = list(follow(engine, begun(engine, "base", "nat"), refresh=0))
    for before, after in itertools.pairwise(states):
        assert all(new.text.startswith(old.text) for old, new in zip(before.cards, after.cards, strict=True))
    assert len({state.cards[0].text for state in states}) == 5


def test_it_is_drawn_no_faster_than_it_may_and_the_last_is_whole() -> None:
    engine = ScriptedEngine(lambda request: "un deux trois quatre")
    states = list(follow(engine, begun(engine, "base", "nat"), clock=lambda: 0.0, refresh=0.1))
    assert [state.cards[0].text for state in states] == ["", "un deux trois quatre"]


def test_an_arm_that_fails_has_no_answer_and_the_others_have() -> None:
    engine = ScriptedEngine(fails_for_trad)
    *_, last = follow(engine, begun(engine, "base", "trad", "nat"))
    assert [card.failed for card in last.cards] == [False, True, False]
    assert last.cards[1].text == ""
    assert last.cards[2].text == "Réponse de nat."


def test_what_a_row_had_said_before_it_failed_is_no_answer() -> None:
    engine = ScriptedEngine(fails_for_trad)
    state = begun(engine, "base", "nat").after(Delta(1, "Un début"))
    failed = state.after(Finished(1, FinishReason.ERROR, 2, 0.5, "boum"))
    assert (failed.cards[1].text, failed.cards[1].failed) == ("", True)


def test_an_engine_that_fails_on_the_way_ends_what_had_no_end() -> None:
    engine = Watching(most=3)
    *_, last = follow(engine, begun(engine, "base", "nat"))
    assert all(card.failed for card in last.cards)
    assert engine.watched.closed


@pytest.mark.parametrize("read", [1, 2, 5])
def test_closing_frees_the_rows_begun_or_not(read: int) -> None:
    engine = Watching()
    states = follow(engine, begun(engine), refresh=0)
    for _ in range(read):
        next(states)
    assert not engine.watched.closed
    states.close()
    assert engine.watched.closed


def test_stopping_ends_what_had_no_end_and_keeps_the_rest() -> None:
    engine = ScriptedEngine(lambda request: "un")
    state = begun(engine, "base", "nat").after(Delta(0, "un")).after(Finished(0, FinishReason.STOP, 1, 0.1))
    stopped = state.halted(FinishReason.CANCELLED)
    assert [card.reason for card in stopped.cards] == [FinishReason.STOP, FinishReason.CANCELLED]
    assert stopped.halted(FinishReason.ERROR) == stopped


@pytest.mark.parametrize("slugs", [[], ["nat"], ["nat", "nat"], ["nat", "trad", "nat"], ["nat", "quatre"], ["nat", 3]])
def test_arms_that_cannot_be_compared_are_refused(slugs: list[str]) -> None:
    with pytest.raises(InvalidValue, match=r"arms: expected two to eight|mixture: expected one of base"):
        opened(ScriptedEngine(fails_for_trad), "Modèle", PROMPT, slugs, Sampling(), NOW)


def test_an_arm_that_is_not_installed_is_refused() -> None:
    engine = ScriptedEngine(fails_for_trad, MIXTURES[:3])
    with pytest.raises(ModelError, match="arm all"):
        begun(engine, "base", "all")


@pytest.mark.parametrize("prompt", load_prompts(), ids=lambda prompt: prompt.id)
def test_a_bundled_prompt_is_known_again_by_its_text(prompt: Prompt) -> None:
    text = "\r\n".join(layout(prompt).splitlines()) + "\n"
    assert question_of(text, load_prompts()) == prompt


def test_options_of_ones_own_are_read_and_their_answer_is_unknown() -> None:
    prompt = question_of("Laquelle ?\nChoix de réponses :\n(A) une\n(B) deux", [])
    assert (prompt.question, prompt.options, prompt.reference) == ("Laquelle ?", ("une", "deux"), "")
    assert layout(prompt) == "Laquelle ?\nChoix de réponses :\n(A) une\n(B) deux"


@pytest.mark.parametrize("text", ["Choix de réponses :", "Q ?\nChoix de réponses :\n(A) une\n(C) deux", "Bonjour"])
def test_any_other_text_is_an_open_question_as_it_was_written(text: str) -> None:
    assert question_of(text, []) == Prompt(Kind.OEQ, text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("x" * 100_000, "too_long"),
        ("un\x07deux", "control_characters"),
        ("Écrivez à jean.dupont@exemple.fr", "email"),
    ],
)
def test_a_text_that_may_not_be_sent_is_refused_with_its_reason(text: str, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        question_of(text, load_prompts())
    assert refusal.value.codes == (code,)


def test_the_studys_sampling_is_within_the_bounds() -> None:
    assert sampling_of(STUDY) == Sampling()


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.setting)
@pytest.mark.parametrize("value", [None, "1", True, math.nan, math.inf, -math.inf, -1, 10**12, [1]])
def test_an_absurd_setting_is_refused_by_its_name(bound: object, value: object) -> None:
    setting = bound.setting  # type: ignore[attr-defined]
    assert out_of_bounds(STUDY | {setting: value}) == bound
    with pytest.raises(InvalidValue, match=setting):
        sampling_of(STUDY | {setting: value})


def test_bounds_lie_within_what_an_engine_takes() -> None:
    for bound in BOUNDS:
        for value in (bound.least, bound.most):
            Sampling(**{bound.setting: value})  # type: ignore[arg-type]


def test_arms_keep_the_order_in_which_they_were_chosen() -> None:
    engine = ScriptedEngine(fails_for_trad)
    assert begun(engine, "all", "base").arms == (Mixture.parse("all"), Mixture.parse("base"))
