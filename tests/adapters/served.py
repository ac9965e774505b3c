"""A folder behind HTTP as a Hub serves it: byte ranges, entity tags, and a failure whenever a test wants one."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Fault = Callable[[int], str]
"""What goes wrong with the nth request: ``busy``, ``cut``, ``whole``, ``other`` (another version), or nothing."""


@contextlib.contextmanager
def served(folder: Path, fault: Fault = lambda number: "") -> Iterator[tuple[str, list[str]]]:
    """The address of a folder, and the ranges that were asked for so far."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *said: object) -> None:
            """Tests print nothing."""

        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('Range', '')}")
            wrong = fault(len(asked))
            path = folder / self.path.lstrip("/")
            if wrong == "busy":
                self.answer(503, b"", {"Retry-After": "0"})
            elif not path.is_file():
                self.answer(404, b"", {})
            elif wrong == "whole":
                self.answer(200, path.read_bytes(), {})
            else:
                self.part(path, wrong)

        def part(self, path: Path, wrong: str) -> None:
            first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            size = path.stat().st_size
            with path.open("rb") as file:
                file.seek(first)
                body = file.read(min(last, size - 1) - first + 1)
            tag = '"other"' if wrong == "other" else f'"{size}"'
            headers = {"Content-Range": f"bytes {first}-{first + len(body) - 1}/{size}", "ETag": tag}
            self.answer(206, body, headers, cut=wrong == "cut")

        def answer(self, status: int, body: bytes, headers: dict[str, str], *, cut: bool = False) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if cut else body)
            if cut:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
