"""What is measured: a base of random weights, or a copy of the miniature's, and seven adapters for it, as real files.

No base here knows a stop, so that every answer has exactly the length that is asked for.
Knows nothing of clocks, engines or tables.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ...domain import ARMS, Mixture
from ...errors import ModelError
from ..device import DTYPES
from .random_adapters import adapted_weights, as_lora, write_adapters

RANDOM_4B: Final = "random-4b"
MINIATURE: Final = "mini"
PAD, UNKNOWN, TURN = "<|pad|>", "<|unknown|>", "<|turn|>"
CHAT_TEMPLATE: Final = (
    f"{{% for message in messages %}}{TURN} {{{{ message['content'] }}}} {{% endfor %}}"
    f"{{% if add_generation_prompt %}}{TURN}{{% endif %}}"
)
STOPS: Final = ("eos_token_id", "eos_token")
FRENCH: Final = (
    "le patient présente une douleur de la poitrine depuis trois jours avec fièvre et toux ; quel traitement faut-il "
    "proposer devant ce diagnostic chez un enfant sans antécédent ?"
)


@dataclass(frozen=True)
class Shape:
    """Sizes of a Qwen3 with tied embeddings; the defaults of the last are those of every random base here."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    feed_forward: int
    vocabulary: int
    head: int = 64
    """Width of an attention head."""
    stored: str | None = None
    """The precision of its file, a key of ``DTYPES``; that in which it is to compute where None."""


SHAPES: Final[dict[str, Shape]] = {
    "random-60m": Shape(hidden=512, layers=8, heads=8, kv_heads=4, feed_forward=3072, vocabulary=32_000),
    RANDOM_4B: Shape(
        hidden=2560, layers=36, heads=32, kv_heads=8, feed_forward=9728, vocabulary=151_936, head=128, stored="bf16"
    ),
}
"""Random bases by name; the second is Qwen3-4B's true shape, stored as it is."""
MODELS: Final = (*SHAPES, MINIATURE)
TINY: Final = Shape(hidden=64, layers=2, heads=2, kv_heads=1, feed_forward=96, vocabulary=400)
"""Warms a process up before its memory is read; the tests measure it too."""


@dataclass(frozen=True)
class Miniature:
    """Where the bundled base lies, and its arms, as far as they are there."""

    base: Path
    arms: Mapping[Mixture, Path]


@dataclass(frozen=True)
class Subject:
    """A base and its adapters, twice: DoRA, and the same without their magnitudes (plain LoRA)."""

    name: str
    base: Path
    dora: Mapping[Mixture, Path]
    lora: Mapping[Mixture, Path]
    words: Sequence[str]
    """What questions are made of."""
    about: str
    """One sentence for the report."""


def random_subject(name: str, shape: Shape, folder: Path, device: str, dtype: str) -> Subject:
    """Write a random base and its adapters below ``folder``, drawn on ``device``, to compute in ``dtype`` (a key of
    ``DTYPES``).

    Raises:
        ModelError: the disk has too little room.
    """
    stored = shape.stored or dtype
    model = _random_model(shape, folder, device, DTYPES[stored])
    base = folder / "base"
    model.save_pretrained(base)
    _tokenizer(shape.vocabulary).save_pretrained(base)
    dora = write_adapters(model, folder / "dora", ARMS)
    lora = {mixture: as_lora(each, folder / "lora" / mixture.slug) for mixture, each in dora.items()}
    about = (
        f"A Qwen3 of random weights, {_parameters(shape) / 1e6:,.1f} million parameters: {shape.layers} layers of "
        f"{shape.hidden}, {shape.heads}/{shape.kv_heads} heads of {shape.head}, feed-forward {shape.feed_forward}, "
        f"vocabulary {shape.vocabulary:,}, tied, stored in {stored}; seven random DoRA adapters of rank 16 on its "
        "seven linear layers."
    )
    return Subject(name, base, dora, lora, tuple(f"m{n}" for n in range(64)), about)


def _random_model(shape: Shape, folder: Path, device: str, dtype: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    auto: Any = AutoModelForCausalLM
    kind = getattr(torch, dtype)
    require_room(folder, 1.5 * _parameters(shape) * kind.itemsize)
    torch.manual_seed(2026)
    with torch.device(device), torch.no_grad():
        model: Any = auto.from_config(config_of(shape), dtype=kind)
        for _, weight in adapted_weights(model):
            # at the usual size a tied head finds the last token again, and all arms say one word for ever
            weight.normal_(std=weight.shape[1] ** -0.5)
    return model


def config_of(shape: Shape) -> Any:
    """transformers' configuration of a Qwen3 of these sizes, which knows no stop."""
    from transformers import Qwen3Config

    return Qwen3Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head,
        intermediate_size=shape.feed_forward,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
    )


def miniature_subject(miniature: Miniature, folder: Path) -> Subject:
    """A copy of the bundled base that knows no stop, with its own arms, or random ones where one is missing."""
    base = without_stops(miniature.base, folder / "base")
    whole = set(miniature.arms) == set(ARMS)
    if whole:
        dora = {mixture: _copy(each, folder / "dora" / mixture.slug) for mixture, each in miniature.arms.items()}
    else:
        from ..loading import load_base

        dora = write_adapters(load_base(str(base))[0], folder / "dora", ARMS)
    lora = {mixture: as_lora(each, folder / "lora" / mixture.slug) for mixture, each in dora.items()}
    about = (
        f"The bundled miniature's base with {'its seven arms' if whole else 'seven random DoRA adapters of rank 16'}."
    )
    return Subject(MINIATURE, base, dora, lora, FRENCH.split(), about)


def without_stops(base: Path, target: Path) -> Path:
    """A copy of a base whose answers end by length only."""
    _copy(base, target)
    for path in (target / name for name in ("config.json", "generation_config.json", "tokenizer_config.json")):
        if path.is_file():
            settings = json.loads(path.read_text(encoding="utf-8"))
            path.write_text(json.dumps({k: v for k, v in settings.items() if k not in STOPS}), encoding="utf-8")
    return target


def require_room(folder: Path, needed: float) -> None:
    """Raises ModelError where the disk of a folder has fewer free bytes than are needed."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ModelError.of(
            f"temporary folder {str(folder)!r}",
            expected=f"{needed / 1e9:.1f} GB of room",
            got=f"{free / 1e9:.1f} GB",
            remedy="Name another with TMPDIR.",
        )


def _copy(source: Path, target: Path) -> Path:
    return Path(shutil.copytree(source, target))


def _parameters(shape: Shape) -> int:
    """Parameters of a shape, norms included."""
    attention = shape.hidden * shape.head * 2 * (shape.heads + shape.kv_heads)
    norms = 2 * shape.hidden + 2 * shape.head
    layer = attention + 3 * shape.hidden * shape.feed_forward + norms
    return shape.layers * layer + shape.vocabulary * shape.hidden + shape.hidden


def _tokenizer(vocabulary: int) -> Any:
    """One word, one token: a question of so many words has so many tokens, and a text tells its tokens exactly."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = [PAD, UNKNOWN, TURN, *(f"m{n}" for n in range(vocabulary - 3))]
    words = Tokenizer(models.WordLevel({name: place for place, name in enumerate(names)}, unk_token=UNKNOWN))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=words, pad_token=PAD, unk_token=UNKNOWN, chat_template=CHAT_TEMPLATE
    )
