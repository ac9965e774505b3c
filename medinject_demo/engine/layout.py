"""From a conversation to the tokens of its prompt, as the base's own chat template lays it out.

Knows nothing of rows or of how long a prompt may be.
"""

from __future__ import annotations

from typing import Any

from jinja2 import TemplateError

from ..errors import InvalidValue
from .base import Conversation, require_words
from .loading import first_line


def prompt_tokens(tokenizer: Any, messages: Conversation, known: int) -> list[int]:
    """The tokens of a prompt for a model that has embeddings of ``known`` tokens.

    Raises:
        InvalidValue: the conversation asks nothing, its template refuses it, or the model lacks one of its tokens.
    """
    require_words(messages)
    said = [dict(message) for message in messages]
    try:
        encoded = tokenizer.apply_chat_template(said, add_generation_prompt=True, return_dict=True)
    except TemplateError as error:
        raise InvalidValue.of(
            "conversation",
            expected="one that the base's chat template lays out",
            got=first_line(error),
            remedy="Check the order of its roles, and the template.",
        ) from error
    prompt: list[int] = list(encoded["input_ids"])
    if max(prompt, default=0) >= known:
        raise InvalidValue.of(
            "prompt",
            expected=f"words of the {known} tokens that the base has",
            got=repr(tokenizer.decode([max(prompt)])),
            remedy="Leave it out: the tokenizer has more than its model.",
        )
    return prompt


def known_tokens(model: Any) -> int:
    """How many tokens a model has embeddings of."""
    return int(model.get_input_embeddings().weight.shape[0])
