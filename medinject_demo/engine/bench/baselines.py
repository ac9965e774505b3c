"""The other ways: transformers' ``generate`` on the bare base, peft one adapter after the other, peft's mixed batch.

Each as fast as the libraries let it be: DoRA's norms cached, adapters in the base's precision, no step but theirs.
Knows nothing of the engine under test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...domain import Mixture
from ...errors import ModelError
from ..base import Request
from ..device import DTYPES
from ..loading import load_base
from .stage import Stage


class Generator:
    """A model of transformers or peft, and its tokenizer; texts out, all rows of a call in one batch."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.tokenizer.padding_side = "left"

    def say(self, requests: Sequence[Request], **given: Any) -> list[str]:
        """Greedy answers of what is loaded, as it is set.

        Raises:
            ModelError: the answers are shorter than was asked for.
        """
        import torch

        (wanted,) = {request.sampling.max_new_tokens for request in requests}
        inputs = self.tokenizer.apply_chat_template(
            [[dict(message) for message in request.messages] for request in requests],
            add_generation_prompt=True,
            padding=True,
            return_tensors="pt",
            return_dict=True,
        ).to(self.model.device)
        with torch.inference_mode():
            output = self.model.generate(**inputs, max_new_tokens=wanted, do_sample=False, **given)
        rows = output[:, inputs["input_ids"].shape[1] :].tolist()  # on the host: the device has finished
        if len(rows[0]) != wanted:
            raise ModelError.of("answers of generate", expected=f"{wanted} tokens", got=str(len(rows[0])))
        return [str(self.tokenizer.decode(row, skip_special_tokens=True)) for row in rows]

    def one_by_one(self, requests: Sequence[Request]) -> list[str]:
        """Each request by its own adapter: ``set_adapter`` and ``generate``, one after the other."""
        texts = []
        for request in requests:
            self.model.set_adapter(request.mixture.slug)
            texts += self.say([request])
        return texts

    def mixed(self, requests: Sequence[Request]) -> list[str]:
        """One batch, each row by its own adapter, in peft's own way (plain LoRA only)."""
        return self.say(requests, adapter_names=[request.mixture.slug for request in requests])


@contextmanager
def through_peft(stage: Stage, adapters: Mapping[Mixture, Path]) -> Iterator[Generator]:
    """The base with adapters through peft, DoRA's norms and products cached (``peft.helpers.DoraCaching``)."""
    from peft import PeftModel
    from peft.helpers import DoraCaching

    loaded = plain(stage)
    for mixture, folder in adapters.items():
        if isinstance(loaded.model, PeftModel):
            loaded.model.load_adapter(str(folder), adapter_name=mixture.slug, autocast_adapter_dtype=False)
        else:
            loaded.model = PeftModel.from_pretrained(
                loaded.model, str(folder), adapter_name=mixture.slug, autocast_adapter_dtype=False
            )
    loaded.model.eval()
    with DoraCaching():
        yield loaded


def plain(stage: Stage) -> Generator:
    """The base as transformers loads it."""
    import torch

    model: Any
    model, tokenizer = load_base(str(stage.subject.base))
    model.requires_grad_(False).to(getattr(torch, DTYPES[stage.dtype])).to(stage.device)
    return Generator(model, tokenizer)
