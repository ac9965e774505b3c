"""Bases from a folder or the Hub: safetensors only, never pickle, never remote code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_base(base: str, attention: str = "sdpa") -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a base and its tokenizer, in the precision it is stored in.

    Raises:
        ModelError: it cannot be loaded, or its tokenizer has no chat template.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            base, trust_remote_code=False, use_safetensors=True, dtype="auto", attn_implementation=attention
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise ModelError.of(
            f"base {base!r}",
            expected="a causal language model",
            got=first_line(error),
            remedy="Check its name, its files and the network.",
        ) from error
    require_chat_template(tokenizer, base)
    return model, tokenizer


def require_chat_template(tokenizer: PreTrainedTokenizerBase, base: str) -> None:
    """Raises ModelError where a tokenizer cannot lay out a conversation."""
    if not tokenizer.chat_template:
        raise ModelError.of(
            f"base {base!r}",
            expected="a tokenizer with a chat template",
            got="none",
            remedy="Use an instruction-tuned base, or add chat_template.jinja to its folder.",
        )


def first_line(error: Exception) -> str:
    """The first line of a library's message, or the error's kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")
