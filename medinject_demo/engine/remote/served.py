"""What servers say they serve, and which arm is which: models found, and those that would answer wrongly refused.

Reads answers of ``GET /models`` and, where a server names a folder that this machine has too, the configuration of the
adapter in it. Knows nothing of connections.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ...domain import Mixture
from ...errors import ModelError
from ..endpoint import Endpoint

CONFIG: Final = "adapter_config.json"
REFUSES_DORA: Final = ("vllm", "sglang")
"""Values of ``owned_by`` whose servers refuse a DoRA adapter when it is loaded: what they serve is none."""


@dataclass(frozen=True)
class Card:
    """What a server says of one model."""

    id: str
    owner: str = ""
    root: str = ""
    """Folder or repository of its weights or adapter, as the server knows it."""
    parent: str = ""
    """The base, where the model is an adapter."""
    context: int | None = None
    """Tokens of a prompt and its answer together."""


@dataclass(frozen=True)
class Served:
    """An arm that can answer: where, and as which model."""

    endpoint: Endpoint
    card: Card
    system: str = ""
    """What the server calls its own configuration (``system_fingerprint``)."""

    @property
    def model(self) -> str:
        """The name that requests carry."""
        return self.card.id

    @property
    def fingerprint(self) -> str:
        """Hash of everything that a server tells of what answers; never of weights, which nobody here has seen.

        Without the field ``created``: vLLM fills it with the time of the question.
        """
        told = [self.endpoint.place, self.card.id, self.card.root, self.card.parent, self.system]
        return f"remote-{hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]}"


def cards(said: Any) -> list[Card]:
    """The models of an answer to ``GET /models``; an adapter has its base's context.

    Raises:
        ValueError: the answer is of another shape.
    """
    listed = said.get("data") if isinstance(said, dict) else None
    if not isinstance(listed, list) or not all(isinstance(each, dict) and each.get("id") for each in listed):
        raise ValueError("no list of models")
    found = [_card(each) for each in listed]
    contexts = {card.id: card.context for card in found}
    return [replace(card, context=card.context or contexts.get(card.parent)) for card in found]


def _card(said: Mapping[str, Any]) -> Card:
    name, owner, root, parent = (str(said.get(field) or "") for field in ("id", "owned_by", "root", "parent"))
    context = said.get("max_model_len")
    return Card(name, owner, root, parent, context if isinstance(context, int) else None)


def found(endpoint: Endpoint, models: Mapping[str, Card]) -> Card | None:
    """The model that an arm is served as, among those of its server by name; None where there is none."""
    return next((models[name] for name in endpoint.models if name in models), None)


def require_honest(arms: Mapping[Mixture, Served]) -> None:
    """Check what can be known of the arms before anything is asked.

    Raises:
        ModelError: an arm's magnitude may be dropped, or two arms are one model.
    """
    for mixture, arm in arms.items():
        _require_magnitude(mixture, arm)
    taken: dict[tuple[str, ...], Mixture] = {}
    for mixture, arm in arms.items():
        for what in _identities(arm):
            if taken.setdefault(what, mixture) != mixture:
                raise same(taken[what], mixture, f"one model, {arm.model!r} of {arm.endpoint.place}")


def same(one: Mixture, other: Mixture, got: str) -> ModelError:
    """The error of two arms that would answer alike."""
    remedy = "Name another model for one of them in the registry, or check the server's adapters."
    return ModelError.of(f"arms {one} and {other}", expected="answers that differ", got=got, remedy=remedy)


def _identities(arm: Served) -> Iterator[tuple[str, ...]]:
    """What no other arm may have: a model's name, and its weights, at one server."""
    yield arm.endpoint.url, "name", arm.model
    if arm.card.root:
        yield arm.endpoint.url, "root", arm.card.root


def _require_magnitude(mixture: Mixture, arm: Served) -> None:
    """Refuse an arm that is, or may be, a DoRA adapter on a server that computes plain LoRA."""
    checkpoint = arm.endpoint.checkpoint
    if arm.endpoint.merged or (checkpoint and checkpoint in (arm.card.id, arm.card.root)):
        return
    folder = Path(arm.card.root)
    if arm.card.root and folder.is_absolute() and is_dora(folder):
        raise _dropped(mixture, arm, folder)
    declared = arm.endpoint.folder
    if arm.card.owner not in REFUSES_DORA and declared is not None and is_dora(declared):
        raise _dropped(mixture, arm, declared)


def _dropped(mixture: Mixture, arm: Served, folder: Path) -> ModelError:
    return ModelError.of(
        f"arm {mixture}, model {arm.model!r} of {arm.endpoint.place}",
        expected="full weights or a plain LoRA adapter",
        got=f"the DoRA adapter of {folder}, whose magnitude such a server would drop without a word",
        remedy="Convert it for this server (python -m medinject_demo adapters convert), serve the merged checkpoint "
        "and declare merged = true, or load it here, where it is honoured.",
    )


def lora_modules(folders: Mapping[Mixture, Path]) -> list[str]:
    """What follows ``vllm serve BASE --enable-lora --lora-modules``: each arm under its slug.

    Raises:
        ModelError: a folder holds DoRA, which vLLM refuses and other servers take for plain LoRA.
    """
    for mixture, folder in folders.items():
        if is_dora(folder):
            remedy = "Convert it (python -m medinject_demo adapters convert), or serve the merged checkpoint."
            raise ModelError.of(f"arm {mixture}", expected="plain LoRA", got=f"DoRA in {folder}", remedy=remedy)
    return [f"{mixture}={folder}" for mixture, folder in folders.items()]


def is_dora(folder: Path) -> bool:
    """True where a folder holds a DoRA adapter, as far as it can be read."""
    try:
        said = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and bool(said.get("use_dora"))
