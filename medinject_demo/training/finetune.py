"""DoRA fine-tuning with the study's settings as defaults, on any base and any rows of the study's fields.

The trainer is TRL's ``SFTTrainer``; this module says what is trained on what, keeps an interrupted run resumable, and
writes a standard PEFT folder with its record and its card. Knows nothing of how rows were made.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..domain import Kind, Prompt
from ..engine.loading import first_line, load_base
from ..errors import InvalidValue, ModelError
from ..prompts import Message, messages
from .card import card
from .files import replace_folder, require_replaceable, unwritable

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTTrainer

PROJECTIONS: Final = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
RECORD: Final = "training.json"
WEIGHTS: Final = ("adapter_model.safetensors", "model.safetensors")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """Settings of a training; the defaults are those of the study, except the loss:
    ``completion_only`` False is the study's, on the question too.

    ``rank`` 0 trains every weight instead of an adapter. ``bucketed`` makes batches of one kind and of like lengths,
    which wastes less on padding; the study's order is random. ``checkpointing`` trades time for memory on large bases.
    ``attention`` "eager" is the faster one on a CPU and short items (backward of "sdpa" took 29 % of a step there).
    """

    rank: int = 16
    alpha: int = 16
    dropout: float = 0.05
    learning_rate: float = 1e-4
    scheduler: str = "cosine"
    warmup: float = 0.05
    epochs: int = 10
    batch: int = 12
    accumulation: int = 8
    max_length: int = 2048
    seed: int = 42
    precision: str = "auto"
    attention: str = "sdpa"
    completion_only: bool = True
    checkpointing: bool = True
    bucketed: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "accumulation", "max_length"):
            if getattr(self, name) < 1:
                raise InvalidValue.of(name, expected="a whole number from 1", got=repr(getattr(self, name)))
        if self.rank < 0 or not 0 <= self.dropout < 1 or not 0 <= self.seed < 2**32:
            got = f"rank {self.rank}, dropout {self.dropout}, seed {self.seed}"
            raise InvalidValue.of("recipe", expected="rank >= 0, 0 <= dropout < 1, 0 <= seed < 2**32", got=got)
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InvalidValue.of("learning rate", expected="a number above 0", got=repr(self.learning_rate))
        if self.precision not in ("auto", "bf16", "fp32"):
            raise InvalidValue.of("precision", expected="auto, bf16 or fp32", got=repr(self.precision))


@dataclass(frozen=True)
class Example:
    """One conversation to learn: the messages, and the answer the loss is taken on."""

    messages: tuple[Message, ...]
    completion: str
    kind: Kind

    @classmethod
    def of(cls, prompt: Prompt, system: str = "") -> Example:
        """A prompt and its reference; the study uses no system message."""
        opening = ({"role": "system", "content": system},) if system else ()
        return cls((*opening, *messages(prompt)), prompt.reference, prompt.kind)

    @property
    def characters(self) -> int:
        """Length, for batches of like lengths."""
        return sum(len(message["content"]) for message in self.messages) + len(self.completion)

    def row(self) -> dict[str, list[Message]]:
        """The prompt-completion row that TRL takes."""
        return {"prompt": list(self.messages), "completion": [{"role": "assistant", "content": self.completion}]}


@dataclass(frozen=True)
class Run:
    """What is trained on what, and where it goes. ``description`` goes into the record and the card."""

    base: str
    examples: Sequence[Example]
    output: Path
    recipe: Recipe
    description: dict[str, Any]

    @property
    def partial(self) -> Path:
        """Where an unfinished run lives; moved to ``output`` when done."""
        whole = self.output.absolute()
        return whole.with_name(whole.name + ".partial")

    @property
    def identity(self) -> dict[str, Any]:
        """What must be equal for a run to continue another, or to be skipped as already done."""
        return {"base": self.base, "recipe": asdict(self.recipe), **self.description}

    def done(self) -> bool:
        """True where ``output`` already holds the result of this very run."""
        record = read_record(self.output)
        if not any((self.output / name).is_file() for name in WEIGHTS):
            return False
        return all(record.get(key) == value for key, value in json.loads(json.dumps(self.identity)).items())


def read_record(folder: Path) -> dict[str, Any]:
    """The record a training left in a folder; empty where there is none."""
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return {}
    return record


def train(run: Run, say: Say = print) -> Path:
    """Train, or continue an interrupted training, and put the result in ``run.output``.

    The output appears whole or not at all; what stood there before stays until then.

    Raises:
        ModelError: the base cannot be loaded, has no chat template, or does not fit into memory with these settings.
        OutputError: the output cannot be written, or holds something that is not a training.
    """
    import torch

    require_replaceable(run.output, (RECORD, "adapter_config.json"))
    _open_partial(run, say)
    started = time.monotonic()
    model, tokenizer = load_base(run.base, run.recipe.attention)
    trainer = _trainer(model, tokenizer, run)
    checkpoint = _last_checkpoint(run.partial / "checkpoints")
    try:
        trainer.train(resume_from_checkpoint=checkpoint)
    except torch.OutOfMemoryError as error:
        raise ModelError.of(
            f"base {run.base!r}",
            expected="a batch that fits into memory",
            got=first_line(error),
            remedy="Lower --batch or --max-length; --accumulation keeps the size of an update.",
        ) from error
    except OSError as error:
        raise unwritable(run.partial, error) from error
    finally:
        spent = _add_seconds(run.partial, time.monotonic() - started)
    record = run.identity | {
        "items": len(run.examples),
        "losses": [round(entry["loss"], 4) for entry in trainer.state.log_history if "loss" in entry],
        "seconds": round(spent, 1),
        "resumed": checkpoint is not None,
        "machine": _machine(),
    }
    _save(trainer, tokenizer, run, record)
    return run.output


def bucketed(examples: Sequence[Example], batch: int, rng: random.Random) -> list[Example]:
    """Reorder into batches of one kind and of like lengths, the batches themselves shuffled."""
    batches: list[list[Example]] = []
    for is_open in (True, False):
        group = [example for example in examples if (example.kind is Kind.OEQ) is is_open]
        rng.shuffle(group)
        window = batch * 50
        for start in range(0, len(group), window):
            ordered = sorted(group[start : start + window], key=lambda example: example.characters)
            batches += [ordered[place : place + batch] for place in range(0, len(ordered), batch)]
    rng.shuffle(batches)
    batches.sort(key=lambda each: len(each) < batch)
    return [example for each in batches for example in each]


def _trainer(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, run: Run) -> SFTTrainer:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import Trainer
    from trl import SFTConfig, SFTTrainer

    class LossOnly(SFTTrainer):  # type: ignore[misc]
        """Without TRL's entropy and accuracy of every step, a sixth of a small model's time (56 s, 47 s without)."""

        compute_loss = Trainer.compute_loss
        log = Trainer.log

    recipe, examples = run.recipe, run.examples
    if recipe.bucketed:
        rng = random.Random(recipe.seed)
        epochs = (bucketed(examples, recipe.batch, rng) for _ in range(recipe.epochs))
        examples = [example for epoch in epochs for example in epoch]
    adapter = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=list(PROJECTIONS),
        use_dora=True,
        task_type="CAUSAL_LM",
    )
    arguments = SFTConfig(
        output_dir=str(run.partial / "checkpoints"),
        per_device_train_batch_size=recipe.batch,
        gradient_accumulation_steps=recipe.accumulation,
        num_train_epochs=1 if recipe.bucketed else recipe.epochs,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.scheduler,
        warmup_steps=recipe.warmup,
        max_length=recipe.max_length,
        completion_only_loss=recipe.completion_only,
        pad_to_multiple_of=16 if recipe.bucketed else None,  # few shapes: a CPU compiles its kernels for each
        gradient_checkpointing=recipe.checkpointing,
        train_sampling_strategy="sequential" if recipe.bucketed else "random",
        bf16=_bf16(recipe.precision),
        use_cpu=not torch.cuda.is_available(),
        seed=recipe.seed,
        logging_steps=0.05,
        save_steps=0.1,
        save_total_limit=1,
        save_only_model=False,
        report_to="none",
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    return LossOnly(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list([example.row() for example in examples]),
        processing_class=tokenizer,
        peft_config=adapter if recipe.rank else None,
    )


def _bf16(precision: str) -> bool:
    """bf16 where the hardware multiplies it natively, unless told otherwise."""
    import torch

    if precision == "auto":
        return torch.cuda.is_bf16_supported() if torch.cuda.is_available() else torch.cpu._is_amx_tile_supported()
    return precision == "bf16"


def _machine() -> str:
    """What the training ran on, in words."""
    import torch

    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return f"{torch.get_num_threads()} CPU cores{' with AMX' if torch.cpu._is_amx_tile_supported() else ''}"


def _open_partial(run: Run, say: Say) -> None:
    """Make the folder of an unfinished run; one that belongs to another run (other data, other recipe) is emptied."""
    identity = json.dumps(run.identity, sort_keys=True, ensure_ascii=False)
    marker = run.partial / "run.json"
    try:
        if marker.is_file() and marker.read_text(encoding="utf-8") == identity:
            if _last_checkpoint(run.partial / "checkpoints"):
                say(f"{run.output}: continuing an interrupted training")
            return
        if run.partial.exists():
            say(f"{run.output}: an unfinished training of other data or settings is thrown away")
        shutil.rmtree(run.partial, ignore_errors=True)
        run.partial.mkdir(parents=True)
        marker.write_text(identity, encoding="utf-8")
    except OSError as error:
        raise unwritable(run.output, error) from error


def _add_seconds(partial: Path, seconds: float) -> float:
    """Seconds spent on a run in all its sessions, this one added."""
    clock = partial / "seconds.txt"
    spent = seconds + (float(clock.read_text()) if clock.is_file() else 0.0)
    clock.write_text(str(spent))
    return spent


def _last_checkpoint(folder: Path) -> str | None:
    """The newest whole checkpoint; the trainer writes its state last, so one without it was cut short."""
    from transformers.trainer_utils import get_last_checkpoint

    for cut in folder.glob("checkpoint-*"):
        if not (cut / "trainer_state.json").is_file():
            shutil.rmtree(cut)
    checkpoint: str | None = get_last_checkpoint(str(folder)) if folder.is_dir() else None  # type: ignore[no-untyped-call]
    return checkpoint


def _save(trainer: SFTTrainer, tokenizer: PreTrainedTokenizerBase, run: Run, record: dict[str, Any]) -> None:
    """Write the weights, the record and the card beside their place, then move the folder there."""
    whole = run.partial / "whole"
    shutil.rmtree(whole, ignore_errors=True)
    model = trainer.accelerator.unwrap_model(trainer.model)
    if run.recipe.rank:
        model.peft_config["default"].base_model_name_or_path = run.base
    try:
        model.save_pretrained(whole, safe_serialization=True)
        if not run.recipe.rank:
            tokenizer.save_pretrained(whole)
        (whole / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (whole / "README.md").write_text(card(record), encoding="utf-8")
        replace_folder(whole, run.output)
        shutil.rmtree(run.partial)
    except OSError as error:
        raise unwritable(run.output, error) from error
