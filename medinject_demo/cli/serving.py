"""``serve``: the page."""

from __future__ import annotations

from dataclasses import replace

import click

from ..settings import QUANTIZATIONS
from .family import in_force


@click.command()
@click.option("--host", help="Address to listen on; 0.0.0.0 is every one of this machine.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.  [default: the first free from 7860]")
@click.option("--share", is_flag=True, help="Also open a public address of Gradio's, for 72 hours.")
@click.option("--database", metavar="URL", help="Where votes go.  [default: MEDINJECT_DATABASE_URL]")
@click.option("--model", help="Profile of the registry, or auto.  [default: MEDINJECT_MODEL]")
@click.option(
    "--quantization",
    type=click.Choice(QUANTIZATIONS),
    help="Bits of the base's weights.  [default: MEDINJECT_QUANTIZATION]",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:<number>.")
def serve(
    *,
    host: str | None,
    port: int | None,
    share: bool,
    database: str | None,
    model: str | None,
    quantization: str | None,
    device: str,
) -> None:
    """Serve the page: duels, comparison, board and study.

    What is not given here is taken from the environment.
    """
    from ..serving import Address
    from ..serving import serve as serve_page

    settings = in_force()
    settings = replace(
        settings,
        database_url=database or settings.database_url,
        model=model or settings.model,
        quantization=quantization or settings.quantization,
    )
    serve_page(settings, Address(host, port, share), device=device, say=lambda line: click.echo(line, err=True))
