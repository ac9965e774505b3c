"""Bases from a folder or the Hub: safetensors only, never pickle, never remote code."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ..errors import ModelError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_base(base: str, attention: str | None = None) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a base and its tokenizer, in the precision it is stored in.

    Raises:
        ModelError: it cannot be loaded, or its tokenizer has no chat template.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
        auto: Any = AutoModelForCausalLM
        model, told = auto.from_pretrained(
            base,
            trust_remote_code=False,
            use_safetensors=True,
            dtype="auto",
            attn_implementation=attention,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise ModelError.of(
            f"base {base!r}",
            expected="a causal language model",
            got=first_line(error),
            remedy="Check its name, its files and the network.",
        ) from error
    _require_whole(base, told["missing_keys"])
    require_chat_template(tokenizer, base)
    return model, tokenizer


def _require_whole(base: str, missing: Collection[str]) -> None:
    """Raises ModelError where a base's files lack tensors, which transformers would draw at random."""
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ModelError.of(
            f"base {base!r}",
            expected="files that hold every weight",
            got=f"none of {min(missing)}{more}",
            remedy="Fetch it again: a file is cut, or of another model.",
        )


def require_fast_tokenizer(tokenizer: Any, base: str) -> None:
    """Raises ModelError where text cannot be told token by token as it comes."""
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise ModelError.of(
            f"base {base!r}",
            expected="a tokenizer of the tokenizers library (tokenizer.json)",
            got=type(tokenizer).__name__,
            remedy="Convert it with transformers, or use another base.",
        )


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


def stops_of(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer."""
    named = model.generation_config.eos_token_id
    several = named if isinstance(named, list) else [named]
    return frozenset(each for each in (*several, tokenizer.eos_token_id) if each is not None)


def cast(model: Any, dtype: torch.dtype) -> None:
    """Weights to a precision; buffers, such as the rotary frequencies, stay as they are."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)


def move(model: Any, device: torch.device) -> None:
    """A model to a device; raises ModelError where it has no room."""
    from torch import OutOfMemoryError

    try:
        model.to(device)
    except OutOfMemoryError as error:
        raise ModelError.of(
            f"device {device}",
            expected="room for the base",
            got="out of memory",
            remedy="Quantise it (int8 or int4), or use a smaller one.",
        ) from error


def require_full_attention(config: Any, base: str, context: int) -> None:
    """Raises ModelError where a layer would look less far back than the rows' cache lets it."""
    window = getattr(config, "sliding_window", None)
    layers = set(getattr(config, "layer_types", None) or (["sliding_attention"] if window else []))
    if layers <= {"full_attention"} or (layers <= {"full_attention", "sliding_attention"} and (window or 0) >= context):
        return
    raise ModelError.of(
        f"base {base!r}",
        expected=f"attention over all {context} tokens",
        got=f"layers of {', '.join(sorted(layers))}" + (f" over {window}" if window else ""),
        remedy=f"Load it with max_context={window}." if window else "Use another base.",
    )
