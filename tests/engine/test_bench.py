"""The benchmark on a base of a hundred thousand parameters: each line is there and sound; none is held to a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from medinject_demo.domain import ARMS, BASE, FinishReason
from medinject_demo.engine.base import Delta, Finished
from medinject_demo.engine.bench import environment, memory, speed, subject
from medinject_demo.engine.bench.limits import bandwidths
from medinject_demo.engine.bench.measure import Goal, Line
from medinject_demo.engine.bench.report import Report
from medinject_demo.engine.bench.run import LINES, Plan, bench, guarded
from medinject_demo.engine.bench.sizes import Sizes
from medinject_demo.engine.bench.stage import Stage, Work, questions, said_by, work_on
from medinject_demo.engine.bench.subject import SHAPES, TINY, Miniature, Subject, random_subject
from medinject_demo.engine.loading import load_base
from medinject_demo.errors import ModelError
from tests.tiny import stored_in, tiny_base

ROOT = Path(__file__).parents[2]
SMALL = Work(prompt=9, tokens=6, most_rows=9, row_counts=(2, 8), visitors=3, mixed_tokens=4, buffer=2**12)
NOWHERE = Miniature(Path("absent"), {})
SLOW = ("memory",)  # it starts a process of its own


def ticking() -> float:
    """A clock that can be sent to another process: it stands still."""
    return 0.0


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return random_subject("tiny", TINY, tmp_path_factory.mktemp("bench"), "cpu", "fp32")


@pytest.fixture(scope="module")
def stage(tiny: Subject) -> Iterator[Stage]:
    counts = iter(range(10**9))
    stage = Stage(tiny, SMALL, "cpu", "fp32", "none", 2, lambda: float(next(counts)))
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def report() -> Iterator[Report]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SHAPES, "random-60m", TINY)
        plan = Plan(device="cpu", repeats=2, work=SMALL, only=[name for name in LINES if name not in SLOW])
        yield bench(plan, NOWHERE, "python -m medinject_demo bench", today=lambda: date(2026, 11, 22))


class TestSubject:
    def test_the_random_bases_have_the_sizes_that_they_are_named_after(self) -> None:
        assert 60e6 < subject._parameters(SHAPES["random-60m"]) < 61e6
        assert subject._parameters(SHAPES["random-4b"]) == 4_022_468_096  # as published for Qwen3-4B, tied

    def test_a_shape_counts_the_parameters_that_its_model_has(self, tiny: Subject) -> None:
        model, _ = load_base(str(tiny.base))
        assert subject._parameters(TINY) == sum(each.numel() for each in model.parameters())

    def test_arms_say_different_things_and_the_same_thing_twice(self, stage: Stage) -> None:
        requests = [replace(each, messages=stage.requests([BASE])[0].messages) for each in stage.requests(ARMS)]
        said = said_by(stage.engine, requests)
        assert len(set(said)) > len(ARMS) // 2
        assert said_by(stage.engine, requests) == said

    def test_every_answer_has_the_length_that_was_asked_for(self, stage: Stage) -> None:
        ends = [each for each in stage.engine.stream(stage.requests(ARMS)) if isinstance(each, Finished)]
        assert {(end.reason, end.tokens) for end in ends} == {(FinishReason.LENGTH, SMALL.tokens)}

    def test_an_answer_of_another_length_is_no_sample(self, stage: Stage) -> None:
        longer = stage.requests([BASE], tokens=200)
        with pytest.raises(ModelError, match=r"answer of base: expected 200 tokens, got \d+, ended by length"):
            said_by(stage.engine, longer)

    def test_a_copy_of_a_base_that_stops_does_not(self, tmp_path: Path) -> None:
        base = tiny_base(tmp_path / "base")
        model, tokenizer = load_base(str(subject.without_stops(Path(base), tmp_path / "copy")))
        assert load_base(base)[1].eos_token_id is not None
        assert tokenizer.eos_token_id is None
        assert model.generation_config.eos_token_id is None

    def test_the_miniature_answers_with_random_arms_where_its_own_are_missing(self, tmp_path: Path) -> None:
        base = Path(tiny_base(tmp_path / "base"))
        made = subject.miniature_subject(Miniature(base, {}), tmp_path / "made")
        again = subject.miniature_subject(Miniature(base, made.dora), tmp_path / "again")
        assert "seven random DoRA adapters" in made.about
        assert "its seven arms" in again.about
        assert set(made.dora) == set(again.dora) == set(made.lora) == set(ARMS)
        assert (base / "generation_config.json").read_bytes() != (made.base / "generation_config.json").read_bytes()

    @pytest.mark.parametrize("kind", ["dora", "lora"])
    def test_the_adapters_are_ones_that_peft_loads_whole(self, tiny: Subject, kind: str) -> None:
        folder = getattr(tiny, kind)[ARMS[0]]
        model = PeftModel.from_pretrained(load_base(str(tiny.base))[0], str(folder))
        assert model.peft_config["default"].use_dora == (kind == "dora")
        names = {name for name, _ in model.named_parameters()}
        assert any("magnitude" in name for name in names) == (kind == "dora")

    def test_questions_differ_and_fill_the_prompt(self, tiny: Subject) -> None:
        _, tokenizer = load_base(str(tiny.base))
        texts = questions(tokenizer, tiny.words, 20, 8)
        said = [[{"role": "user", "content": text}] for text in texts]
        lengths = {
            len(tokenizer.apply_chat_template(each, add_generation_prompt=True, return_dict=True)["input_ids"])
            for each in said
        }
        assert len(set(texts)) == 8
        assert lengths == {20}

    def test_a_disk_without_room_is_named_with_the_remedy(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"expected 1000000.0 GB of room, got .* GB. Name another with TMPDIR."):
            subject.require_room(tmp_path, 1e15)

    def test_sizes_are_those_of_the_tensors(self, tiny: Subject, tmp_path: Path) -> None:
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
        matrices = sum(n.numel() for name, n in adapted.named_parameters() if "lora_" not in name and n.dim() == 2)
        assert Sizes.of(half, "fp32", "none").weights == sizes.weights - 2 * matrices
        assert Sizes.of(half, "bf16", "none").weights == sizes.weights / 2
        assert Sizes.of(half, "fp32", "int8").weights == sizes.weights - 3 * linear
        assert sizes.step(2, 3, 5.0) == sizes.read + 2 * sizes.adapter + 15 * sizes.token


class TestLines:
    def test_every_line_is_there(self, report: Report) -> None:
        (table,) = report.tables
        assert {line.name for line in table.lines} == set(LINES) - set(SLOW)
        assert not [line.note for line in table.lines if line.measured is None]

    def test_a_line_that_was_timed_holds_its_samples(self, report: Report) -> None:
        for line in report.tables[0].lines:
            assert all(len(each) == (1 if line.name == "quantised" else 2) for each in line.samples.values())
            assert line.samples or "answers equal" in line.what or "scale is that" in line.what

    def test_greedy_answers_are_those_of_peft_and_of_transformers(self, report: Report) -> None:
        agreed = [line for line in report.tables[0].lines if "answers equal" in line.what]
        assert [(line.name, line.measured, line.met) for line in agreed] == [
            ("plain-batch", 8, True),
            ("quicker", 8, True),
            ("peft-sequential", 8, True),
        ]

    def test_scales_are_those_of_the_whole_weights_and_four_bits_are_further_than_eight(self, report: Report) -> None:
        eight, kept, four, kept_too = [line for line in report.tables[0].lines if line.name == "quantised"]
        assert eight.measured is not None
        assert four.measured is not None
        assert 0 < eight.measured < four.measured
        assert (kept.met, kept_too.met) == (True, True)
        assert kept.measured == len(ARMS) * TINY.layers * 7

    def test_a_quantised_engine_is_held_beside_the_whole_weights(self, stage: Stage) -> None:
        whole = [line.measured for line in guarded("quantised", stage)]
        assert [line.measured for line in guarded("quantised", replace(stage, quantization="int4"))] == whole[2:]

    def test_each_line_is_told_as_soon_as_it_is_measured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(SHAPES, "random-60m", TINY)
        told: list[str] = []
        asked: list[int] = []
        line = Line("join", "steps", 1, goal=Goal(2))
        monkeypatch.setitem(LINES, "join", lambda _: asked.append(len(told)) or [line])
        bench(Plan(device="cpu", work=SMALL, only=["join", "join"]), NOWHERE, "bench", told.append)
        assert asked == [1, 2]
        assert told[1] == "random-60m, none: join: steps: 1 (goal ≤ 2: yes)"

    def test_peft_in_samples_of_one_row_is_compared_row_by_row(self, stage: Stage) -> None:
        faster, agreed = speed.peft_sequential(replace(stage, work=replace(SMALL, sequential=1)))
        assert faster.measured == SMALL.rows  # each sample of the counting clock takes one second
        assert agreed.measured == 1 + stage.repeats  # a warm-up, then a row each

    def test_answers_in_half_precision_are_compared_without_a_goal(self, stage: Stage) -> None:
        line = speed.agreement(replace(stage, dtype="bf16"), "a", "rows", ["x", "y"], ["x", "z"])
        assert (line.measured, line.goal) == (1, None)
        assert speed.agreement(stage, "a", "rows", ["x", "y"], ["x", "z"]).met is False

    def test_a_failing_baseline_becomes_a_line_and_the_next_is_measured(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def failing(*_: object) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate\nmuch")

        monkeypatch.setattr(speed, "plain", failing)
        (line,) = guarded("plain-batch", stage)
        assert (line.name, line.measured, line.met) == ("plain-batch", None, None)
        assert line.note == "not run: CUDA out of memory. Tried to allocate"
        assert guarded("join", stage)[0].measured is not None

    def test_an_engine_that_cannot_load_is_tried_once_and_told_on_every_line(self, tiny: Subject) -> None:
        tried: list[int] = []

        class Unable(Stage):
            def load(self, rows: int, context: int) -> object:  # type: ignore[override]
                tried.append(rows)
                raise ModelError("no room")

        stage = Unable(tiny, SMALL, "cpu", "fp32", "none", 1, ticking)
        assert [guarded(name, stage)[0].note for name in ("join", "rows")] == ["not run: no room"] * 2
        assert tried == [SMALL.most_rows]
        stage.close()

    def test_steps_are_counted_from_the_leavers_end_to_the_newcomers_first_piece(self) -> None:
        step = [Delta(0, "a"), Delta(1, "b")]
        end = Finished(2, FinishReason.LENGTH, 4, 0.1)
        events = [*step, Delta(2, "c"), end, *step, *step, Delta(3, "d"), *step]
        assert speed._steps_to_first(events, leaver=2, newcomer=3) == 2

    def test_a_bandwidth_counts_what_is_read_and_what_is_written(self) -> None:
        ticks = iter(range(100))
        assert bandwidths("cpu", 4096, 3, lambda: float(next(ticks))) == [8192.0] * 3

    def test_a_cpu_and_a_gpu_are_asked_for_their_own_work(self) -> None:
        assert (work_on("cpu", None).prompt, work_on("cpu", None).tokens) == (64, 64)
        gpu = work_on("cuda", None)
        assert (gpu.prompt, gpu.tokens, gpu.row_counts, gpu.context) == (200, 256, (2, 8, 32, 64), 512)
        assert work_on("cuda", 32).tokens == 32


class TestMemory:
    @pytest.mark.slow
    def test_an_engine_is_weighed_in_a_process_of_its_own(self, stage: Stage) -> None:
        above, held = guarded("memory", stage)
        assert above.goal == Goal(15)
        assert above.measured is not None, above.note
        assert held.unit == "MB"

    def test_where_the_system_does_not_tell_the_line_says_so(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(memory, "STATUS", tmp_path / "absent")
        with pytest.raises(ModelError, match="VmRSS and VmHWM"):
            memory._resident()


class TestReport:
    def test_json_holds_the_environment_the_goals_and_every_sample(self, report: Report) -> None:
        document = json.loads(report.as_json())
        assert set(document) == {"command", "date", "environment", "tables"}
        assert set(document["environment"]["libraries"]) == {"torch", "transformers", "peft"}
        first = document["tables"][0]["lines"][0]
        assert (first["name"], first["goal"]) == ("base-batch", "≤ 1.1")
        assert [len(each) for each in first["samples"].values()] == [2, 2]

    def test_the_text_has_a_row_for_each_line(self, report: Report) -> None:
        rows = report.as_text().splitlines()
        for line in report.tables[0].lines:
            assert any(row.startswith(line.name) and line.what in row for row in rows)

    def test_markdown_names_its_command_and_what_is_owed(self, report: Report) -> None:
        text = report.as_markdown()
        assert "Written by `python -m medinject_demo bench` on 2026-11-22." in text
        assert "The same on a GPU is one command" in text
        on_gpu = replace(report, environment=replace(report.environment, kind="cuda"))
        assert "owed" not in on_gpu.as_markdown()

    def test_a_line_that_was_not_run_says_why_in_every_form(self, report: Report) -> None:
        (table,) = report.tables
        report = replace(report, tables=(replace(table, lines=(Line.not_run("load", "loading", "no room"),)),))
        assert all("not run: no room" in text for text in (report.as_text(), report.as_json(), report.as_markdown()))

    def test_a_processor_without_a_name_has_its_architecture(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(environment, "PROCESSORS", tmp_path / "absent")
        assert environment.Environment.of("cpu").device
