"""Recovered adapters to a repository of the Hub and from it: safetensors, JSON and Markdown, each with its hash.

One folder for each arm, and ``manifest.json`` with the SHA-256 and the size of every file, and what tells their
base on any machine: what is fetched is what was pushed, or nothing. Never pickle, never code.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from ..domain import ARMS
from ..errors import InvalidData, InvalidValue, ModelError
from ..files import sha256_of
from .based import identity, present, remark, same_base
from .based import said as said_of
from .folder import put_in_place, write_json
from .published import published
from .registry import ADAPTER_FILES, Profile
from .source import REMEDY

MANIFEST: Final = "manifest.json"
FETCHED: Final = "fetched.json"
SUFFIXES: Final = frozenset({".safetensors", ".json", ".md"})
FILE: Final = re.compile(r"[A-Za-z0-9][\w.-]*")
"""A file's name, and no path."""
SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Upload:
    """What a push would put into a repository."""

    repository: str
    files: Mapping[str, Path | bytes]
    """Path in the repository → file of this machine, or what stands for it there."""
    manifest: bytes
    names: Mapping[str, str]
    """What is named otherwise there than here: a folder → the repository or the hash that it is."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(map(_size, self.files.values())) + len(self.manifest)

    def lines(self) -> list[str]:
        """What would be uploaded, for a person, and what is called otherwise there."""
        files = [f"{name}  {_size(each) / 1e6:.2f} MB" for name, each in self.files.items()]
        names = [f"{here} is named {there}" for here, there in self.names.items()]
        return [*files, f"{MANIFEST}  {len(self.manifest) / 1e6:.2f} MB", *names]


class Hub(Protocol):
    """The two calls of ``huggingface_hub.HfApi`` that a push makes."""

    def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool) -> Any:
        """Make a repository where there is none; one that is there stays as visible as it is."""

    def create_commit(self, repo_id: str, operations: Sequence[Any], *, commit_message: str) -> Any:
        """Put files into a repository, all at once."""


def upload_of(profile: Profile, arms: Sequence[str], repository: str) -> Upload:
    """What a push of some arms of a profile consists of; all that are installed where none is named.

    Raises:
        ModelError: an arm is not installed, is of another base, or names a path that cannot be said otherwise.
    """
    chosen = [mixture for mixture in ARMS if mixture in profile.arms and (not arms or mixture.slug in arms)]
    for mixture in chosen if arms else []:
        profile.require_arm(mixture)
    there = [profile.arms[mixture] for mixture in chosen if profile.arms[mixture].installed]
    if not there:
        remedy = "Recover one first: adapters recover --missing."
        raise ModelError.of(f"profile {profile.name!r}", expected="an installed arm", got="none", remedy=remedy)
    base = present(profile.base)
    shared = {arm.mixture.slug: published(arm, base) for arm in there}
    files = {f"{slug}/{name}": each for slug, one in shared.items() for name, each in sorted(one.files.items())}
    listed = {name: {"sha256": _hash(each), "size": _size(each)} for name, each in files.items()}
    manifest = json.dumps({"base": identity(base), "files": listed}, indent=1, sort_keys=True) + "\n"
    names = {here: said for one in shared.values() for here, said in one.names.items()}
    return Upload(repository, files, manifest.encode(), names)


def push(upload: Upload, hub: Hub, *, public: bool = False) -> str:
    """Make the repository where there is none, private unless it is to be public, and put everything into one commit;
    its address comes back.

    Raises:
        ModelError: the Hub refuses.
    """
    from httpx2 import HTTPError
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    operations = [CommitOperationAdd(name, each) for name, each in upload.files.items()]
    operations.append(CommitOperationAdd(MANIFEST, upload.manifest))
    arms = sorted({name.partition("/")[0] for name in upload.files})
    try:
        hub.create_repo(upload.repository, private=not public, exist_ok=True)
        made = hub.create_commit(upload.repository, operations, commit_message=f"Adapters: {', '.join(arms)}")
    except (HFValidationError, HfHubHTTPError, HTTPError, OSError) as error:
        raise _refused(upload.repository, error) from error
    return str(getattr(made, "commit_url", upload.repository))


def fetch(
    repository: str,
    profile: Profile,
    arms: Sequence[str],
    *,
    token: str | None = None,
    revision: str | None = None,
    endpoint: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> list[str]:
    """Put adapters of a repository into a profile's folders, each whole and checked, or not at all.

    All arms that the repository and the profile have, where none is named. What is fetched comes back.

    Raises:
        ModelError: the repository cannot be read, or a file is not what the manifest says.
        InvalidData: the manifest holds anything but adapters' files.
        InvalidValue: an arm is not in the repository.
    """
    with tempfile.TemporaryDirectory() as made:
        hub = _Downloads(repository, revision, token, endpoint, Path(made))
        files = _listed(repository, hub.file(MANIFEST), profile, say)
        there = [mixture for mixture in ARMS if mixture in profile.arms and mixture.slug in files]
        unknown = [slug for slug in arms if slug not in files or slug not in map(str, there)]
        if unknown or not there:
            expected = f"arms among {', '.join(map(str, there)) or 'those of the profile'}"
            raise InvalidValue.of(f"repository {repository!r}", expected=expected, got=", ".join(unknown) or "none")
        chosen = [mixture for mixture in there if not arms or mixture.slug in arms]
        for mixture in chosen:
            got = {name: hub.checked(f"{mixture}/{name}", said) for name, said in files[mixture.slug].items()}
            put_in_place(profile.arms[mixture].folder, functools.partial(_fill, files=got, repository=repository))
            say(f"{mixture}: fetched, {len(got)} files checked")
    return [mixture.slug for mixture in chosen]


@dataclass(frozen=True)
class _Downloads:
    """Files of one repository, into a folder that goes away."""

    repository: str
    revision: str | None
    token: str | None
    endpoint: str | None
    place: Path

    def file(self, name: str) -> Path:
        from httpx2 import HTTPError
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError

        try:
            return Path(
                hf_hub_download(
                    self.repository,
                    name,
                    revision=self.revision,
                    token=self.token,
                    endpoint=self.endpoint,
                    local_dir=self.place,
                )
            )
        except (HFValidationError, HfHubHTTPError, HTTPError, OSError) as error:
            raise _refused(self.repository, error) from error

    def checked(self, name: str, said: Mapping[str, Any]) -> Path:
        got = self.file(name)
        found = (sha256_of(got), got.stat().st_size)
        if found != (said["sha256"], said["size"]):
            raise ModelError.of(
                f"repository {self.repository!r}, {name}",
                expected=f"the SHA-256 {str(said['sha256'])[:16]}… and {said['size']} bytes of its manifest",
                got=f"{found[0][:16]}… and {found[1]} bytes",
                remedy="Fetch again; if it stays so, ask the repository's owner.",
            )
        return got


def _listed(
    repository: str, manifest: Path, profile: Profile, say: Callable[[str], None]
) -> dict[str, dict[str, dict[str, Any]]]:
    """File → hash and size by arm; raises InvalidData for anything that is not an adapter's file."""
    try:
        said = json.loads(manifest.read_text(encoding="utf-8"))
        base, files = _identity(said["base"]), dict(said["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidData.of(f"repository {repository!r}, {MANIFEST}", expected="a manifest", got=str(error)) from error
    here = identity(present(profile.base))
    if not same_base(here, base):
        raise ModelError.of(
            f"repository {repository!r}",
            expected=f"adapters of {said_of(here)}",
            got=f"of {said_of(base)}",
            remedy="Get the base that they are made for, or name the profile that has it with --model.",
        )
    if unknown := remark(here, base):
        say(f"remark: {unknown}")
    arms: dict[str, dict[str, dict[str, Any]]] = {}
    for name, entry in files.items():
        slug, _, file = str(name).partition("/")
        good = FILE.fullmatch(file) and Path(file).suffix in SUFFIXES and slug in map(str, ARMS)
        hashed = isinstance(entry, dict) and isinstance(entry.get("size"), int)
        if not good or not hashed or not SHA256.fullmatch(str(entry.get("sha256"))):
            expected = "an arm's safetensors, JSON or Markdown file with its SHA-256 and size"
            raise InvalidData.of(f"repository {repository!r}, {MANIFEST}", expected=expected, got=repr(name))
        arms.setdefault(slug, {})[file] = entry
    return {slug: each for slug, each in arms.items() if set(ADAPTER_FILES) <= set(each)}


def _identity(said: Any) -> dict[str, str]:
    """A base as a manifest tells it; earlier ones named a repository alone."""
    return {"repository": said} if isinstance(said, str) else {str(key): str(each) for key, each in dict(said).items()}


def _fill(folder: Path, files: Mapping[str, Path], repository: str) -> None:
    for name, path in files.items():
        shutil.copyfile(path, folder / name)
    write_json(folder / FETCHED, {"repository": repository})


def _size(file: Path | bytes) -> int:
    return len(file) if isinstance(file, bytes) else file.stat().st_size


def _hash(file: Path | bytes) -> str:
    return hashlib.sha256(file).hexdigest() if isinstance(file, bytes) else sha256_of(file)


def _refused(repository: str, error: Exception) -> ModelError:
    lines = str(error).strip().splitlines()
    got = (lines[0] if lines else type(error).__name__).rstrip(".")
    return ModelError.of(f"repository {repository!r}", expected="an answer of the Hub", got=got, remedy=REMEDY)
