"""Bases from a folder or the Hub: safetensors only, never pickle, never remote code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_base(base: str, attention: str = "sdpa") -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a base and its tokenizer, from a folder or the Hub; safetensors only, never remote code.

    Raises:
        ModelError: it cannot be loaded, or its tokenizer has no chat template.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            base, trust_remote_code=False, use_safetensors=True, dtype="auto", attn_implementation=attention
        )
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError.of(
            f"base {base!r}", expected="a causal language model", got=reason, remedy="Check --base and the network."
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
