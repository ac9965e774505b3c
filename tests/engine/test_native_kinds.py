"""Which models the library's forward takes; and whatever feeds them, that their answers are peft's own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    Olmo2Config,
    Qwen2Config,
    Qwen3Config,
)

from medinject_demo.doctor.profiles import HALVED
from medinject_demo.domain import ARMS, MIXTURES, FinishReason, Sampling
from medinject_demo.engine.base import answers
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.native.step import NativeSteps
from medinject_demo.engine.native.tables import require_fits
from medinject_demo.engine.parts import NotOfThisKind, layers_of
from medinject_demo.engine.sequential import SequentialArms
from medinject_demo.engine.steps import Forward
from tests.tiny import stored_in, tiny_adapter, tiny_base

from .conftest import require_library
from .laws import QUESTIONS, asked

SIZES: dict[str, Any] = {
    "vocab_size": 400,
    "hidden_size": 64,
    "intermediate_size": 112,
    "num_hidden_layers": 2,
    "max_position_embeddings": 512,
    "eos_token_id": 2,
}


@pytest.fixture(scope="module", autouse=True)
def _made() -> None:
    require_library()


KINDS: dict[str, Any] = {
    "Llama": lambda: LlamaConfig(**SIZES, num_attention_heads=4, num_key_value_heads=4),
    "Llama, scaled positions": lambda: LlamaConfig(
        **SIZES,
        num_attention_heads=2,
        num_key_value_heads=1,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 5e5,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    ),
    "Mistral": lambda: MistralConfig(**SIZES, num_attention_heads=4, num_key_value_heads=2),
    "Qwen2, biases": lambda: Qwen2Config(**SIZES, num_attention_heads=2, num_key_value_heads=2),
    "Qwen3, five heads to one": lambda: Qwen3Config(
        **SIZES, num_attention_heads=10, num_key_value_heads=2, head_dim=16
    ),
    "Qwen3, a head of its own": lambda: Qwen3Config(
        **SIZES, num_attention_heads=3, num_key_value_heads=1, head_dim=48, tie_word_embeddings=False
    ),
    "Qwen3, an odd vocabulary": lambda: Qwen3Config(
        **(SIZES | {"vocab_size": 411}), num_attention_heads=8, num_key_value_heads=1, head_dim=32
    ),
}
CHANGES: dict[str, dict[str, Any]] = {
    "all": {},
    "some": {"target_modules": ["q_proj", "v_proj", "down_proj"]},
    "thick": {"r": 20},
    "LoRA": {"use_dora": False},
}


def model_of(config: Any, folder: Path) -> str:
    """A random base of a kind, with the miniature's tokenizer; biases are not zero."""
    tiny_base(folder)
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    model.save_pretrained(folder)
    return str(folder)


def adapter_of(base: str, folder: Path, seed: int, changes: dict[str, Any]) -> Path:
    options: dict[str, Any] = {"r": 4, "lora_alpha": 8, "use_dora": True, "target_modules": "all-linear"} | changes
    torch.manual_seed(seed)
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(**options, task_type="CAUSAL_LM"))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    adapted.save_pretrained(folder)
    return folder


OTHERS: dict[str, Any] = {
    "Gemma2, norms between": lambda: Gemma2Config(**SIZES, num_attention_heads=4, num_key_value_heads=2, head_dim=16),
    "Olmo2, norms behind": lambda: Olmo2Config(**SIZES, num_attention_heads=4, num_key_value_heads=2),
    "Granite, numbers of its own": lambda: GraniteConfig(
        **SIZES, num_attention_heads=4, num_key_value_heads=2, embedding_multiplier=12.0, residual_multiplier=0.22
    ),
}


def test_the_kinds_whose_memory_is_halved_are_those_that_it_takes() -> None:
    assert {kind().model_type for kind in KINDS.values()} == set(HALVED)
    assert not {kind().model_type for kind in OTHERS.values()} & set(HALVED)


