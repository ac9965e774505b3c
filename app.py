"""The composition root: settings, engine, page, launch."""

import os
from contextlib import closing

from medinject_demo.adapters.registry import serving
from medinject_demo.assembly import load_engine
from medinject_demo.errors import MedInjectError
from medinject_demo.prompts import load_prompts
from medinject_demo.settings import Settings
from medinject_demo.ui.page import build


def main() -> None:
    """Serve the page."""
    settings = Settings.from_env(os.environ)
    chosen = serving(settings.model)
    with closing(load_engine(chosen, chosen.installed, quantization=settings.quantization)) as engine:
        build(engine, load_prompts(), chosen.notice).launch()


if __name__ == "__main__":
    try:
        main()
    except MedInjectError as error:
        raise SystemExit(f"error: {error}") from error
