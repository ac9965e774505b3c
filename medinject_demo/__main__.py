"""``python -m medinject_demo``."""

from medinject_demo.cli import main

main()
