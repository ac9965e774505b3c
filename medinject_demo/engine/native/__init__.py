"""A forward by a library that this machine's C compiler makes of ``step.c``: several times as fast as transformers'
on a processor in fp32, for models of the kind that ``engine.parts`` tells."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ..steps import Forward
    from .step import NativeSteps

FEWEST: Final = 32
"""Tokens of prompts that it feeds as fast, by the token, as more: a panel's of the longest vectors (``products.h``)."""
LONGEST: Final = 64
"""Tokens of the longest row for which the two are compared."""

_log = logging.getLogger(__name__)


def reads_halves(model: Any) -> bool:
    """Whether the library is there and computes models of this kind: then matrices in bf16 can stay as they are."""
    from ..parts import NotOfThisKind, layers_of
    from .build import NotBuilt, library
    from .tables import require_shapes

    try:
        require_shapes(model, layers_of(model, context=1))
        library()
    except (NotOfThisKind, NotBuilt):
        return False
    return True


def native_steps(forward: Forward, context: int) -> NativeSteps | None:
    """The steps of a model whose rows have up to ``context`` tokens, while no row is in flight.

    None where the library is not there, does not compute this model, or differs from transformers; the log says why.
    """
    from ..parts import NotOfThisKind
    from ..routes import agrees, remembers
    from .build import NotBuilt
    from .step import NativeSteps

    try:
        steps = NativeSteps(forward, context)
    except (NotOfThisKind, NotBuilt) as error:
        _log.warning("answers come several times as slowly as they could: %s (doctor tells what to do)", error)
        return None
    longest = min(context, LONGEST)
    most = min(forward.cache.count, 1 + forward.bank.top)
    return steps if agrees(steps, forward, most, longest) and remembers(steps, forward, longest) else None
