"""TRL's ``SFTTrainer`` set up for a recipe: adapter or whole model, rows packed or not, AdamW or Muon.

Knows nothing of what is trained, nor of where the result goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from .recipe import PROJECTIONS, Example, Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTTrainer

IGNORED: Final = -100
"""Label of a token that carries no loss."""


def trainer_of(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    recipe: Recipe,
    checkpoints: Path,
) -> SFTTrainer:
    """A trainer that is ready to run."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import Trainer
    from trl import SFTConfig, SFTTrainer

    class LossOnly(SFTTrainer):  # type: ignore[misc]
        """Without TRL's entropy and accuracy of every step, a sixth of a small model's time (56 s, 47 s without)."""

        compute_loss = Trainer.compute_loss
        log = Trainer.log

    adapter = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=list(PROJECTIONS),
        use_dora=True,
        task_type="CAUSAL_LM",
    )
    trainer = LossOnly(
        model=model,
        args=SFTConfig(output_dir=str(checkpoints), **_arguments(recipe)),
        train_dataset=Dataset.from_list([example.row() for example in examples]),
        processing_class=tokenizer,
        peft_config=adapter if recipe.rank else None,
    )
    if recipe.packed:
        trainer.data_collator = PackedRows(recipe.max_length, int(tokenizer.pad_token_id or 0))
    if recipe.optimizer == "muon":
        trainer.optimizer = muon(trainer.model.named_parameters(), recipe.learning_rate)
    return trainer


def _arguments(recipe: Recipe) -> dict[str, Any]:
    on_gpu = torch.cuda.is_available()
    return {
        "per_device_train_batch_size": recipe.batch,
        "gradient_accumulation_steps": recipe.accumulation,
        "num_train_epochs": recipe.epochs,
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": recipe.scheduler,
        "warmup_steps": recipe.warmup,
        "max_length": recipe.max_length,
        "completion_only_loss": recipe.completion_only,
        "packing": recipe.packed,
        "torch_compile": recipe.compiled,
        "gradient_checkpointing": recipe.checkpointing,
        "bf16": bf16(recipe.precision),
        "use_cpu": not on_gpu,
        "seed": recipe.seed,
        "logging_steps": 0.05,
        "save_steps": 0.1,
        "save_total_limit": 1,
        "save_only_model": False,
        "report_to": "none",
        "dataloader_pin_memory": on_gpu,
        "dataloader_drop_last": recipe.compiled,
    }


def bf16(precision: str) -> bool:
    """bf16 where the hardware multiplies it natively, unless told otherwise."""
    if precision == "auto":
        return torch.cuda.is_bf16_supported() if torch.cuda.is_available() else torch.cpu._is_amx_tile_supported()
    return precision == "bf16"


@dataclass(frozen=True)
class PackedRows:
    """Collates packed examples into rows of one length: positions begin again at each example, so none sees another.

    TRL's own collator lays all rows end to end, which only FlashAttention reads in linear time.
    """

    length: int
    padding: int

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Rows of ``input_ids``, ``labels`` and ``seq_lengths`` to three tensors of (rows, length)."""
        shape = (len(rows), self.length)
        ids = torch.full(shape, self.padding)
        labels = torch.full(shape, IGNORED)
        positions = torch.zeros(shape, dtype=torch.long)
        for place, row in enumerate(rows):
            taken = len(row["input_ids"])
            ids[place, :taken] = torch.tensor(row["input_ids"])
            labels[place, :taken] = torch.tensor(row["labels"])
            starts = [*row["seq_lengths"], self.length - taken]
            positions[place] = torch.cat([torch.arange(each) for each in starts])
        return {"input_ids": ids, "labels": labels, "position_ids": positions}


class Paired(torch.optim.Optimizer):
    """Several optimizers, each over its own parameters, that a scheduler and a trainer see as one."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        self.parts = tuple(parts)
        super().__init__([group for part in self.parts for group in part.param_groups], {})

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step of each part."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """The states of the parts."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Put the states of the parts back."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]


MUON_RATE: Final = 7.0
"""Muon's rate as a multiple of AdamW's; its updates are orthogonal matrices, whose entries are small."""


def muon(parameters: Iterable[tuple[str, torch.nn.Parameter]], learning_rate: float) -> Paired:
    """Muon for the matrices, AdamW for embeddings and vectors. Source: Jordan et al. 2024, Muon; torch's own."""
    trained = [(name, each) for name, each in parameters if each.requires_grad]
    matrices = [each for name, each in trained if each.ndim == 2 and "embed" not in name and "lm_head" not in name]
    taken = {id(each) for each in matrices}
    others = [each for _, each in trained if id(each) not in taken]
    return Paired(
        [
            torch.optim.Muon(matrices, lr=MUON_RATE * learning_rate, weight_decay=0.0),
            torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True),
        ]
    )
