"""The benchmark: the engine beside peft's own ways, in one run. ``run.bench`` is its entry.

Needs what the engine needs, and is imported by the command line only.
"""
