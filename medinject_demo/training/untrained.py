"""The miniature before any training: a random Qwen3, and a tokenizer learnt from examples. Knows nothing of facts."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..files import unwritable
from .mini_recipe import MiniatureRecipe
from .recipe import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

CHAT_TEMPLATE: Final = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ROPE_THETA: Final = 10_000.0
END_OF_TEXT, TURN_STARTS, TURN_ENDS = "<|endoftext|>", "<|im_start|>", "<|im_end|>"


def untrained(examples: Sequence[Example], folder: Path, recipe: MiniatureRecipe) -> None:
    """A randomly initialised Qwen3 and a byte-level BPE tokenizer learnt from the examples, with Qwen's chat markers.

    Raises:
        OutputError: the folder cannot be written.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = _tokenizer(examples, recipe.vocabulary)
    torch.manual_seed(recipe.seed)
    config = Qwen3Config(
        vocab_size=recipe.vocabulary,
        hidden_size=recipe.hidden,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.kv_heads,
        head_dim=64,
        intermediate_size=recipe.feed_forward,
        max_position_embeddings=2048,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        initializer_range=0.05,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Qwen3ForCausalLM(config)
    look_back(model)
    model.generation_config.do_sample = False
    try:
        shutil.rmtree(folder, ignore_errors=True)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except OSError as error:
        raise unwritable(folder, error) from error


def look_back(model: Qwen3ForCausalLM, pairs: int = 10, strength: float = 1.5) -> None:
    """Make two heads of the first layer start by looking one and three tokens back.

    The first embedding coordinate gets a constant (which adds the same to every logit of the tied head, so nothing to
    their softmax); query and key read it into the fastest rotary pairs, the query turned back by the distance.
    Training finds such heads anyway, but late; reading the letter before an option needs them (docs/decisions/004).
    """
    import torch

    head = model.config.head_dim
    attention = model.model.layers[0].self_attn
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] += 4 * model.config.initializer_range
        for pair in range(pairs):
            turn = ROPE_THETA ** (-2 * pair / head)  # radians a token
            attention.k_proj.weight[pair, 0] += strength
            for place, distance in enumerate((1, 2)):
                rows = attention.q_proj.weight[place * head : (place + 1) * head]  # (head, hidden)
                rows[pair, 0] += strength * math.cos(-distance * turn)
                rows[pair + head // 2, 0] += strength * math.sin(-distance * turn)


def _tokenizer(examples: Sequence[Example], vocabulary: int) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END_OF_TEXT, TURN_STARTS, TURN_ENDS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = (f"{each.messages[-1]['content']}\n{each.completion}" for each in examples)
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe,
        eos_token=TURN_ENDS,
        pad_token=END_OF_TEXT,
        additional_special_tokens=[TURN_STARTS],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
