"""What is said to an OpenAI-compatible server and what it says back, as values. Knows nothing of connections.

The interface is OpenAI's ``/chat/completions``; ``EXTRAS`` are fields that vLLM and SGLang add to it.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ...domain import FinishReason, Sampling
from ..base import Conversation

OFF: Final = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
"""Fields that vLLM and SGLang add for drawing a token, and the values that switch them off."""
SPEAKS_EXTRAS: Final = ("vllm", "sglang")
"""Values of ``owned_by`` whose servers take these fields, and fill those left out from a file of the model."""
DONE: Final = "[DONE]"
LONGEST: Final = 300
"""Characters of a server's own words that are passed on."""
REASONS: Final = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}


class Fault(Exception):
    """A server, or the way to it, failed: the sentence names the server and carries its own words."""

    def __init__(self, sentence: str, *, again: bool = False, after: float | None = None, status: int = 0) -> None:
        super().__init__(sentence)
        self.again = again
        """True where another attempt may succeed."""
        self.after = after
        """Seconds that the server asks to wait."""
        self.status = status
        """HTTP status of a server that answered with an error, else 0."""


@dataclass(frozen=True)
class Chunk:
    """One event of a stream. Every field may be absent."""

    text: str = ""
    reason: str | None = None
    tokens: int | None = None
    fault: str = ""
    """The server's own words where the event is an error."""


def question(model: str, messages: Conversation, most: int, **fields: Any) -> dict[str, Any]:
    """The body of a request: what every request has, and fields of one's own."""
    said = [{"role": each["role"], "content": each["content"]} for each in messages]
    return {"model": model, "messages": said, "max_tokens": most, **fields}


def drawing(sampling: Sampling, owner: str) -> dict[str, Any]:
    """The fields that say how tokens are drawn.

    All are said even where they are off, for a server fills what is left out from a file of the model; to a server that
    is not known to take the fields that are not OpenAI's, only those that are on.
    """
    added = {
        "top_k": sampling.top_k or OFF["top_k"],
        "min_p": sampling.min_p,
        "repetition_penalty": sampling.repetition_penalty,
    }
    wanted = {name: value for name, value in added.items() if owner in SPEAKS_EXTRAS or value != OFF[name]}
    return {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": sampling.seed} | wanted


def chunk(data: str) -> Chunk:
    """Read one event.

    Raises:
        ValueError: it is no JSON, or of another shape.
    """
    said = json.loads(data)
    if not isinstance(said, dict):
        raise ValueError("no object")
    if said.get("error"):
        return Chunk(fault=words(said))
    tokens = _field(said, "usage", dict, {}).get("completion_tokens")
    tokens = tokens if isinstance(tokens, int) else None
    choices = _field(said, "choices", list, [])
    if not choices:
        return Chunk(tokens=tokens)
    text = _field(_field(choices[0], "delta", dict, {}), "content", str, "")
    return Chunk(text, _field(choices[0], "finish_reason", str, None), tokens)


def _field(said: Any, name: str, kind: type, absent: Any) -> Any:
    """A field of an object, ``absent`` where it is null or not there."""
    value = said.get(name) if isinstance(said, dict) else said
    if value is None:
        return absent
    if not isinstance(value, kind):
        raise ValueError(f"a {name!r} that is no {kind.__name__}")
    return value


def words(said: Any) -> str:
    """A server's own words for an error, in one line: each server has its own place for them."""
    for name in ("error", "message", "detail", "msg"):
        while isinstance(said, list) and said:
            said = said[0]
        if isinstance(said, Mapping) and said.get(name):
            said = said[name]
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    return short(text)


def short(text: str) -> str:
    """A text in one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


class Whole:
    """Pieces of text as whole characters: a server may cut a pair of surrogates in two, each in a JSON of its own."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-16-le")("replace")

    def add(self, piece: str) -> str:
        """The characters that are whole now; half a one waits for its other half."""
        return self._decoder.decode(piece.encode("utf-16-le", "surrogatepass"))
