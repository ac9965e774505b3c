"""The registry: which profiles exist, and for each arm its adapter folder, its published checkpoint, or its server.

Reads ``adapters/registry.toml``. Imports neither torch nor pydantic: a GPU host may have little else than torch.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from ..domain import ARMS, BASE, MIXTURES, Mixture
from ..engine.endpoint import Endpoint, interface
from ..errors import InvalidData, InvalidValue, ModelError

REGISTRY: Final = Path(__file__).parents[2] / "adapters" / "registry.toml"
MINIATURE: Final = "mini"
REMOTE: Final = "remote"
"""The profile of a server whose models nobody has named: ``auto`` where an address of one is set."""
STUDIED: Final = "qwen3-4b"
"""The study's own models."""
ADAPTER_FILES: Final = ("adapter_config.json", "adapter_model.safetensors")


@dataclass(frozen=True)
class Arm:
    """One fine-tuned arm: where its adapter lies, and the merged checkpoint it can be recovered from."""

    mixture: Mixture
    folder: Path
    merged: str = ""

    @property
    def installed(self) -> bool:
        """True where the folder holds a PEFT adapter."""
        return all((self.folder / name).is_file() for name in ADAPTER_FILES)


@dataclass(frozen=True)
class Profile:
    """A base and its arms."""

    name: str
    title: str
    notice: str
    base: str
    """A folder (written ``./…`` in the registry, relative to it), or a repository of the Hub."""
    arms: Mapping[Mixture, Arm]
    """The arms that have a folder on this machine."""
    endpoints: Mapping[Mixture, Endpoint] = field(default_factory=dict)
    """Where each arm and the base are served, or would be; without an address where no server is named."""

    @property
    def remote(self) -> dict[Mixture, Endpoint]:
        """The arms that a server answers for; none where this machine answers."""
        return {mixture: each for mixture, each in self.endpoints.items() if each.url}

    def at(self, url: str) -> Profile:
        """The same profile with one server for all its arms.

        Raises:
            InvalidValue: it is no address of a server.
        """
        root = interface(url)
        return replace(self, endpoints={mixture: replace(each, url=root) for mixture, each in self.endpoints.items()})

    @property
    def installed(self) -> tuple[Mixture, ...]:
        """The arms that can answer now, the base first; of a server, those that are declared, there or not."""
        if self.remote:
            return tuple(mixture for mixture in MIXTURES if mixture in self.remote)
        return (BASE, *(mixture for mixture in ARMS if mixture in self.arms and self.arms[mixture].installed))

    def require_base(self) -> None:
        """Check that there is a base, and one written as a folder is there.

        Raises:
            ModelError: it is not; the sentence says how to get it.
        """
        if not self.base:
            raise self._without_server(f"profile {self.name!r}")
        if Path(self.base).is_absolute() and not (Path(self.base) / "config.json").is_file():
            raise ModelError.of(
                f"profile {self.name!r}",
                expected=f"its base in {self.base}",
                got="none",
                remedy="Build it with: make miniature (about an hour on two cores).",
            )

    def require_arm(self, mixture: Mixture) -> None:
        """Check that an arm can answer.

        Raises:
            ModelError: the profile has no such arm, or its adapter is not there; the sentence says how to get it.
        """
        if mixture in self.installed and (self.base or self.remote):
            return
        if mixture not in self.endpoints:
            known = ", ".join(map(str, self.endpoints))
            raise ModelError.of(f"profile {self.name!r}", expected=f"an arm among {known}", got=repr(mixture.slug))
        if self.remote or mixture not in self.arms:
            raise self._without_server(f"arm {mixture} of profile {self.name!r}")
        raise ModelError.of(
            f"arm {mixture}",
            expected=f"an adapter in {self.arms[mixture].folder}",
            got="none",
            remedy=self.remedy(mixture),
        )

    def _without_server(self, what: str) -> ModelError:
        remedy = "Set MEDINJECT_ENGINE_URL, or write url in the registry."
        return ModelError.of(what, expected="the address of the server that answers for it", got="none", remedy=remedy)

    def remedy(self, mixture: Mixture) -> str:
        """How to get the adapter of an arm."""
        if self.name == MINIATURE:
            return "Train the miniature's arms with: make miniature"
        if self.arms[mixture].merged:
            return f"Recover it from its published checkpoint: {self._recover} --mixture {mixture}"
        folder = self.arms[mixture].folder
        command = f"python -m medinject_demo train --mixture {mixture} --base {self.base} --output {folder}"
        return f"Put a PEFT adapter in {folder}, or train one: {command}"

    @property
    def missing(self) -> tuple[Mixture, ...]:
        """The arms that are not installed."""
        return tuple(mixture for mixture in ARMS if mixture in self.arms and not self.arms[mixture].installed)

    @property
    def install(self) -> str:
        """The one command that installs every arm that is missing; empty where one has no published checkpoint."""
        known = self.missing and all(self.arms[mixture].merged for mixture in self.missing)
        return f"{self._recover} --missing" if known else ""

    @property
    def _recover(self) -> str:
        model = "" if self.name == STUDIED else f" --model {self.name}"
        return f"python -m medinject_demo adapters recover{model}"


