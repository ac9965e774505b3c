"""Children that Ctrl-C can interrupt also where the tests run in a shell's background, which ignores it for all."""

from __future__ import annotations

import signal


def interruptible() -> None:
    """To be run in the child before its program (``preexec_fn``)."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
