"""From a profile of the registry to an engine that answers for it: where the files and the engine meet.

Knows nothing of pages, votes or terminals. What needs torch is imported inside the function.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from .adapters.registry import MINIATURE, Profile
from .domain import BASE, Mixture, Sampling
from .errors import InvalidValue, ModelError

if TYPE_CHECKING:
    from .engine.base import Engine


MINIATURE_TOKENS: Final = 192
"""New tokens of an answer of the miniature, unless asked otherwise: its longest answers end before."""


def sampling_for(profile: Profile) -> Sampling:
    """The study's sampling (greedy), with as many new tokens at most as the profile's answers need."""
    return Sampling(max_new_tokens=MINIATURE_TOKENS) if profile.name == MINIATURE else Sampling()


def load_engine(
    profile: Profile,
    mixtures: Sequence[Mixture] | None = None,
    *,
    device: str = "auto",
    quantization: str = "none",
    rows: int = 64,
    quiet: bool = True,
    key: str = "",
) -> Engine:
    """The named arms of a profile, or all that can answer, loaded or reached, with room for ``rows`` answers at once.

    ``key`` is the bearer token of the servers, where servers answer. ``quiet`` keeps the libraries from drawing
    progress bars: in a file they would hide the one line of an error.

    Raises:
        ModelError: the base or an arm is not there, or cannot be loaded.
        InvalidValue: a setting is none of those that are known, or the device is not on this machine.
    """
    if profile.remote:
        _require_nothing_of_this_machine(device, quantization)
        return _connected(profile, mixtures, rows, key)
    profile.require_base()
    mixtures = profile.installed if mixtures is None else mixtures
    for mixture in mixtures:
        profile.require_arm(mixture)
    from transformers.utils import logging

    from .engine.local import LocalEngine

    if quiet:
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    folders = {mixture: profile.arms[mixture].folder for mixture in mixtures if mixture != BASE}
    return LocalEngine.load(profile.base, folders, device=device, quantization=quantization, max_rows=rows)


def _connected(profile: Profile, mixtures: Sequence[Mixture] | None, rows: int, key: str) -> Engine:
    """The servers' engine; where arms are named, all of them must be there."""
    from .engine.remote import RemoteEngine

    wanted = profile.installed if mixtures is None else mixtures
    for mixture in wanted:
        profile.require_arm(mixture)
    engine = RemoteEngine.connect({mixture: profile.remote[mixture] for mixture in wanted}, key=key, most_rows=rows)
    missing = [] if mixtures is None else [each for each in mixtures if each not in engine.mixtures]
    if missing:
        engine.close()
        names = ", ".join(map(str, missing))
        raise ModelError(f"arms {names}: expected them at their server, got none. {' '.join(engine.remarks)}")
    return engine


def _require_nothing_of_this_machine(device: str, quantization: str) -> None:
    """Refuse what could only be honoured where the weights are."""
    for name, given, plain in (("device", device, "auto"), ("quantization", quantization, "none")):
        if given != plain:
            remedy = "Ask for it where the server is started."
            raise InvalidValue.of(name, expected=f"{plain} where a server answers", got=repr(given), remedy=remedy)
