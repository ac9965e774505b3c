"""A whole recovery of a large pair in a process of its own: its time, its memory, its end by a kill, over HTTP.

Linux alone: memory is read from ``/proc``. Knows nothing of tables.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from ...errors import MedInjectError

IMPORTS: Final = "import peft, torch, transformers, medinject_demo.adapters.recover, medinject_demo.cli"
"""What a recovery has loaded before it reads anything: the interpreter."""
EVERY: Final = 17
"""Of so many requests one fails: busy, or cut in the middle, by turns."""


@dataclass(frozen=True)
class Spent:
    """What a process took."""

    seconds: float
    processor: float
    """Seconds of all cores together."""
    peak: int
    """Bytes resident at most."""


def interpreter() -> int:
    """Bytes resident of a process that has loaded the libraries and nothing else."""
    program = f"{IMPORTS}; print(open('/proc/self/status').read())"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    return _status(said, "VmHWM")


def spent_on(arguments: Sequence[str], *, kill_at: tuple[Path, int] | None = None) -> Spent:
    """Run ``python -m medinject_demo`` with these arguments; ``kill_at`` ends it once a folder has so many files.

    Raises:
        MedInjectError: it failed.
    """
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    running = subprocess.Popen(
        [sys.executable, "-m", "medinject_demo", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    peak, killed = 0, False
    while running.poll() is None:
        with contextlib.suppress(OSError, StopIteration):
            peak = max(peak, _status(Path(f"/proc/{running.pid}/status").read_text(encoding="utf-8"), "VmHWM"))
        if kill_at is not None and not killed and len(list(kill_at[0].glob("*.safetensors"))) >= kill_at[1]:
            running.send_signal(signal.SIGKILL)
            killed = True
        time.sleep(0.05)
    said = running.stderr.read().decode() if running.stderr else ""
    if running.returncode and not killed:
        raise MedInjectError(f"{' '.join(arguments[:2])} failed: {said.strip().splitlines()[-1:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(time.monotonic() - begun, processor, peak)


def _status(said: str, name: str) -> int:
    """Bytes of a line of ``/proc/…/status``."""
    line = next(line for line in said.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


@contextlib.contextmanager
def failing_server(folder: Path) -> Iterator[tuple[str, list[int]]]:
    """The address of a folder by byte ranges, and the statuses answered so far; one request of ``EVERY`` fails."""
    answered: list[int] = []
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *said: object) -> None:
            """A bench prints its own lines."""

        def do_GET(self) -> None:
            with lock:
                number = len(answered)
                fails = number % EVERY == EVERY - 1
                answered.append(503 if fails and number % 2 else 206)
            path = folder / self.path.lstrip("/")
            if not path.is_file():
                self._head(404, {"Content-Length": "0"})
            elif fails and number % 2:
                self._head(503, {"Content-Length": "0", "Retry-After": "0"})
            else:
                self._part(path, cut=fails)

        def _part(self, path: Path, *, cut: bool) -> None:
            first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            size = path.stat().st_size
            count = min(last, size - 1) - first + 1
            headers = {"Content-Range": f"bytes {first}-{first + count - 1}/{size}", "Content-Length": str(count)}
            self._head(206, headers)
            with path.open("rb") as file, contextlib.suppress(OSError):
                self.wfile.flush()
                sent, wanted = 0, count // 2 if cut else count
                while sent < wanted:
                    sent += os.sendfile(self.connection.fileno(), file.fileno(), first + sent, wanted - sent)
            if cut:
                self.close_connection = True

        def _head(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", answered
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
