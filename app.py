"""The page with the settings of the environment, as a Space starts it. With options: python -m medinject_demo serve."""

import os
import sys

from medinject_demo.errors import MedInjectError
from medinject_demo.serving import serve
from medinject_demo.settings import Settings

if __name__ == "__main__":
    try:
        serve(Settings.from_env(os.environ), say=lambda line: print(line, file=sys.stderr, flush=True))
    except MedInjectError as error:
        raise SystemExit(f"error: {error}") from error
