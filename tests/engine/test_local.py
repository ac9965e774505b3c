"""The engine against peft itself, on a base of a few thousand parameters and seven DoRA adapters made on the spot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from medinject_demo.domain import ARMS, BASE, MIXTURES, FinishReason, Mixture, Sampling
from medinject_demo.engine.base import ChoiceRequest, Delta, Finished, answers
from medinject_demo.engine.loading import load_base
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.sequential import SequentialArms
from medinject_demo.errors import InvalidValue, ModelError
from medinject_demo.training.recipe import PROJECTIONS

from .laws import QUESTIONS, EngineLaws, asked
from .watched import Turnstile, eventually, watch


def shown(text: str) -> str:
    """What the engine may show of a text: half a character at its end is held back."""
    return text.rstrip("\ufffd")


ASKED = [[{"role": "user", "content": question}] for question in QUESTIONS]
NAT, TRAD, SYN = ARMS[:3]


class TestLocalEngine(EngineLaws):
    pass


def test_what_it_runs_in_is_told_as_it_was_resolved(engine: LocalEngine, base: str) -> None:
    assert engine.precision == "cpu float32"
    with closing(LocalEngine.load(base, {}, device="cpu", dtype="bf16")) as halved:
        assert halved.precision == "cpu bfloat16"


def test_all_eight_arms_in_one_batch_are_token_identical_to_peft_one_by_one(
    engine: LocalEngine, oracle: SequentialArms
) -> None:
    requests = [asked(question, mixture) for mixture in MIXTURES for question in QUESTIONS]
    expected = [answer for mixture in MIXTURES for answer in oracle.answers(mixture, ASKED, 12)]
    got = answers(engine, requests)
    assert [(each.text, each.tokens, each.finish_reason) for each in got] == [
        (shown(each.text), each.tokens, each.finish_reason) for each in expected
    ]
    assert len({answer.text for answer in got}) > len(MIXTURES) // 2  # or nothing would tell the arms apart


def test_a_swap_changes_new_rows_and_not_those_in_flight(
    engine: LocalEngine, folders: dict[Mixture, Path], oracle: SequentialArms
) -> None:
    long = Sampling(max_new_tokens=60)
    before = engine.fingerprint(NAT)
    events = engine.stream([asked(QUESTIONS[0], NAT, long)])
    first = next(events)
    engine.swap(NAT, folders[SYN])
    engine.swap(NAT, folders[TRAD])  # the slot of the rows in flight is not free for it
    assert engine.fingerprint(NAT) != before
    assert engine.fingerprint(NAT) == engine.fingerprint(TRAD)
    (after,) = answers(engine, [asked(QUESTIONS[0], NAT, long)])
    text = "".join(event.text for event in (first, *events) if isinstance(event, Delta))
    assert text == shown(oracle.answers(NAT, [ASKED[0]], 60)[0].text)
    assert after.text == shown(oracle.answers(TRAD, [ASKED[0]], 60)[0].text)


def test_an_arm_can_be_added_while_a_slot_stays_for_swaps(
    base: str, folders: dict[Mixture, Path], oracle: SequentialArms
) -> None:
    engine = LocalEngine.load(base, {NAT: folders[NAT]}, device="cpu")
    engine.swap(TRAD, folders[TRAD])
    assert engine.mixtures == (BASE, NAT, TRAD)
    assert answers(engine, [asked(QUESTIONS[0], TRAD)])[0].text == shown(oracle.answers(TRAD, [ASKED[0]], 12)[0].text)
    with pytest.raises(ModelError, match="expected room for another arm, got none"):
        engine.swap(SYN, folders[SYN])
    engine.swap(NAT, folders[SYN])
    engine.close()


def test_an_adapter_of_layers_or_a_rank_that_have_no_place_is_refused_at_a_swap(
    base: str, folders: dict[Mixture, Path], tmp_path: Path
) -> None:
    few = peft_adapter(base, tmp_path / "few", target_modules=["q_proj", "up_proj"])
    engine = LocalEngine.load(base, {NAT: few}, device="cpu")
    assert {name.rpartition(".")[2] for name in engine._bank.layers} == {"q_proj", "up_proj"}
    expected = SequentialArms(base, {NAT: few}).answers(NAT, ASKED, 12)
    assert [each.text for each in answers(engine, [asked(q, NAT) for q in QUESTIONS])] == [
        shown(each.text) for each in expected
    ]
    with pytest.raises(ModelError, match="expected the layers that the adapters at the start had"):
        engine.swap(NAT, folders[NAT])
    with pytest.raises(ModelError, match="expected a rank of at most 16, got 17"):
        engine.swap(NAT, peft_adapter(base, tmp_path / "thick", r=17))
    engine.close()


def test_slots_come_back_after_many_swaps(engine: LocalEngine, folders: dict[Mixture, Path]) -> None:
    for _ in range(20):
        engine.swap(NAT, folders[TRAD])
        answers(engine, [asked("Bonjour", NAT)])


def test_a_step_that_fails_ends_its_rows_with_an_error_and_the_next_answer_is_exact(
    engine: LocalEngine, oracle: SequentialArms
) -> None:
    failed: list[bool] = []

    def failing(*given: object) -> None:
        if not failed:
            failed.append(True)
            raise torch.OutOfMemoryError("out of memory")

    watch(engine, failing)
    events = list(engine.stream([asked(QUESTIONS[0], NAT)]))
    assert [event.reason for event in events if isinstance(event, Finished)] == [FinishReason.ERROR]
    assert not any(isinstance(event, Delta) for event in events)
    (answer,) = answers(engine, [asked(QUESTIONS[0], NAT)])
    assert answer.text == shown(oracle.answers(NAT, [ASKED[0]], 12)[0].text)


def test_memory_that_runs_out_in_mid_answer_ends_every_row_in_flight_and_no_other(
    engine: LocalEngine, oracle: SequentialArms
) -> None:
    """Eight rows of two calls, of which two wait for a place; the step fails once some text was said."""
    ended: list[Mixture] = []
    arms = {engine._tenancy.slot(mixture): mixture for mixture in MIXTURES}
    gate, steps = Turnstile(engine), list[int]()

    def failing(tokens: object, fed: object, slots: Sequence[int]) -> None:
        steps.append(len(slots))
        if not ended and steps.count(engine.room.rows) > 8:
            ended.extend(arms[slot] for slot in slots)
            raise torch.OutOfMemoryError("out of memory")

    watch(engine, failing)
    long, calls = Sampling(max_new_tokens=30), (MIXTURES[:4], MIXTURES[4:])
    streams = [engine.stream([asked(QUESTIONS[0], mixture, long) for mixture in call]) for call in calls]
    gate.open()  # all have asked
    assert eventually(lambda: not engine.rows_in_use)  # or it would be waited for without end
    assert len(set(ended)) == engine.room.rows == 6
    for call, stream in zip(calls, streams, strict=True):
        events = list(stream)
        for row, mixture in enumerate(call):
            text = "".join(event.text for event in events if isinstance(event, Delta) and event.row == row)
            (end,) = (event for event in events if isinstance(event, Finished) and event.row == row)
            whole = shown(oracle.answers(mixture, [ASKED[0]], 30)[0].text)
            if mixture in ended:
                assert (end.reason, end.error) == (
                    FinishReason.ERROR,
                    "OutOfMemoryError: out of memory (no memory left)",
                )
                assert 8 <= end.tokens < 30
                assert text
                assert whole.startswith(text)
            else:
                assert (text, end.reason, end.error) == (whole, FinishReason.LENGTH, "")
    (answer,) = answers(engine, [asked(QUESTIONS[0], NAT)])
    assert answer.text == shown(oracle.answers(NAT, [ASKED[0]], 12)[0].text)


def test_a_repetition_penalty_weighs_on_the_prompt_and_on_what_was_said_as_in_generate(
    engine: LocalEngine, oracle: SequentialArms
) -> None:
    sampling = Sampling(max_new_tokens=30, repetition_penalty=1.3)
    requests = [asked(question, mixture, sampling) for mixture in MIXTURES[:4] for question in QUESTIONS]
    expected = []
    for mixture in MIXTURES[:4]:
        for conversation in ASKED:  # one at a time: padding would be penalised too
            (inputs,) = oracle._batches([conversation])
            with oracle._arm(mixture), torch.inference_mode():
                output = oracle.model.generate(**inputs, max_new_tokens=30, do_sample=False, repetition_penalty=1.3)
            new = output[0, inputs["input_ids"].shape[1] :]
            expected.append(shown(str(oracle.tokenizer.decode(new, skip_special_tokens=True))))
    assert [answer.text for answer in answers(engine, requests)] == expected


def test_the_letters_are_weighed_as_peft_does(engine: LocalEngine, oracle: SequentialArms) -> None:
    """With and without a space before the letter; a tokenizer that splits the space off leaves the letter alone."""
    for mixture in MIXTURES:
        weighed = engine.option_probabilities([ChoiceRequest(tuple(each), mixture, "CAB") for each in ASKED])
        for each, conversation in zip(weighed, ASKED, strict=True):
            (inputs,) = oracle._batches([conversation])
            with oracle._arm(mixture), torch.inference_mode():
                logits = oracle.model(**inputs).logits[0, -1]
            ids = {x: {oracle.tokenizer.encode(way)[-1] for way in (x, f" {x}")} for x in "CAB"}
            masses = {x: sum(float(logits[i].double().exp()) for i in way) for x, way in ids.items()}
            assert list(each) == list("CAB")
            for letter, mass in masses.items():
                assert each[letter] == pytest.approx(mass / sum(masses.values()), rel=1e-3)


def test_a_prompt_longer_than_the_context_is_refused_with_both_lengths(engine: LocalEngine) -> None:
    with pytest.raises(InvalidValue, match=r"expected fewer than 200 tokens.*Shorten it"):
        engine.stream([asked("mal " * 400)])


def test_a_row_that_reaches_the_context_ends_by_length(engine: LocalEngine) -> None:
    engine._batcher._stops = frozenset()  # or it might stop before
    request = asked("mal " * 40, NAT, Sampling(max_new_tokens=400))
    (answer,) = answers(engine, [request])
    prompt = len(engine._tokens(request.messages))
    assert (answer.finish_reason, answer.tokens) == (FinishReason.LENGTH, 200 - prompt)


def test_scales_are_computed_once_and_read_at_the_next_start(
    base: str, folders: dict[Mixture, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    LocalEngine.load(base, {NAT: folders[NAT]}, device="cpu").close()
    assert list(folders[NAT].glob("scales-*.safetensors"))
    monkeypatch.setattr("medinject_demo.engine.adapter.LayerWeights.scale", None)
    LocalEngine.load(base, {NAT: folders[NAT]}, device="cpu").close()


def peft_adapter(base: str, folder: Path, **options: object) -> Path:
    """An adapter of random weights as peft saves it."""
    chosen = {"r": 4, "lora_alpha": 6, "use_dora": True, "target_modules": list(PROJECTIONS)} | options
    adapted = get_peft_model(load_base(base)[0], LoraConfig(task_type="CAUSAL_LM", **chosen))
    torch.manual_seed(3)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    adapted.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "options", [{"use_rslora": True}, {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"v_proj": 9}}]
)
@pytest.mark.parametrize("use_dora", [True, False])
def test_other_adapters_of_peft_are_served_as_peft_does(
    base: str, tmp_path: Path, options: dict[str, object], use_dora: bool
) -> None:
    peft_adapter(base, tmp_path, use_dora=use_dora, **options)
    engine = LocalEngine.load(base, {NAT: tmp_path}, device="cpu")
    expected = SequentialArms(base, {NAT: tmp_path}).answers(NAT, ASKED, 12)
    assert [each.text for each in answers(engine, [asked(q, NAT) for q in QUESTIONS])] == [
        shown(e.text) for e in expected
    ]
    engine.close()


@pytest.fixture
def spoilt(folders: dict[Mixture, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(folders[NAT], tmp_path / "spoilt"))


def test_a_cut_adapter_is_refused(base: str, spoilt: Path) -> None:
    whole = (spoilt / "adapter_model.safetensors").read_bytes()
    (spoilt / "adapter_model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="Fetch or recover it again"):
        LocalEngine.load(base, {NAT: spoilt}, device="cpu")


def test_an_adapter_with_numbers_that_are_none_is_refused(base: str, spoilt: Path) -> None:
    tensors = load_file(spoilt / "adapter_model.safetensors")
    next(iter(tensors.values()))[0] = float("nan")
    save_file(tensors, spoilt / "adapter_model.safetensors")
    with pytest.raises(ModelError, match="not finite"):
        LocalEngine.load(base, {NAT: spoilt}, device="cpu")


def test_an_adapter_of_the_head_is_refused_as_no_slot_would_hold_it(base: str, spoilt: Path) -> None:
    tensors = load_file(spoilt / "adapter_model.safetensors")
    for part in ("lora_A.weight", "lora_B.weight", "lora_magnitude_vector"):
        name = next(name for name in tensors if name.endswith(f"q_proj.{part}"))
        tensors[f"base_model.model.lm_head.{part}"] = tensors[name].clone()
    save_file(tensors, spoilt / "adapter_model.safetensors")
    with pytest.raises(ModelError, match=r"the layer lm_head, which is none of them.*must be merged into its base"):
        LocalEngine.load(base, {NAT: spoilt}, device="cpu")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"peft_type": "IA3"}, "expected a LoRA or DoRA adapter, got the type 'IA3'"),
        ({"bias": "all"}, "expected bias = 'none'"),
        ({"modules_to_save": ["lm_head"]}, "expected modules_to_save = None"),
        ({"use_dora": False}, "parts"),
        ({"r": 8}, "shape"),
    ],
)
def test_what_would_not_be_served_exactly_is_refused(
    base: str, spoilt: Path, change: dict[str, object], said: str
) -> None:
    config = json.loads((spoilt / "adapter_config.json").read_text()) | change
    (spoilt / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=said):
        LocalEngine.load(base, {NAT: spoilt}, device="cpu")


def test_two_arms_with_the_same_adapter_are_refused_at_the_start(base: str, folders: dict[Mixture, Path]) -> None:
    with pytest.raises(ModelError, match="expected answers that differ, got the same logits"):
        LocalEngine.load(base, {NAT: folders[NAT], TRAD: folders[NAT]}, device="cpu")


@pytest.mark.parametrize("setting", [{"device": "abacus"}, {"dtype": "fp8"}])
def test_an_unknown_setting_is_refused(base: str, setting: dict[str, str]) -> None:
    with pytest.raises(InvalidValue, match="expected auto"):
        LocalEngine.load(base, {}, **setting)


def test_a_closed_engine_says_so(base: str) -> None:
    engine = LocalEngine.load(base, {}, device="cpu")
    engine.close()
    with pytest.raises(ModelError, match="closed"):
        engine.stream([asked("Bonjour", BASE)])
