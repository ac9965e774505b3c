"""How many rows of how many tokens fit beside a loaded model: their keys and values are what grows with both.

Arithmetic over what a model's configuration and its device say. Knows nothing of adapters or of who asks.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any, Final

from ..errors import InvalidValue, ModelError
from .device import free_memory
from .distinct import SAMPLE
from .halves import precision_of
from .layout import known_tokens, prompt_tokens
from .loading import require_full_attention
from .prepare import Prepared

_log = logging.getLogger(__name__)

FEWEST_ROWS: Final = 8
"""A comparison of eight arms answers at once, or nothing here is worth its name."""
SHORTEST: Final = 512
"""Tokens below which a context that nobody asked for in so many words is refused rather than lowered further."""
STEP: Final = 256
"""Tokens by which a context is lowered."""
SHARE: Final = 0.9
"""Of the free memory; the rest is for what a forward holds while it runs."""


@dataclass(frozen=True)
class Room:
    """Rows that can be in flight at once, and the tokens of each, prompt and answer."""

    rows: int
    context: int
    lowered: str = ""
    """A sentence that says why there is less than was asked for; empty where there is not."""


def token_bytes(model: Any) -> int:
    """Bytes of one token's keys and values in a model's precision."""
    config = model.config
    heads = int(config.num_attention_heads)
    width = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
    kept = int(getattr(config, "num_key_value_heads", None) or heads)
    return 2 * int(config.num_hidden_layers) * kept * width * precision_of(model).itemsize


def room_for(wanted: Room, token: int, free: int | None, shortest: int = SHORTEST) -> Room:
    """What fits of the rows and the context wanted: fewer rows first, which then wait for a place; then less context.

    ``token`` is a token's bytes, ``free`` those of the device, None where nobody knows.

    Raises:
        ModelError: eight rows (or those wanted, where fewer) of ``shortest`` tokens do not fit.
    """
    places = wanted.rows * wanted.context if free is None else int(SHARE * free) // token
    if wanted.rows * wanted.context <= places:
        return wanted
    rows = max(min(wanted.rows, FEWEST_ROWS), min(wanted.rows, places // wanted.context))
    context = wanted.context if rows * wanted.context <= places else places // rows // STEP * STEP
    need, there = wanted.rows * wanted.context * token / 1e9, (free or 0) / 1e9
    if context < min(shortest, wanted.context):
        raise ModelError.of(
            "keys and values",
            expected=f"room for {rows} rows of {min(shortest, wanted.context)} tokens",
            got=f"{there:.1f} GB free, {token / 1e6:.3f} MB a token",
            remedy="Lower max_context or max_rows, quantise the base, or free memory.",
        )
    lowered = (
        f"{wanted.rows} rows of {wanted.context} tokens need {need:.1f} GB, {there:.1f} GB are free: "
        f"{rows} rows of {context} tokens are held."
    )
    return Room(rows, context, lowered)


def room_of(prepared: Prepared, wanted: Room, shortest: int) -> Room:
    """The rows and the context that a base has and its device's memory holds; the log says where there is less.

    Raises:
        ModelError: as ``room_for``, or layers look less far back.
        InvalidValue: the context does not hold the question by which arms are told apart.
    """
    config = prepared.model.config
    most = min(wanted.context, int(getattr(config, "max_position_embeddings", wanted.context)))
    require_full_attention(config, prepared.base.name, most)
    least = 1 + len(prompt_tokens(prepared.tokenizer, SAMPLE, known_tokens(prepared.model)))
    if most < least:
        expected = f"at least {least}, for the question by which arms are told apart"
        raise InvalidValue.of("max_context", expected=expected, got=str(most))
    free = free_memory(prepared.model.device)
    room = room_for(Room(wanted.rows, most), token_bytes(prepared.model), free, shortest)
    if most < wanted.context == shortest and not room.lowered:  # it was asked for in so many words
        room = replace(room, lowered=f"the base has {most} positions, not {wanted.context}: so many tokens are held.")
    if room.lowered:
        _log.warning("%s", room.lowered)
    return room
