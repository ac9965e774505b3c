"""Where a base came from: what its adapters' fingerprints and scales depend on, in whatever precision it runs.

Knows nothing of slots or rows.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from ..files import said_in, sha256_of
from .adapter import Adapter, another_base
from .adapter_settings import CONFIG
from .loading import load_base
from .scales import scales_of

_log = logging.getLogger(__name__)
RECORDS: Final = ("training.json", "recovery.json")
"""What this project leaves beside an adapter that it trained, recovered or converted; ``base_weights`` in it is the
hash of the base's weight files."""
WEIGHTS: Final = "model.safetensors"
"""The one file of a base without shards: where it is there, it is what is loaded."""
HUB: Final = re.compile(r"[\w-][\w.-]*/[\w.-]+")
"""What may be a repository of the Hub, and is no path that begins with a dot or a slash."""


@dataclass(frozen=True)
class Base:
    """Where a base came from, and its weights as they are stored for as long as these are there."""

    name: str
    fingerprint: str
    """Hash of a folder's weight files, or of the name and commit of a repository; 16 hexadecimal digits."""
    weights: str | None = None
    """Hash of its weight file, of the hashes of its shards where there are several; 16 hexadecimal digits. None where
    it is no folder with weights."""
    stored: Any = field(default=None, repr=False)
    """The model while it holds the weights as they are stored; None once they are cast or quantised."""
    device: str = "cpu"
    """Where scales are computed."""

    @classmethod
    def of(cls, name: str, model: Any, device: str = "cpu") -> Base:
        """The origin of a model that was just loaded by this name."""
        if Path(name).is_dir():
            return replace(cls.of_folder(name), stored=model, device=device)
        return cls(name, _hub_print(name, model), None, model, device)

    @classmethod
    def of_folder(cls, name: str) -> Base:
        """The origin of a base whose files are in a folder; reads all of them."""
        hashes = {path.name: sha256_of(path) for path in sorted(Path(name).glob("*.safetensors"))}
        together = hashlib.sha256(b"".join(map(bytes.fromhex, hashes.values()))).hexdigest()
        alone = hashes.get(WEIGHTS) or (next(iter(hashes.values())) if len(hashes) == 1 else None)
        return cls(name, together[:16], (alone or together)[:16] if hashes else None)

    @classmethod
    def of_commit(cls, name: str, commit: str) -> Base:
        """The origin of a base that is a repository of the Hub, at one of its commits."""
        return cls(name, hashlib.sha256(f"{name}@{commit}".encode()).hexdigest()[:16])

    def joined(self, adapter: Adapter) -> str:
        """Hash of an adapter and the base together, 16 hexadecimal digits."""
        return hashlib.sha256(f"{self.fingerprint} {adapter.fingerprint}".encode()).hexdigest()[:16]

    def scales(self, adapter: Adapter, folder: Path) -> dict[str, Tensor]:
        """The scales of an adapter's layers: those kept beside it, else computed from the weights as they are stored.

        One layer at a time is on the device for it. A base that was cast or quantised is read from its files again,
        once for each adapter without kept scales: on the CPU, as they are stored.
        """

        @functools.cache
        def whole() -> Any:
            return load_base(self.name)[0] if self.stored is None else self.stored

        def weight(name: str) -> Tensor:
            stored: Tensor = whole().get_submodule(name).weight
            return stored.to(self.device)

        return scales_of(adapter, self.joined(adapter), folder, weight)


def require_made_for(folder: Path, base: Base) -> None:
    """Refuse an adapter whose folder names another base.

    A record of its making tells by the hash of the base's weight files, ``adapter_config.json`` by the name of a
    repository of the Hub. Where either side tells neither, the shapes have to do. A name of one slash may also be a
    folder of the machine where the adapter was made: it is refused where it is known for another repository, else
    logged. The same weights in other shards are other files, and refused: nothing shows that they are the same without
    reading both.

    Raises:
        ModelError: the adapter was made for another base.
    """
    record, made = made_for(folder)
    if made is not None and base.weights is not None:
        if made != base.weights:
            raise another_base(folder, f"one made for weights of the hash {made}, not {base.weights}, by its {record}")
        return
    named = str(said_in(folder / CONFIG).get("base_model_name_or_path"))
    if not (HUB.fullmatch(named) and is_repository(base.name)) or named.lower() == base.name.lower():
        return
    if is_repository(named) and _is_known(named, base, folder):
        raise another_base(folder, f"one made for {named}, by its {CONFIG}")
    _log.warning(
        "%s names the base %s, which may be a folder: only the shapes tell that it is %s", folder, named, base.name
    )


def is_repository(name: str) -> bool:
    """True where a name can be that of a repository of the Hub, and no folder here has it."""
    return bool(HUB.fullmatch(name)) and not Path(name).is_dir()


def _is_known(named: str, base: Base, folder: Path) -> bool:
    """True where a name is a repository for sure: of the base's owner, read at a commit, or in the Hub's cache."""
    from huggingface_hub import try_to_load_from_cache

    read = said_in(folder / RECORDS[1]).get("base")
    at_commit = isinstance(read, dict) and read.get("name") == named and bool(read.get("commit"))
    one_owner = named.partition("/")[0].lower() == base.name.partition("/")[0].lower()
    return one_owner or at_commit or isinstance(try_to_load_from_cache(named, "config.json"), str)


def made_for(folder: Path) -> tuple[str, str | None]:
    """The record beside an adapter that tells its base's weights, and their hash; None where no record does."""
    said = ((record, said_in(folder / record).get("base_weights")) for record in RECORDS)
    return next(((record, str(made)) for record, made in said if made is not None), ("", None))


def _hub_print(name: str, model: Any) -> str:
    """Hash of a repository's name and commit; of the tensors themselves where the local cache tells no commit."""
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(name, "config.json")
    if isinstance(cached, str):
        return Base.of_commit(name, Path(cached).parent.name).fingerprint
    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