def expect_peft(base: str, root: Path, changes: dict[str, Any], steps: type, served: str | None = None) -> None:
    """An engine of a base feeds its rows by these steps, and all answers are peft's own.

    ``served`` is the base as the engine loads it, where that is another file.
    """
    arms = {each: adapter_of(base, root / each.slug, seed, changes) for seed, each in enumerate(ARMS[:3])}
    engine = LocalEngine.load(served or base, arms, device="cpu", max_rows=12, max_context=200)
    assert isinstance(engine._batcher.steps, steps)
    requests = [asked(question, arm, Sampling(max_new_tokens=8)) for arm in MIXTURES[:4] for question in QUESTIONS]
    ours = [answer.text for answer in answers(engine, requests)]
    engine.close()
    oracle = SequentialArms(base, arms)
    conversations = [[{"role": "user", "content": question}] for question in QUESTIONS]
    theirs = [each.text.rstrip("\ufffd") for arm in MIXTURES[:4] for each in oracle.answers(arm, conversations, 8)]
    assert ours == theirs


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_models_of_llamas_kind_take_it_and_answer_as_peft_does(
    tmp_path: Path, kind: Callable[[], Any], changes: dict[str, Any]
) -> None:
    expect_peft(model_of(kind(), tmp_path / "base"), tmp_path, changes, NativeSteps)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_stored_in_bf16_they_answer_as_peft_does_of_the_same_numbers(tmp_path: Path, kind: Callable[[], Any]) -> None:
    made = model_of(kind(), tmp_path / "base")
    whole, half = (stored_in(each, made, tmp_path / str(each)) for each in (torch.float32, torch.bfloat16))
    expect_peft(whole, tmp_path, {}, NativeSteps, served=half)


@pytest.mark.parametrize("kind", OTHERS.values(), ids=OTHERS)
def test_models_of_another_kind_keep_transformers_forward_and_answer_as_peft_does(
    tmp_path: Path, kind: Callable[[], Any]
) -> None:
    expect_peft(model_of(kind(), tmp_path / "base"), tmp_path, {}, Forward)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"dtype": "bf16"}, "bfloat16"),
        ({"quantization": "int8"}, "quantised"),
    ],
)
def test_what_it_does_not_compute_keeps_transformers_forward(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, options: dict[str, str], why: str
) -> None:
    base = tiny_base(tmp_path / "base")
    with caplog.at_level(logging.WARNING):
        engine = LocalEngine.load(
            base, {ARMS[0]: tiny_adapter(base, tmp_path / "nat", ARMS[0])}, device="cpu", max_context=64, **options
        )
    assert isinstance(engine._batcher.steps, Forward)
    assert why in caplog.text
    (answer,) = answers(engine, [asked("Bonjour", ARMS[0], Sampling(max_new_tokens=3))])
    assert answer.finish_reason is not FinishReason.ERROR
    engine.close()


@pytest.mark.parametrize("sizes", [{"head_dim": 8}, {"intermediate_size": 56}, {"hidden_act": "gelu"}], ids=str)
def test_sizes_that_fit_no_vector_keep_transformers_forward(tmp_path: Path, sizes: dict[str, Any]) -> None:
    given = SIZES | {"num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 16} | sizes
    base = model_of(Qwen3Config(**given), tmp_path / "base")
    adapter = adapter_of(base, tmp_path / "nat", 0, {})
    engine = LocalEngine.load(base, {ARMS[0]: adapter}, device="cpu", max_rows=2, max_context=64)
    assert isinstance(engine._batcher.steps, Forward)
    engine.close()


def test_a_vocabulary_smaller_than_a_tile_is_of_another_kind() -> None:
    for size in (63, 64):
        model = AutoModelForCausalLM.from_config(
            Qwen3Config(**(SIZES | {"vocab_size": size}), num_attention_heads=4, num_key_value_heads=4, head_dim=16)
        )
        with pytest.raises(NotOfThisKind, match="a head of its own") if size < 64 else nullcontext():
            require_fits(model, layers_of(model, 64))
