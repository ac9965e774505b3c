"""What an engine refuses in a sentence: bases and adapters that are not whole, arms and words that are none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from medinject_demo.domain import ARMS, BASE, MIXTURES, Mixture, Sampling
from medinject_demo.engine.base import ChoiceRequest, Finished, Request, answers
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.prepare import require_fast_tokenizer
from medinject_demo.errors import InvalidValue, MedInjectError, ModelError

from .laws import QUESTIONS, asked

NAT, TRAD = ARMS[:2]


@pytest.fixture
def copied(base: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "base"))


@pytest.fixture
def adapter(folders: dict[Mixture, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(folders[NAT], tmp_path / "adapter"))


def resaved(path: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def test_a_base_without_one_of_its_weights_is_refused_not_drawn_at_random(copied: Path) -> None:
    missing = "model.layers.0.mlp.down_proj.weight"
    resaved(copied / "model.safetensors", lambda tensors: tensors.pop(missing))
    with pytest.raises(ModelError, match=f"expected files that hold every weight, got none of {missing}"):
        LocalEngine.load(str(copied), {}, device="cpu")


def test_an_adapter_without_one_of_its_layers_is_refused(base: str, adapter: Path) -> None:
    def without_a_layer(tensors: dict[str, torch.Tensor]) -> None:
        for name in [name for name in tensors if "down_proj" in name]:
            del tensors[name]

    resaved(adapter / "adapter_model.safetensors", without_a_layer)
    with pytest.raises(ModelError, match=r"nothing of model\.layers\.0\.mlp\.down_proj, which the target_modules"):
        LocalEngine.load(base, {NAT: adapter}, device="cpu")


MISSING, SURPLUS = r"which the target_modules of its adapter_config\.json name", "as well, which peft would leave out"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"target_modules": r".*\.(q|down)_proj"}, MISSING),
        ({"target_modules": "all-linear"}, MISSING),
        ({"target_modules": r".*\.q_proj"}, ""),
        ({"target_modules": None}, ""),
        ({"target_modules": ["k_proj", "q_proj"], "exclude_modules": ["zzz"]}, MISSING),
        ({"target_modules": ["k_proj", "q_proj"], "exclude_modules": ["k_proj"]}, ""),
        ({"target_modules": "all-linear", "exclude_modules": r".*\.(k|v|o|gate|up|down)_proj"}, ""),
        ({"target_modules": ["q_proj"], "exclude_modules": ["q_proj"]}, SURPLUS),
        ({"target_modules": ["k_proj", "q_proj"], "layers_to_transform": [0]}, MISSING),
        ({"target_modules": ["q_proj"], "layers_to_transform": 0}, ""),
        ({"target_modules": ["q_proj"], "layers_to_transform": [0], "layers_pattern": "layers"}, ""),
        ({"target_modules": ["q_proj"], "layers_to_transform": [1]}, SURPLUS),
        ({"target_modules": ["q_proj"], "layers_to_transform": 0, "layers_pattern": "blocks"}, SURPLUS),
        ({"target_modules": ["v_proj"]}, "nothing of"),
        ({"target_modules": "(q_proj"}, r"'\(q_proj' for target_modules, where names or a regular expression belong"),
        ({"target_modules": 5}, "5 for target_modules, where names or a regular expression belong"),
        ({"target_modules": [5]}, r"\[5\] for target_modules, where names or a regular expression belong"),
        ({"layers_to_transform": ["0"]}, r"\['0'\] for layers_to_transform, where numbers of layers belong"),
        ({"use_dora": "false"}, "'false' for use_dora, where true or false belong"),
    ],
    ids=str,
)
def test_what_an_adapter_holds_is_what_its_settings_name_as_peft_reads_them(
    base: str, adapter: Path, settings: dict[str, Any], said: str
) -> None:
    resaved(
        adapter / "adapter_model.safetensors",
        lambda tensors: [tensors.pop(name) for name in list(tensors) if "q_proj" not in name],
    )
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    if said:
        with pytest.raises(ModelError, match=said):
            LocalEngine.load(base, {NAT: adapter}, device="cpu")
    else:
        LocalEngine.load(base, {NAT: adapter}, device="cpu").close()


@pytest.mark.parametrize("settings", [{"target_modules": ["q_proj"]}, {"exclude_modules": ["q_proj", "down_proj"]}])
def test_tensors_that_peft_would_leave_out_are_refused(base: str, adapter: Path, settings: dict[str, Any]) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    with pytest.raises(ModelError, match=rf"{SURPLUS}\. Name it in the target_modules"):
        LocalEngine.load(base, {NAT: adapter}, device="cpu")


def test_a_part_that_is_there_twice_is_refused(base: str, adapter: Path) -> None:
    """peft has written a magnitude with and without the ending ``.weight``."""

    def doubled(tensors: dict[str, torch.Tensor]) -> None:
        name = next(name for name in tensors if name.endswith("lora_magnitude_vector"))
        tensors[f"{name}.weight"] = 2 * tensors[name]

    resaved(adapter / "adapter_model.safetensors", doubled)
    with pytest.raises(ModelError, match=r"m of model\.layers\.0\..* twice"):
        LocalEngine.load(base, {NAT: adapter}, device="cpu")


@pytest.mark.parametrize("kind", [torch.float8_e4m3fn, torch.int8, torch.bool, torch.complex64], ids=str)
def test_numbers_of_another_kind_are_refused(base: str, adapter: Path, kind: torch.dtype) -> None:
    resaved(
        adapter / "adapter_model.safetensors",
        lambda tensors: tensors.update({name: tensor.to(kind) for name, tensor in tensors.items()}),
    )
    with pytest.raises(ModelError, match="numbers of the kind"):
        LocalEngine.load(base, {NAT: adapter}, device="cpu")


def test_the_base_takes_no_adapter_at_the_start_either(base: str, folders: dict[Mixture, Path]) -> None:
    with pytest.raises(InvalidValue, match="expected an arm with an adapter, got the base"):
        LocalEngine.load(base, {BASE: folders[NAT], TRAD: folders[TRAD]}, device="cpu")


def test_a_tokenizer_that_tells_no_text_token_by_token_is_refused() -> None:
    with pytest.raises(ModelError, match=r"expected a tokenizer of the tokenizers library .*, got object"):
        require_fast_tokenizer(object(), "one")


def test_a_context_too_short_for_the_engines_own_question_is_refused_by_its_name(base: str) -> None:
    for context in (1, 2, 12):
        with pytest.raises(InvalidValue, match=f"max_context: expected at least .*, got {context}"):
            LocalEngine.load(base, {}, device="cpu", max_context=context)


def test_a_context_beyond_the_bases_positions_is_lowered_and_told(base: str, caplog: pytest.LogCaptureFixture) -> None:
    engine = LocalEngine.load(base, {}, device="cpu", max_context=10**6, max_rows=1)
    engine.close()
    assert f"the base has {engine.room.context} positions, not 1000000" in engine.room.lowered
    assert engine.room.lowered in caplog.text


def test_half_a_character_is_refused_as_such(engine: LocalEngine) -> None:
    with pytest.raises(InvalidValue, match=r"message: expected whole characters, got '.*ud83d' at 8"):
        engine.stream([asked("Bonjour \ud83d")])
    with pytest.raises(InvalidValue, match="letters: expected whole characters"):
        engine.option_probabilities([ChoiceRequest(asked(QUESTIONS[0]).messages, NAT, "A\ud83d")])


def test_a_conversation_that_the_template_refuses_is_told_as_such(engine: LocalEngine) -> None:
    engine._tokenizer.chat_template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(InvalidValue, match=r"conversation: expected one that .* lays out, got roles must alternate"):
        engine.stream([asked(QUESTIONS[0])])


def test_a_word_that_the_model_does_not_know_ends_nobody_elses_answer(engine: LocalEngine) -> None:
    streamed = asked(QUESTIONS[0], NAT, Sampling(max_new_tokens=30))
    (alone,) = answers(engine, [streamed])
    engine._tokenizer.add_tokens([f"<extra{number}>" for number in range(400)])  # more than there are embeddings
    events = engine.stream([streamed])
    with pytest.raises(InvalidValue, match=r"expected words of the .* the base has, got '<extra399>'"):
        engine.stream([asked("Que dit <extra399> ?")])
    (end,) = [event for event in events if isinstance(event, Finished)]
    assert (end.reason, end.tokens) == (alone.finish_reason, alone.tokens)


def test_an_answer_carries_the_fingerprint_of_what_gave_it(
    engine: LocalEngine, folders: dict[Mixture, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the arm is swapped between the reading of its fingerprint and the holding of its slot."""
    request = Request(asked(QUESTIONS[0]).messages, NAT, Sampling(max_new_tokens=8))
    (theirs,) = answers(engine, [Request(request.messages, TRAD, request.sampling)])
    prompts, swapped = LocalEngine._prompts, list[Mixture]()

    def swapping(self: LocalEngine, requests: Any) -> Any:
        if not swapped:
            swapped.append(NAT)
            self.swap(NAT, folders[TRAD])
        return prompts(self, requests)

    monkeypatch.setattr(LocalEngine, "_prompts", swapping)
    (answer,) = answers(engine, [request])
    assert (answer.text, answer.fingerprint) == (theirs.text, theirs.fingerprint)
    assert engine.rows_in_use == 0


@pytest.mark.parametrize("letters", ["AÉ你", "AあB"])
def test_a_letter_of_several_tokens_is_not_weighed_by_a_part_of_it(engine: LocalEngine, letters: str) -> None:
    with pytest.raises(InvalidValue, match="letters: expected each a token of its own"):
        engine.option_probabilities([ChoiceRequest(asked(QUESTIONS[0]).messages, NAT, letters)])


@pytest.mark.parametrize("mixture", MIXTURES[:3])
def test_every_refusal_is_one_of_the_projects_errors(engine: LocalEngine, mixture: Mixture) -> None:
    for text in ("", " \n", "\udfff", "x " * 3000):
        with pytest.raises(MedInjectError):
            engine.stream([asked(text, mixture)])
    assert engine.rows_in_use == 0
