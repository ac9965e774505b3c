"""``compare``: arms side by side in a terminal, a pipe or a document."""

from __future__ import annotations

import sys
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..domain import Mixture, Sampling
from ..errors import InvalidValue
from .family import DEVICE, REGISTRY_FILE, in_force, usage

if TYPE_CHECKING:
    from ..adapters.registry import Profile


@click.command()
@click.argument("question")
@click.option("--arms", help="Arms that answer, such as base,nat,all.  [default: every arm installed]")
@click.option("--model", help="Profile of the registry, or auto.  [default: MEDINJECT_MODEL]")
@click.option("--max-new-tokens", type=int, help="Tokens of an answer at most.  [default: 192 (mini), 512 (others)]")
@click.option("--temperature", default=0.0, show_default=True, help="0 takes the most probable token, as the study.")
@click.option("--top-p", default=1.0, show_default=True)
@click.option("--top-k", default=0, show_default=True, help="0 is no limit.")
@click.option("--min-p", default=0.0, show_default=True)
@click.option("--repetition-penalty", default=1.0, show_default=True)
@click.option("--seed", default=0, show_default=True)
@DEVICE
@click.option(
    "--quantization",
    type=click.Choice(["none", "int8", "int4"]),
    help="Bits of the base's weights.  [default: MEDINJECT_QUANTIZATION]",
)
@click.option("--registry", type=REGISTRY_FILE, help="File of the profiles.  [default: adapters/registry.toml]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document once all have answered.")
def compare(
    question: str,
    *,
    arms: str | None,
    model: str | None,
    registry: Path | None,
    device: str,
    quantization: str | None,
    as_json: bool,
    **drawn: Any,
) -> None:
    """Ask several arms one QUESTION and read their answers side by side.

    QUESTION '-' is read from the standard input. Among --arms, 'all' is the arm trained on all three provenances.
    """
    from .. import terminal
    from ..adapters.registry import REGISTRY, serving
    from ..assembly import load_engine

    settings = in_force()
    with usage() if model else nullcontext():
        chosen = serving(model or settings.model, registry or REGISTRY, settings.engine_url)
    with usage():
        named = _mixtures(arms)
        mixtures = named or chosen.installed
        comparison = terminal.Comparison(chosen.name, _read(question), mixtures, _sampling(chosen, **drawn))
    options = {"device": device, "quantization": quantization or settings.quantization, "key": settings.engine_key}
    quiet = not sys.stderr.isatty()
    with closing(load_engine(chosen, named or None, rows=len(mixtures), quiet=quiet, **options)) as engine:
        comparison = comparison if named else replace(comparison, arms=engine.mixtures)  # a server may lack some
        terminal.compare(comparison, engine, sys.stdout, as_json=as_json)


def _read(question: str) -> str:
    if question != "-":
        return question
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidValue.of("question", expected="UTF-8 text", got=f"byte {error.start} that is not") from error


def _mixtures(slugs: str | None) -> tuple[Mixture, ...]:
    """The arms named, each once; none where none is."""
    return () if slugs is None else tuple(dict.fromkeys(Mixture.parse(slug.strip()) for slug in slugs.split(",")))


def _sampling(chosen: Profile, *, max_new_tokens: int | None, **drawn: Any) -> Sampling:
    from ..assembly import sampling_for

    most = sampling_for(chosen).max_new_tokens if max_new_tokens is None else max_new_tokens
    return Sampling(max_new_tokens=most, **drawn)
