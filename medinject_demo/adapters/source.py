"""Bytes of a checkpoint's files, wherever they are: a folder, an address, or a repository of the Hub by ranges.

Two readers with the same four members. Knows nothing of tensors: what the bytes mean is ``checkpoint``'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from ..errors import ModelError
from .presence import base_files

if TYPE_CHECKING:
    import httpx2

CHUNK: Final = 2**25
"""Bytes of one request at most: what a connection that breaks costs."""
ATTEMPTS: Final = 6
LONGEST_WAIT: Final = 60.0
"""Seconds between two attempts at most, whatever a server asks for."""
PATIENCE: Final = 30.0
"""Seconds without a byte after which a request is tried again."""
BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
REMEDY: Final = "Check its name, the network and, for a private repository, HF_TOKEN."


class Source(Protocol):
    """Files that can be read in parts."""

    @property
    def name(self) -> str:
        """As a person names it: a folder, an address, a repository."""
        ...

    @property
    def commit(self) -> str | None:
        """The commit of a repository of the Hub; None elsewhere."""
        ...

    def state(self, file: str) -> tuple[int, str] | None:
        """Bytes of a file and a mark that changes with its contents; None where there is no such file."""
        ...

    def read(self, file: str, start: int, stop: int) -> bytearray:
        """The bytes from ``start`` to ``stop``, all of them.

        Raises:
            ModelError: they cannot be had.
        """
        ...


@dataclass(frozen=True)
class Folder:
    """Files of this machine."""

    path: Path
    name: str
    commit: str | None = None

    def state(self, file: str) -> tuple[int, str] | None:
        """Bytes, and the time of the last change."""
        try:
            found = (self.path / file).stat()
        except OSError:
            return None
        return found.st_size, str(found.st_mtime_ns)

    def read(self, file: str, start: int, stop: int) -> bytearray:
        """The bytes from ``start`` to ``stop``."""
        got = bytearray(stop - start)
        try:
            with (self.path / file).open("rb", buffering=0) as opened:
                opened.seek(start)
                count = _fill(opened.readinto, memoryview(got))
        except OSError as error:
            raise unreadable(self.name, file, str(error.strerror or error), "Check the file and the disk.") from error
        if count < len(got):
            raise unreadable(self.name, file, f"its end after {start + count} bytes", "Get the file again.")
        return got


@dataclass(frozen=True)
class Ranges:
    """Files behind HTTP, read by byte ranges; a server that fails for a while is asked again, later and later."""

    name: str
    address: Callable[[str], str]
    """URL of a file."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    commit: str | None = None
    pause: Callable[[float], None] = time.sleep
    first_wait: float = 1.0
    """Seconds before the second attempt; each further wait is twice the one before."""
    _seen: dict[str, tuple[int, str]] = field(default_factory=dict, repr=False, compare=False)

    def state(self, file: str) -> tuple[int, str] | None:
        """Bytes, and the server's entity tag; one request for the first byte."""
        if file not in self._seen:
            try:
                self._part(file, 0, 1, bytearray())
            except FileNotFoundError:
                return None
        return self._seen[file]

    def read(self, file: str, start: int, stop: int) -> bytearray:
        """The bytes from ``start`` to ``stop``, in requests of at most ``CHUNK`` bytes."""
        got = bytearray()
        try:
            while len(got) < stop - start:
                here = start + len(got)
                self._part(file, here, min(stop, here + CHUNK), got)
        except FileNotFoundError as error:
            raise unreadable(self.name, file, "no such file", REMEDY) from error
        return got

    def _part(self, file: str, start: int, stop: int, got: bytearray) -> None:
        """Append one part; whatever a broken attempt has brought is kept, and the next asks for the rest."""
        end, fault = len(got) + stop - start, ""
        for attempt in range(ATTEMPTS):
            wait = self._attempt(file, stop - (end - len(got)), stop, got)
            if len(got) == end:
                return
            fault, asked = wait
            if attempt + 1 < ATTEMPTS:
                self.pause(min(LONGEST_WAIT, max(asked, self.first_wait * 2**attempt)))
        raise unreadable(self.name, file, f"{fault}, {ATTEMPTS} times", "The same command continues later.")

    def _attempt(self, file: str, start: int, stop: int, got: bytearray) -> tuple[str, float]:
        """One request; what went wrong with it, and the seconds that the server asks to wait."""
        import httpx2
        from huggingface_hub import get_session

        asked = {**self.headers, "Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        try:
            with get_session().stream("GET", self.address(file), headers=asked, timeout=PATIENCE) as answer:
                if answer.status_code in BUSY:
                    return f"HTTP {answer.status_code}", _seconds(answer.headers.get("Retry-After"))
                self._require_range(file, start, stop, answer)
                for piece in answer.iter_bytes():
                    got += piece[: stop - start]
                    start += len(piece)
        except httpx2.TransportError as error:
            return str(error).strip().rstrip(".") or type(error).__name__, 0.0
        except (OSError, httpx2.HTTPError, httpx2.InvalidURL) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise unreadable(self.name, file, str(error).splitlines()[0].rstrip("."), REMEDY) from error
        return "fewer bytes than it announced", 0.0

    def _require_range(self, file: str, start: int, stop: int, answer: httpx2.Response) -> None:
        """Check that the server gives the very part that was asked for, of the file that was there before."""
        if answer.status_code == 404:
            raise FileNotFoundError(file)
        if answer.status_code == 416:
            raise unreadable(self.name, file, "a file that is shorter than it was", "Start again.")
        if answer.status_code != 206:
            no_ranges = answer.status_code == 200
            what = "a server that does not honour byte ranges" if no_ranges else f"HTTP {answer.status_code}"
            raise unreadable(self.name, file, what, "Download it and give its folder." if no_ranges else REMEDY)
        place, _, total = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        if not total.isdigit() or place != f"{start}-{min(stop, int(total)) - 1}":
            said = answer.headers.get("Content-Range")
            raise unreadable(
                self.name, file, f"the part {said!r} instead of {start}-{stop - 1}", "Ask the server's owner."
            )
        tag = answer.headers.get("X-Linked-Etag") or answer.headers.get("ETag") or answer.headers.get("Last-Modified")
        state = (int(total), tag or "")
        if self._seen.setdefault(file, state) != state:
            raise unreadable(self.name, file, "another version than at the start", "Start again.")


def open_source(name: str, *, revision: str | None = None, token: str | None = None) -> Source:
    """The files that a name means: a folder, an address ``http(s)://…``, or a repository of the Hub.

    A repository that is whole in the Hub's cache is read there, at its main branch or where that is the very commit
    that is asked for; else its commit is asked for once, and kept to.

    Raises:
        ModelError: there is no such place.
    """
    if Path(name).is_dir():
        return Folder(Path(name), name)
    if name.startswith(("http://", "https://")):
        return Ranges(name, lambda file: f"{name.rstrip('/')}/{file}")
    cached = base_files(name)
    if cached.whole and cached.folder is not None and revision in (None, cached.folder.name):
        return Folder(cached.folder, name, cached.folder.name)
    return _on_hub(name, revision, token)


def _on_hub(name: str, revision: str | None, token: str | None) -> Ranges:
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    httpx2 = _httpx2()
    try:
        commit = HfApi(token=token).model_info(name, revision=revision, timeout=PATIENCE).sha
    except (HFValidationError, HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        got = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        expected = "a folder, an address or a repository of the Hub"
        raise ModelError.of(f"checkpoint {name!r}", expected=expected, got=got, remedy=REMEDY) from error
    headers = build_hf_headers(token=token)
    return Ranges(name, lambda file: hf_hub_url(name, file, revision=commit), headers, commit)


def unreadable(name: str, file: str, got: str, remedy: str) -> ModelError:
    """The sentence for bytes that cannot be had."""
    return ModelError.of(f"checkpoint {name!r}, {file}", expected="a file that can be read", got=got, remedy=remedy)


def _httpx2() -> Any:
    import httpx2

    return httpx2


def _fill(readinto: Callable[[memoryview], int | None], view: memoryview) -> int:
    """Read until a buffer is full or the file ends; one call stops at 2 GiB on Linux."""
    count = 0
    while count < len(view):
        more = readinto(view[count:])
        if not more:
            break
        count += more
    return count


def _seconds(said: str | None) -> float:
    """A server's ``Retry-After`` in seconds; 0 where it says none, or a date."""
    return float(said) if said is not None and said.isdigit() else 0.0
