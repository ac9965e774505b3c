"""What goes wrong around the engine: errors of a model's code, threads that close, bases and folders it must refuse."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from medinject_demo.domain import ARMS, BASE, FinishReason, Mixture, Sampling
from medinject_demo.engine.base import ChoiceRequest, Delta, Finished, answers
from medinject_demo.engine.captured import CapturedSteps, Run
from medinject_demo.engine.loading import load_base, require_full_attention
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.pieces import Pieces
from medinject_demo.errors import InvalidValue, ModelError
from tests.tiny import tiny_adapter, tiny_base

from .conftest import by
from .laws import QUESTIONS, asked
from .watched import Watched, watch

NAT, TRAD = ARMS[0], ARMS[1]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_base(tmp_path_factory.mktemp("faults") / "base")


@pytest.fixture
def folders(base: str, tmp_path: Path) -> dict[Mixture, Path]:
    return {mixture: tiny_adapter(base, tmp_path / mixture.slug, mixture) for mixture in (NAT, TRAD)}


@pytest.fixture
def engine(way: str, base: str, folders: dict[Mixture, Path]) -> Iterator[LocalEngine]:
    engine = by(way, LocalEngine.load(base, folders, device="cpu", max_rows=3, max_context=200))
    yield engine
    engine.close()


@pytest.mark.parametrize(
    "error", [TypeError("a library changed"), torch.OutOfMemoryError("out of memory"), KeyError(1)]
)
def test_an_error_of_the_models_code_ends_its_rows_only(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    (expected,) = answers(engine, [asked(QUESTIONS[0], NAT)])

    def failing(*given: object) -> None:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(engine._batcher, "steps", Watched(engine._batcher.steps, failing))
        ends = [event for event in engine.stream([asked(QUESTIONS[0], NAT)]) if isinstance(event, Finished)]
    assert [(end.reason, end.error.split(":")[0]) for end in ends] == [(FinishReason.ERROR, type(error).__name__)]
    assert answers(engine, [asked(QUESTIONS[0], NAT)])[0].text == expected.text


def test_what_ends_the_thread_ends_every_row_and_refuses_the_next(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> None:
        raise MemoryError("no memory at all")

    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    monkeypatch.setattr(engine._batcher, "_drop_cancelled", gone)
    ends = [event for event in engine.stream([asked("Bonjour", NAT)]) if isinstance(event, Finished)]
    assert [(end.reason, end.error) for end in ends] == [(FinishReason.ERROR, "MemoryError: no memory at all")]
    engine._batcher._thread.join()
    with pytest.raises(ModelError, match="expected one that is open"):
        engine.stream([asked("Bonjour", NAT)])


def test_who_waits_for_a_job_as_the_engine_closes_is_told(engine: LocalEngine) -> None:
    batcher, entered, leave = engine._batcher, threading.Event(), threading.Event()
    said: list[str] = []

    def long() -> None:
        entered.set()
        leave.wait(10)

    def late() -> None:
        try:
            batcher.between_steps(lambda: None)
        except ModelError as error:
            said.append(str(error))

    threads = [threading.Thread(target=batcher.between_steps, args=[long]), threading.Thread(target=late)]
    threads[0].start()
    entered.wait(10)
    threads[1].start()
    while not batcher._jobs:
        pass
    closing = threading.Thread(target=engine.close)
    closing.start()
    while not batcher._closed:
        pass
    leave.set()
    for thread in [*threads, closing]:
        thread.join(10)
        assert not thread.is_alive()
    assert "closed" in said[0]


def test_an_arm_whose_numbers_overflow_is_refused_by_name(base: str, folders: dict[Mixture, Path]) -> None:
    weights = load_file(folders[NAT] / "adapter_model.safetensors")
    spoilt = {name: each * 1e38 if "magnitude" in name else each for name, each in weights.items()}
    save_file(spoilt, folders[NAT] / "adapter_model.safetensors")
    with pytest.raises(ModelError, match=r"arm nat: expected logits that are finite numbers, got others\. Check"):
        LocalEngine.load(base, folders, device="cpu", max_rows=3, max_context=200)


def test_letters_of_more_rows_than_the_engine_has_are_weighed_in_turn(engine: LocalEngine) -> None:
    requests = [ChoiceRequest(asked(question).messages, NAT, "AB") for question in QUESTIONS] * 3
    together = engine.option_probabilities(requests)
    alone = [engine.option_probabilities([request])[0] for request in requests]
    for one, other in zip(together, alone, strict=True):
        assert one == pytest.approx(other, rel=1e-4)


def test_a_step_that_cannot_be_captured_is_run_plainly(engine: LocalEngine) -> None:
    def refusing(run: Run) -> Run:
        raise RuntimeError("operation not permitted when stream is capturing")

    requests = [asked(question, NAT) for question in QUESTIONS]
    expected = [answer.text for answer in answers(engine, requests)]
    engine._batcher.steps = CapturedSteps(engine._batcher._forward, 3, 200, lambda: refusing)
    assert [answer.text for answer in answers(engine, requests)] == expected


def test_a_row_whose_text_cannot_be_told_ends_alone(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    other, broken = (asked(question, ARMS[0], Sampling(max_new_tokens=20)) for question in QUESTIONS[:2])
    (alone,) = answers(engine, [other])
    row = LocalEngine._row

    def with_a_broken_transcript(self: LocalEngine, number: int, *given: Any) -> Any:
        made = row(self, number, *given)
        if number == 1:
            made.transcript.add = lambda token: 1 / 0
        return made

    monkeypatch.setattr(LocalEngine, "_row", with_a_broken_transcript)
    ends = [event for event in engine.stream([other, broken]) if isinstance(event, Finished)]
    assert {end.row: end.reason for end in ends} == {0: alone.finish_reason, 1: FinishReason.ERROR}
    assert "ZeroDivisionError" in next(end.error for end in ends if end.row == 1)
    assert answers(engine, [other])[0].text == alone.text


@pytest.mark.parametrize("chunk", [1, 5, 17])
def test_a_prompt_fed_in_chunks_answers_as_whole(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    requests = [asked(question, mixture) for question in QUESTIONS for mixture in (BASE, NAT, TRAD)]
    expected = [answer.text for answer in answers(engine, requests)]
    monkeypatch.setattr(engine._batcher, "pieces", Pieces(chunk, chunk))
    assert [answer.text for answer in answers(engine, requests)] == expected


def test_a_prompt_being_fed_costs_no_step_of_decoding(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine._batcher, "pieces", Pieces(5, 5))
    steps: list[int] = []
    watch(engine, lambda *given: steps.append(1))
    (answer,) = answers(engine, [asked(QUESTIONS[2], NAT, Sampling(max_new_tokens=3))])
    assert len(steps) <= answer.tokens + 1


def test_a_row_that_joins_has_its_first_token_within_two_steps_of_its_prompt(engine: LocalEngine) -> None:
    fed: list[list[int]] = []
    watch(engine, lambda tokens, at, slots: fed.append(list(at)))
    busy = engine.stream([asked(QUESTIONS[0], mixture, Sampling(max_new_tokens=60)) for mixture in (NAT, TRAD)])
    next(busy)
    before = len(fed)
    assert isinstance(next(engine.stream([asked("Bonjour", BASE, Sampling(max_new_tokens=2))])), Delta | Finished)
    prompt = len(engine._tokens([{"role": "user", "content": "Bonjour"}]))
    joined = next(place for place, at in enumerate(fed[before:]) if len(at) == 3)
    # the base's row lies first, and all of its prompt is there: this very step gives its first token
    assert fed[before + joined][0] == prompt - 1


def test_swaps_that_fail_lose_no_slot(
    engine: LocalEngine, folders: dict[Mixture, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*args: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as broken:
        broken.setattr(engine._bank, "put", failing)
        for _ in range(5):
            with pytest.raises(RuntimeError, match="out of memory"):
                engine.swap(NAT, folders[TRAD])
    engine.swap(NAT, folders[TRAD])


def test_a_start_that_fails_leaves_no_thread(base: str, folders: dict[Mixture, Path]) -> None:
    before = threading.active_count()
    with pytest.raises(ModelError, match="expected answers that differ"):
        LocalEngine.load(base, {NAT: folders[NAT], TRAD: folders[NAT]}, device="cpu")
    assert threading.active_count() == before


@pytest.mark.parametrize("given", [{"max_rows": 0}, {"max_context": -5}, {"max_context": 0}])
def test_a_size_below_one_is_refused(base: str, given: dict[str, int]) -> None:
    with pytest.raises(InvalidValue, match="expected at least 1"):
        LocalEngine.load(base, {}, device="cpu", **given)


def test_kept_scales_that_are_not_finite_are_computed_again(base: str, folders: dict[Mixture, Path]) -> None:
    LocalEngine.load(base, folders, device="cpu").close()
    (kept,) = folders[NAT].glob("scales-*.safetensors")
    good = load_file(kept)
    save_file({name: torch.full_like(each, float("nan")) for name, each in good.items()}, kept)
    LocalEngine.load(base, folders, device="cpu").close()
    for name, each in load_file(kept).items():
        torch.testing.assert_close(each, good[name])


def test_in_bf16_the_rotary_frequencies_and_the_scales_stay_in_fp32(base: str, folders: dict[Mixture, Path]) -> None:
    engine = LocalEngine.load(base, folders, device="cpu", dtype="bf16")
    buffers = {name.rpartition(".")[2]: each.dtype for name, each in engine._model.named_buffers()}
    assert engine._model.dtype == torch.bfloat16
    assert (buffers["inv_freq"], buffers["scale"], buffers["down"]) == (torch.float32, torch.float32, torch.bfloat16)
    assert all(answer.tokens for answer in answers(engine, [asked(QUESTIONS[0], mixture) for mixture in (BASE, NAT)]))
    engine.close()


@pytest.mark.parametrize("start", ["pissa", "olora", "corda", "loftq"])
def test_an_adapter_that_changed_its_base_is_refused(base: str, folders: dict[Mixture, Path], start: str) -> None:
    path = folders[NAT] / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"init_lora_weights": start}))
    with pytest.raises(ModelError, match="expected an adapter of the base as it is"):
        LocalEngine.load(base, {NAT: folders[NAT]}, device="cpu")


def test_a_config_that_is_no_object_is_refused(base: str, folders: dict[Mixture, Path]) -> None:
    (folders[NAT] / "adapter_config.json").write_text("[]")
    with pytest.raises(ModelError, match="no JSON object"):
        LocalEngine.load(base, {NAT: folders[NAT]}, device="cpu")


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({}, False),
        ({"layer_types": ["full_attention", "sliding_attention"], "sliding_window": 32}, True),
        ({"layer_types": ["full_attention", "sliding_attention"], "sliding_window": 512}, False),
        ({"layer_types": ["linear_attention"]}, True),
        ({"layer_types": None, "sliding_window": 32}, True),
    ],
)
def test_a_base_that_looks_less_far_back_than_its_context_is_refused(
    base: str, changed: dict[str, object], refused: bool
) -> None:
    config = load_base(base)[0].config
    for name, value in changed.items():
        config.__dict__[name] = value
    if refused:
        with pytest.raises(ModelError, match="expected attention over all 200 tokens"):
            require_full_attention(config, base, 200)
    else:
        require_full_attention(config, base, 200)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lora_alpha": None}, "with None for lora_alpha, where a number above 0 belongs"),
        ({"lora_alpha": "seize"}, "with 'seize' for lora_alpha"),
        ({"r": 0}, "with 0 for r,"),
        ({"rank_pattern": ["q_proj"]}, "holds no regular expressions"),
        ({"rank_pattern": {"(": 4}}, "holds no regular expressions"),
        ({"rank_pattern": {"q_proj": 2.5}}, "with 2.5 for q_proj in rank_pattern"),
        ({"alpha_pattern": {"q_proj": float("inf")}}, "with inf for q_proj in alpha_pattern"),
        ({"use_new_thing": True}, "expected settings of peft that are known here, got use_new_thing = True"),
    ],
)
def test_an_adapter_whose_settings_are_odd_is_refused_in_a_sentence(
    base: str, folders: dict[Mixture, Path], changes: dict[str, object], said: str
) -> None:
    path = folders[NAT] / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ModelError) as told:
        LocalEngine.load(base, {NAT: folders[NAT]}, device="cpu")
    assert said in str(told.value)
    assert "\n" not in str(told.value)


def test_settings_that_say_nothing_are_no_reason_to_refuse(base: str, folders: dict[Mixture, Path]) -> None:
    path = folders[NAT] / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"enable_lora": None, "use_new_thing": False}))
    LocalEngine.load(base, {NAT: folders[NAT]}, device="cpu", max_rows=1, max_context=64).close()


@pytest.mark.parametrize("content", [b"", b"not safetensors", b"\xff" * 64, b"PK\x03\x04" + b"\0" * 100])
def test_weights_that_are_no_safetensors_are_refused(base: str, folders: dict[Mixture, Path], content: bytes) -> None:
    (folders[NAT] / "adapter_model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="expected a whole PEFT folder"):
        LocalEngine.load(base, {NAT: folders[NAT]}, device="cpu")


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_base_that_holds_what_is_no_number_is_refused(tmp_path: Path, wrong: float) -> None:
    base = tiny_base(tmp_path / "base")
    weights = load_file(tmp_path / "base" / "model.safetensors")
    name = next(each for each in weights if "down_proj" in each)
    weights[name][3, 5] = wrong
    save_file(weights, tmp_path / "base" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=f"expected weights that are finite numbers, got others in {name}"):
        LocalEngine.load(base, {}, device="cpu")


def test_no_quantisation_is_also_none(base: str) -> None:
    engine = LocalEngine.load(base, {}, device="cpu", quantization=None, max_rows=1, max_context=64)
    assert engine.precision == "cpu float32"
    engine.close()
