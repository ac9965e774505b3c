"""A decode step of few kernels, on GPUs and where Triton is: the models of the kind that ``parts`` tells."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..captured import Way
    from ..steps import Forward

_log = logging.getLogger(__name__)


def fused_way(forward: Forward, context: int) -> Way | None:
    """The fused way of a model's steps; None where Triton is missing or the model is of another kind."""
    try:
        from .parts import NotOfThisKind
        from .step import FusedWay
    except ImportError as error:
        _log.info("no fused step: %s", error)
        return None
    try:
        return FusedWay(forward, context)
    except NotOfThisKind as error:
        _log.info("no fused step for this model, which has %s", error)
        return None
