"""The registry: which profiles exist, and for each arm its adapter folder and its published checkpoint.

Reads ``adapters/registry.toml``. Imports neither torch nor pydantic: a GPU host may have little else than torch.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..domain import ARMS, BASE, MIXTURES, Mixture
from ..errors import InvalidData, InvalidValue, ModelError

REGISTRY: Final = Path(__file__).parents[2] / "adapters" / "registry.toml"
MINIATURE: Final = "mini"
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

    @property
    def installed(self) -> tuple[Mixture, ...]:
        """The arms that can answer now, the base first."""
        return (BASE, *(mixture for mixture in ARMS if mixture in self.arms and self.arms[mixture].installed))

    def require_base(self) -> None:
        """Check that a base written as a folder is there.

        Raises:
            ModelError: it is not; the sentence says how to get it.
        """
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
        if mixture in self.installed:
            return
        if mixture not in self.arms:
            known = ", ".join(map(str, (BASE, *self.arms)))
            raise ModelError.of(f"profile {self.name!r}", expected=f"an arm among {known}", got=repr(mixture.slug))
        raise ModelError.of(
            f"arm {mixture}",
            expected=f"an adapter in {self.arms[mixture].folder}",
            got="none",
            remedy=self.remedy(mixture),
        )

    def remedy(self, mixture: Mixture) -> str:
        """How to get the adapter of an arm."""
        if self.name == MINIATURE:
            return "Train the miniature's arms with: make miniature"
        folder = self.arms[mixture].folder
        command = f"python -m medinject_demo train --mixture {mixture} --base {self.base} --output {folder}"
        return f"Put a PEFT adapter in {folder}, or train one: {command}"


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


def serving(model: str, path: Path = REGISTRY) -> Profile:
    """The profile that a setting of the model means: ``auto`` is the miniature for now.

    Raises:
        InvalidValue: the registry has no such profile.
    """
    return profile(MINIATURE if model == "auto" else model, path)


def _profile(name: str, table: Any, path: Path) -> Profile:
    where = f"{path.name}, [{name}]"
    if not isinstance(table, dict):
        raise InvalidData.of(where, expected="a table", got=repr(table))
    title, notice, base = (_text(table, key, where) for key in ("title", "notice", "base"))
    folder, listed = path.parent / base, table.get("arms", {})
    if not isinstance(listed, dict):
        raise InvalidData.of(f"{where}: field 'arms'", expected="a table", got=repr(listed))
    arms = dict(_arm(slug, arm, where, path.parent) for slug, arm in listed.items())
    return Profile(name, title, notice, str(folder) if base.startswith("./") else base, arms)


def _text(table: dict[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise InvalidData.of(f"{where}: field {key!r}", expected="a text", got=repr(value))
    return value


def _arm(slug: str, arm: Any, where: str, root: Path) -> tuple[Mixture, Arm]:
    known = {mixture.slug: mixture for mixture in MIXTURES if mixture is not BASE}
    if slug not in known:
        raise InvalidData.of(f"{where}.arms", expected=f"arms among {', '.join(known)}", got=repr(slug))
    if not isinstance(arm, dict) or not isinstance(arm.get("folder"), str) or not arm["folder"]:
        raise InvalidData.of(f"{where}.arms.{slug}: field 'folder'", expected="a path", got=repr(arm))
    return known[slug], Arm(known[slug], root / arm["folder"], str(arm.get("merged", "")))
