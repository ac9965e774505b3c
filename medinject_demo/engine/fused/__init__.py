"""A decode step of few kernels, on GPUs and where Triton is: the models of the kind that ``engine.parts`` tells."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..routes import Route
    from ..steps import Forward

_log = logging.getLogger(__name__)


def fused_route(forward: Forward, context: int) -> Route | None:
    """The fused route of a model's steps; None where Triton is missing or the model is of another kind."""
    from ..parts import NotOfThisKind

    try:
        from .step import FusedRoute
    except ImportError as error:
        _log.warning("no fused step, which would be several times as fast: %s", error)
        return None
    try:
        return FusedRoute(forward, context)
    except NotOfThisKind as error:
        _log.warning("no fused step, which would be several times as fast, for this model, which has %s", error)
        return None
