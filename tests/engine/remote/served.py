"""A server that speaks OpenAI's language from a script, over real sockets: what it does wrong is up to a test."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SLUGS = ("base", "nat", "trad", "syn", "nat-trad", "nat-syn", "trad-syn", "all")


class Exchange(BaseHTTPRequestHandler):
    """One request and what a script answers to it."""

    protocol_version = "HTTP/1.1"
    server: Scripted

    @property
    def question(self) -> str:
        return str(self.body["messages"][-1]["content"])

    def do_GET(self) -> None:
        self.server.looks(self)

    def do_POST(self) -> None:
        self.body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.counting():
            if self.path.endswith("/tokenize"):
                self.server.tokenizes(self)
            elif not self.body.get("stream"):
                self.server.weighs(self)
            else:
                self.server.bodies.append(self.body)
                self.server.asked.release()
                self.server.scripts.get(self.question, well)(self)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""

    def answer(self, status: int, said: object, **headers: str) -> None:
        """A whole answer in JSON, or a text as it is."""
        content = (said if isinstance(said, str) else json.dumps(said)).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def refuse(self, status: int, words: str, **headers: str) -> None:
        self.answer(status, {"error": {"message": words, "type": "Refused", "code": status}}, **headers)

    def open(self, content_type: str = "text/event-stream; charset=utf-8") -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def raw(self, content: bytes) -> None:
        """Bytes of the body, in a chunk of their own."""
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        self.wfile.flush()

    def data(self, said: object, *, ascii_only: bool = False) -> None:
        text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=ascii_only)
        self.raw(f"data: {text}\n\n".encode("utf-8", "surrogatepass"))

    def piece(self, text: str, reason: str | None = None, **form: bool) -> None:
        self.data({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason}]}, **form)

    def end(self, reason: str | None = "stop", tokens: int | None = None) -> None:
        """The last events of a stream and its end."""
        if reason is not None:
            self.data({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        if tokens is not None:
            self.data({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": tokens}})
        self.data("[DONE]")
        self.raw(b"")  # the chunk of no bytes ends the body

    def hang_up(self) -> None:
        """Break the connection where it is."""
        self.close_connection = True

    def until_left(self) -> None:
        """Wait until the client closes its side, and say so."""
        with suppress(ConnectionResetError):  # what was sent and not read yet makes of a close a reset
            assert self.connection.recv(1) == b""
        self.server.left.release()
        self.hang_up()


Script = Callable[[Exchange], None]


def well(exchange: Exchange) -> None:
    """A good answer in words, by model and question, of as many tokens as are wanted."""
    words = f"{exchange.body['model']} dit œdème 💪 {exchange.question}".split()
    most = exchange.body["max_tokens"]
    exchange.open()
    exchange.data({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]})
    for number, word in enumerate(words[:most]):
        exchange.piece(f" {word}" if number else word)
    exchange.end("length" if len(words) > most else "stop", min(len(words), most))


class Scripted(ThreadingHTTPServer):
    """The server, on a free port of the loopback."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.scripts: dict[str, Script] = {}
        self.bodies: list[dict[str, Any]] = []
        """Of the streams asked for."""
        self.looks: Script = lambda exchange: exchange.answer(200, {"data": self.cards})
        self.cards: list[dict[str, Any]] = [{"id": slug, "owned_by": "vllm"} for slug in SLUGS[:3]]
        self.tokenizes: Script = tell_tokens
        self.weighs: Script = weigh
        self.asked, self.left = threading.Semaphore(0), threading.Semaphore(0)
        """Released for each stream asked for, and for each client that closed its side."""
        self._lock, self._open, self.most = threading.Lock(), 0, 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @contextmanager
    def counting(self) -> Iterator[None]:
        """``most`` is the greatest number of requests that were open at once."""
        with self._lock:
            self._open += 1
            self.most = max(self.most, self._open)
        try:
            yield
        finally:
            with self._lock:
                self._open -= 1

    def handle_error(self, *_: object) -> None:
        """A client that is gone is what some tests are about."""


def tell_tokens(exchange: Exchange) -> None:
    """A tokenizer of characters; a space before a letter makes another token of it."""
    text = exchange.body.get("prompt") or "".join(each["content"] for each in exchange.body["messages"])
    tokens = [ord(text[-1]) + 1000 * text.startswith(" ")] if "prompt" in exchange.body else list(range(len(text)))
    exchange.answer(200, {"count": len(tokens), "tokens": tokens})


def chances(model: str) -> dict[str, float]:
    """Log-probabilities of the first token by an arm: those of the eight arms differ."""
    own = SLUGS.index(model) if model in SLUGS else 9
    return {way: -1.0 - 0.1 * number - 0.01 * own * number for number, way in enumerate(("A", " A", "B", " B", "Oui"))}


def weigh(exchange: Exchange) -> None:
    """What vLLM answers: the log-probabilities of the tokens that are named, else the most probable."""
    listed: Mapping[str, float] = chances(exchange.body["model"])
    if exchange.body.get("logprob_token_ids"):
        named = {f"token_id:{ord(way[-1]) + 1000 * way.startswith(' ')}": each for way, each in listed.items()}
        wanted = [f"token_id:{each}" for each in exchange.body["logprob_token_ids"]]
        listed = {name: named.get(name, -9.0) for name in wanted}
    tops = [{"token": token, "logprob": each} for token, each in listed.items()]
    first = {"token": "Oui", "logprob": -1.4, "top_logprobs": tops}
    exchange.answer(200, {"choices": [{"logprobs": {"content": [first]}}], "system_fingerprint": "fp-1"})


@contextmanager
def scripted() -> Iterator[Scripted]:
    """A server for as long as the context is open."""
    with Scripted() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
