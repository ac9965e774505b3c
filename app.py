"""The composition root: settings, engine, store, arena, page, launch."""

import os
import random
import secrets
from contextlib import closing

from medinject_demo.adapters.registry import serving
from medinject_demo.arena import Arena
from medinject_demo.assembly import load_engine, sampling_for
from medinject_demo.errors import MedInjectError
from medinject_demo.prompts import load_prompts
from medinject_demo.settings import Settings
from medinject_demo.ui.frame import Playground
from medinject_demo.ui.look import look
from medinject_demo.ui.page import build
from medinject_demo.votes.database import Database
from medinject_demo.votes.store import VoteStore


def main() -> None:
    """Serve the page."""
    settings = Settings.from_env(os.environ)
    chosen = serving(settings.model)
    with (
        closing(VoteStore(Database(settings.database_url))) as store,
        closing(load_engine(chosen, chosen.installed, quantization=settings.quantization)) as engine,
    ):
        secret = settings.secret or secrets.token_urlsafe(32)
        arena = Arena(engine, store, secret=secret, generator=random.Random())
        behind = Playground(engine, arena, store, load_prompts(), chosen.name, chosen.title, sampling_for(chosen))
        build(behind).launch(**look())


if __name__ == "__main__":
    try:
        main()
    except MedInjectError as error:
        raise SystemExit(f"error: {error}") from error
