"""DoRA fine-tuning with the study's settings as defaults, on any base and any rows of the study's fields.

This module says what is trained on what, keeps an interrupted run resumable, and writes a standard PEFT folder with its
record and its card. Knows nothing of how rows were made.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..engine.loading import first_line, load_base
from ..errors import ModelError, OutputError
from ..files import unwritable, write_whole
from .card import card
from .files import replace_folder, require_replaceable
from .recipe import Example, Recipe
from .trainer import trainer_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from trl import SFTTrainer

RECORD: Final = "training.json"
WEIGHTS: Final = ("adapter_model.safetensors", "model.safetensors")
Say = Callable[[str], None]


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
    trainer = trainer_of(model, tokenizer, run.examples, run.recipe, run.partial / "checkpoints")
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
    """Seconds spent on a run in all its sessions, this one added; a clock that is lost begins anew."""
    clock = partial / "seconds.txt"
    with suppress(OSError, ValueError):
        seconds += float(clock.read_text(encoding="utf-8"))
    with suppress(OutputError):  # a full disk: what the training itself says of it is more
        write_whole(clock, str(seconds))
    return seconds


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
