"""The composition root: settings, engine, page, launch."""

import os

from medinject_demo.adapters.registry import profile
from medinject_demo.engine.local import LocalEngine
from medinject_demo.errors import MedInjectError
from medinject_demo.prompts import load_prompts
from medinject_demo.settings import Settings
from medinject_demo.ui.page import build


def main() -> None:
    """Serve the page."""
    settings = Settings.from_env(os.environ)
    chosen = profile("mini" if settings.model == "auto" else settings.model)
    chosen.require_base()
    adapters = {mixture: chosen.arms[mixture].folder for mixture in chosen.installed[1:]}
    engine = LocalEngine.load(chosen.base, adapters, quantization=settings.quantization)
    try:
        build(engine, load_prompts(), chosen.notice).launch()
    finally:
        engine.close()


if __name__ == "__main__":
    try:
        main()
    except MedInjectError as error:
        raise SystemExit(f"error: {error}") from error
