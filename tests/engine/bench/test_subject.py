"""Bases that answer to a given length, their adapters, their questions, and what they weigh."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from medinject_demo.domain import ARMS, BASE, FinishReason
from medinject_demo.engine.base import Finished
from medinject_demo.engine.bench import subject
from medinject_demo.engine.bench.sizes import Sizes
from medinject_demo.engine.bench.stage import Stage, questions, said_by
from medinject_demo.engine.bench.subject import SHAPES, TINY, Miniature, Subject
from medinject_demo.engine.loading import load_base
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.native.build import NotBuilt
from medinject_demo.errors import ModelError
from tests.tiny import stored_in, tiny_base

from .work import SMALL


def test_the_random_bases_have_the_sizes_that_they_are_named_after() -> None:
    assert 60e6 < subject._parameters(SHAPES["random-60m"]) < 61e6
    assert subject._parameters(SHAPES["random-4b"]) == 4_022_468_096  # as published for Qwen3-4B, tied


def test_a_shape_counts_the_parameters_that_its_model_has(tiny: Subject) -> None:
    model, _ = load_base(str(tiny.base))
    assert subject._parameters(TINY) == sum(each.numel() for each in model.parameters())


def test_arms_say_different_things_and_the_same_thing_twice(stage: Stage) -> None:
    requests = [replace(each, messages=stage.requests([BASE])[0].messages) for each in stage.requests(ARMS)]
    said = said_by(stage.engine, requests)
    assert len(set(said)) > len(ARMS) // 2
    assert said_by(stage.engine, requests) == said


def test_every_answer_has_the_length_that_was_asked_for(stage: Stage) -> None:
    ends = [each for each in stage.engine.stream(stage.requests(ARMS)) if isinstance(each, Finished)]
    assert {(end.reason, end.tokens) for end in ends} == {(FinishReason.LENGTH, SMALL.tokens)}


def test_an_answer_of_another_length_is_no_sample(stage: Stage) -> None:
    longer = stage.requests([BASE], tokens=200)
    with pytest.raises(ModelError, match=r"answer of base: expected 200 tokens, got \d+, ended by length"):
        said_by(stage.engine, longer)


def test_a_copy_of_a_base_that_stops_does_not(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base")
    model, tokenizer = load_base(str(subject.without_stops(Path(base), tmp_path / "copy")))
    assert load_base(base)[1].eos_token_id is not None
    assert tokenizer.eos_token_id is None
    assert model.generation_config.eos_token_id is None


def test_the_miniature_answers_with_random_arms_where_its_own_are_missing(tmp_path: Path) -> None:
    base = Path(tiny_base(tmp_path / "base"))
    made = subject.miniature_subject(Miniature(base, {}), tmp_path / "made")
    again = subject.miniature_subject(Miniature(base, made.dora), tmp_path / "again")
    assert "seven random DoRA adapters" in made.about
    assert "its seven arms" in again.about
    assert set(made.dora) == set(again.dora) == set(made.lora) == set(ARMS)
    assert (base / "generation_config.json").read_bytes() != (made.base / "generation_config.json").read_bytes()


@pytest.mark.parametrize("kind", ["dora", "lora"])
def test_the_adapters_are_ones_that_peft_loads_whole(tiny: Subject, kind: str) -> None:
    folder = getattr(tiny, kind)[ARMS[0]]
    model = PeftModel.from_pretrained(load_base(str(tiny.base))[0], str(folder))
    assert model.peft_config["default"].use_dora == (kind == "dora")
    names = {name for name, _ in model.named_parameters()}
    assert any("magnitude" in name for name in names) == (kind == "dora")


def test_questions_differ_and_fill_the_prompt(tiny: Subject) -> None:
    _, tokenizer = load_base(str(tiny.base))
    texts = questions(tokenizer, tiny.words, 20, 8)
    said = [[{"role": "user", "content": text}] for text in texts]
    lengths = {
        len(tokenizer.apply_chat_template(each, add_generation_prompt=True, return_dict=True)["input_ids"])
        for each in said
    }
    assert len(set(texts)) == 8
    assert lengths == {20}


def test_a_disk_without_room_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"expected 1000000.0 GB of room, got .* GB. Name another with TMPDIR."):
        subject.require_room(tmp_path, 1e15)


def test_sizes_are_those_of_the_tensors(tiny: Subject, tmp_path: Path) -> None:
    sizes = Sizes.of(tiny, "fp32", "none")
    model, _ = load_base(str(tiny.base))
    adapted = PeftModel.from_pretrained(model, str(tiny.dora[ARMS[0]]))
    inner = sum(each.numel() for name, each in adapted.named_parameters() if "lora_" in name)
    outer = sum(each.numel() for name, each in adapted.named_parameters() if "lora_" not in name)
    assert sizes.weights == sizes.read == 4 * outer
    assert sizes.adapter == 4 * inner
    assert sizes.token == 4 * 2 * TINY.layers * TINY.kv_heads * TINY.head
    linear = TINY.layers * (3 * 64 * 96 + 2 * 64 * 64 * (TINY.heads + TINY.kv_heads))
    assert Sizes.of(tiny, "fp32", "int8").weights == sizes.weights - 3 * linear
    half = replace(tiny, base=Path(stored_in(torch.bfloat16, str(tiny.base), tmp_path / "half")))
    assert Sizes.of(half, "bf16", "none").weights == sizes.weights / 2
    assert Sizes.of(half, "fp32", "int8").weights == sizes.weights - 3 * linear
    assert sizes.step(2, 3, 5.0) == sizes.read + 2 * sizes.adapter + 15 * sizes.token


@pytest.mark.parametrize("compiles", [True, False])
def test_a_base_stored_in_bf16_weighs_in_fp32_what_the_engine_of_this_machine_holds(
    tiny: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiles: bool
) -> None:
    def none(*_: object) -> None:
        raise NotBuilt("no C compiler on this machine")

    if not compiles:
        monkeypatch.setattr("medinject_demo.engine.native.build.library", none)
        monkeypatch.setattr("medinject_demo.engine.native.step.library", none)
    half = replace(tiny, base=Path(stored_in(torch.bfloat16, str(tiny.base), tmp_path / "half")))
    engine = LocalEngine.load(str(half.base), {}, device="cpu", dtype="fp32", max_rows=1, max_context=128)
    held = sum(each.nbytes for each in engine._model.parameters())
    engine.close()
    assert Sizes.of(half, "fp32", "none").weights == held
