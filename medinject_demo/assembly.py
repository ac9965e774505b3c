"""From a profile of the registry to an engine that answers for it: where the files and the engine meet.

Knows nothing of pages, votes or terminals. What needs torch is imported inside the function.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from .adapters.registry import MINIATURE, Profile
from .domain import BASE, Mixture, Sampling

if TYPE_CHECKING:
    from .engine.base import Engine


MINIATURE_TOKENS: Final = 192
"""New tokens of an answer of the miniature, unless asked otherwise: its longest answers end before."""


def sampling_for(profile: Profile) -> Sampling:
    """The study's sampling (greedy), with as many new tokens at most as the profile's answers need."""
    return Sampling(max_new_tokens=MINIATURE_TOKENS) if profile.name == MINIATURE else Sampling()


def load_engine(
    profile: Profile,
    mixtures: Sequence[Mixture],
    *,
    device: str = "auto",
    quantization: str = "none",
    rows: int = 64,
    quiet: bool = True,
) -> Engine:
    """The named arms of a profile, loaded, with room for ``rows`` answers at once.

    ``quiet`` keeps the libraries from drawing progress bars: in a file they would hide the one line of an error.

    Raises:
        ModelError: the base or an arm is not there, or cannot be loaded.
        InvalidValue: a setting is none of those that are known, or the device is not on this machine.
    """
    profile.require_base()
    for mixture in mixtures:
        profile.require_arm(mixture)
    from transformers.utils import logging

    from .engine.local import LocalEngine

    if quiet:
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    folders = {mixture: profile.arms[mixture].folder for mixture in mixtures if mixture != BASE}
    return LocalEngine.load(profile.base, folders, device=device, quantization=quantization, max_rows=rows)
