"""The composition root: settings, engine, page, launch."""

import os
import threading
from collections.abc import Sequence

from medinject_demo.adapters.registry import serving
from medinject_demo.domain import Answer, Mixture
from medinject_demo.engine.sequential import SequentialArms
from medinject_demo.errors import MedInjectError
from medinject_demo.prompts import Message, load_prompts
from medinject_demo.settings import Settings
from medinject_demo.ui.page import build


def main() -> None:
    """Serve the page."""
    settings = Settings.from_env(os.environ)
    chosen = serving(settings.model)
    chosen.require_base()
    arms = SequentialArms(chosen.base, {mixture: chosen.arms[mixture].folder for mixture in chosen.installed[1:]})
    one_at_a_time = threading.Lock()  # the active adapter is global state of the model

    def answer(mixture: Mixture, conversations: Sequence[Sequence[Message]], most: int) -> list[Answer]:
        with one_at_a_time:
            return arms.answers(mixture, conversations, most)

    build(answer, arms.mixtures, load_prompts(), chosen.notice).launch()


if __name__ == "__main__":
    try:
        main()
    except MedInjectError as error:
        raise SystemExit(f"error: {error}") from error
