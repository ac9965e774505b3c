"""``serve``: the page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from ..assembly import Fleet
from ..settings import QUANTIZATIONS
from .family import DEVICE, environment, in_force, usage


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
@DEVICE
@click.option(
    "--fleet",
    type=click.IntRange(1),
    metavar="N",
    help="Answer from N replicas on Ray, started here, or in the cluster of --ray-address or RAY_ADDRESS.",
)
@click.option(
    "--ray-address",
    metavar="ADDRESS",
    help="Ray cluster that this machine is part of, or auto; without --fleet, its fleet is joined.",
)
@click.option("--warm", is_flag=True, help="Answer the bundled questions first: their duels start at once then.")
def serve(
    *,
    host: str | None,
    port: int | None,
    share: bool,
    device: str,
    fleet: int | None,
    ray_address: str | None,
    warm: bool,
    **given: Any,
) -> None:
    """Serve the page: duels, comparison, board and study.

    What is not given here is taken from the environment.
    """
    from ..adapters.registry import profile
    from ..serving import Address
    from ..serving import serve as serve_page

    if given["model"] and given["model"] != "auto":
        with usage():
            profile(given["model"])
    given["database_url"] = given.pop("database")
    settings = replace(in_force(), **{name: value for name, value in given.items() if value})
    place = Address(host, port, share)
    answering = _fleet(fleet, ray_address)
    serve_page(settings, place, device=device, fleet=answering, warm=warm, say=lambda line: click.echo(line, err=True))


def _fleet(replicas: int | None, address: str | None) -> Fleet | None:
    """The fleet that is asked for; RAY_ADDRESS alone asks for none, for other programs have it too."""
    if replicas is None and not address:
        return None
    return Fleet(replicas, address or environment().get("RAY_ADDRESS", "").strip())
