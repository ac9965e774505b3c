"""A PostgreSQL server of one's own, to be thrown away: for ``bench votes`` and the tests. Knows nothing of votes.

Needs Debian's package ``postgresql``, or another ``initdb`` on the path, and no set-up.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

from ...errors import StoreError

NEEDED: Final = "no PostgreSQL server here: apt-get install postgresql"
CONNECTIONS: Final = 100
"""As PostgreSQL's own default."""


def programs() -> Path | None:
    """The folder of the newest server installed; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    named = shutil.which("initdb")
    return Path(named).resolve().parent if named else None


class Server:
    """A server on a socket in a folder of its own. It does not run as root, so root lends it to another user.

    ``durable`` is a server as it is installed, that writes to the disk before it says so; without it, one that
    survives its own end and not the machine's, as tests need it.
    """

    def __init__(self, where: Path, *, durable: bool = False) -> None:
        self._programs, self._durable = where, durable
        self._folder = Path(tempfile.mkdtemp(prefix="pg"))
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(self._folder, "nobody")
        self._number = itertools.count()
        self._run("initdb", "-D", "data", "-A", "trust", "-U", "medinject", "-E", "UTF8", "--locale=C", "--no-sync")
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = f"-k {self._folder} -c listen_addresses= -c max_connections={CONNECTIONS}"
        settings += "" if self._durable else " -c fsync=off -c shared_buffers=16MB"
        self._run("pg_ctl", "start", "-w", "-D", "data", "-l", "log", "-o", settings)

    def stop(self) -> None:
        """End it as a crash does, in the midst of whatever it does."""
        self._run("pg_ctl", "stop", "-w", "-D", "data", "-m", "immediate")

    def remove(self) -> None:
        """End it, and leave nothing."""
        self.stop()
        shutil.rmtree(self._folder)

    def fresh(self) -> str:
        """The URL of an empty database."""
        name = f"votes{next(self._number)}"
        self._run("createdb", "-h", str(self._folder), "-U", "medinject", name)
        return f"postgresql://medinject@/{name}?host={self._folder}"

    def _run(self, program: str, *arguments: str) -> None:
        """Raises StoreError with what the program said, where it fails."""
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(
            command, cwd=self._folder, stdin=subprocess.DEVNULL, capture_output=True, check=False, **self._user
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit {done.returncode}"]
            raise StoreError.of(program, expected="a server of one's own", got=said[-1].rstrip("."))