def load_registry(path: Path = REGISTRY) -> dict[str, Profile]:
    """Read the profiles.

    Raises:
        InvalidData: the sentence names the file, the profile and the field.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidData.of(str(path), expected="the registry of profiles", got=str(error.strerror)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidData.of(str(path), expected="valid TOML", got=str(error), remedy="Mend that line.") from error
    return {name: _profile(name, table, path) for name, table in tables.items()}


def profile(name: str, path: Path = REGISTRY) -> Profile:
    """One profile by name.

    Raises:
        InvalidValue: the registry has no such profile.
    """
    profiles = load_registry(path)
    if name not in profiles:
        raise InvalidValue.of("model", expected=f"one of {', '.join(profiles)}", got=repr(name))
    return profiles[name]


def serving(model: str, path: Path = REGISTRY, engine_url: str = "", *, cache: Path | None = None) -> Profile:
    """The profile that a setting of the model means.

    ``auto`` is what a server has where ``engine_url`` is one, which answers for all its arms; else the study's own
    where a GPU, its base and an arm of it are on this machine; else the miniature. ``cache`` is the Hub's, the
    library's own where None.

    Raises:
        InvalidValue: the registry has no such profile, or the address is none.
    """
    if engine_url:
        return profile(REMOTE if model == "auto" else model, path).at(engine_url)
    if model != "auto":
        return profile(model, path)
    studied = load_registry(path).get(STUDIED)
    return studied if studied is not None and _answers(studied, cache) else profile(MINIATURE, path)


def _answers(studied: Profile, cache: Path | None) -> bool:
    """True where a profile that needs a GPU can answer here; files are looked for first, for torch is slow to load."""
    from ..engine.device import accelerators
    from .presence import base_files

    try:
        return len(studied.installed) > 1 and base_files(studied.base, cache).whole and bool(accelerators())
    except (ImportError, OSError, RuntimeError):  # a library or a driver that is missing
        return False


def _profile(name: str, table: Any, path: Path) -> Profile:
    where = f"{path.name}, [{name}]"
    if not isinstance(table, dict):
        raise InvalidData.of(where, expected="a table", got=repr(table))
    title, notice = (_text(table, key, where) for key in ("title", "notice"))
    base = _text(table, "base", where) if "model" not in table or "base" in table else ""
    folder, listed = path.parent / base, table.get("arms", {})
    if not isinstance(listed, dict):
        raise InvalidData.of(f"{where}: field 'arms'", expected="a table", got=repr(listed))
    url = _url(table, where, "")
    read = [_arm(slug, arm, where, path.parent) for slug, arm in listed.items()]
    names = (str(table["model"]),) if "model" in table else (BASE.slug, base)
    endpoints = {BASE: Endpoint(url, names)} | {arm.mixture: _endpoint(arm, listed, where, url) for arm in read}
    arms = {arm.mixture: arm for arm in read if "folder" in listed[arm.mixture.slug]}
    return Profile(name, title, notice, str(folder) if base.startswith("./") else base, arms, endpoints)


def _text(table: dict[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise InvalidData.of(f"{where}: field {key!r}", expected="a text", got=repr(value))
    return value


def _arm(slug: str, arm: Any, where: str, root: Path) -> Arm:
    known = {mixture.slug: mixture for mixture in MIXTURES if mixture is not BASE}
    if slug not in known:
        raise InvalidData.of(f"{where}.arms", expected=f"arms among {', '.join(known)}", got=repr(slug))
    place = f"{where}.arms.{slug}"
    if not isinstance(arm, dict) or not {"folder", "model"} & arm.keys():
        raise InvalidData.of(f"{place}: field 'folder'", expected="a path, or a field 'model'", got=repr(arm))
    for key, expected in (("folder", "a path"), ("model", "a name")):
        if key in arm and not (isinstance(arm[key], str) and arm[key]):
            raise InvalidData.of(f"{place}: field {key!r}", expected=expected, got=repr(arm[key]))
    merged = arm.get("merged", "")
    return Arm(known[slug], root / arm.get("folder", ""), merged if isinstance(merged, str) else "")


def _endpoint(arm: Arm, listed: Mapping[str, Any], where: str, url: str) -> Endpoint:
    """Where an arm is served: under the name that is written, else its slug or its published checkpoint's."""
    table = listed[arm.mixture.slug]
    names = (table["model"],) if "model" in table else tuple(filter(None, (arm.mixture.slug, arm.merged)))
    folder = arm.folder if "folder" in table else None
    own = _url(table, f"{where}.arms.{arm.mixture}", url)
    return Endpoint(own, names, folder, arm.merged, merged=table.get("merged") is True)


def _url(table: Mapping[str, Any], where: str, url: str) -> str:
    """The address of a server that a table names, else another."""
    try:
        return interface(str(table["url"])) if "url" in table else url
    except InvalidValue as error:
        raise InvalidData(f"{where}: {error}") from error
