"""Arms that OpenAI-compatible servers answer for: vLLM, SGLang, or whatever speaks their language.

``wire`` is what is said, ``link`` how it gets there, ``served`` what a server says it has,
``start`` the first questions to it, ``letters`` the weights of an exercise's options, ``calls`` the rows in flight,
``engine`` the protocol that the others are behind.
"""

from __future__ import annotations

from .engine import RemoteEngine
from .link import Patience
from .served import lora_modules
from .start import survey

__all__ = ["Patience", "RemoteEngine", "lora_modules", "survey"]
