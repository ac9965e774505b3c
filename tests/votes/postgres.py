"""A PostgreSQL server of one's own for the tests: Debian's package ``postgresql`` and no other set-up."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

NEEDED = "no PostgreSQL server here: apt-get install postgresql"


def programs() -> Path | None:
    """The folder of the newest server installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    named = shutil.which("initdb")
    return Path(named).resolve().parent if named else None


class Server:
    """A server on a socket in a folder of its own. It does not run as root, so root lends it to another user."""

    def __init__(self, where: Path) -> None:
        self._programs = where
        self._folder = Path(tempfile.mkdtemp(prefix="pg"))
        self._user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        if self._user:
            shutil.chown(self._folder, "nobody")
        self._number = itertools.count()
        self._run("initdb", "-D", "data", "-A", "trust", "-U", "medinject", "-E", "UTF8", "--locale=C", "--no-sync")
        self.start()

    def start(self) -> None:
        settings = f"-k {self._folder} -c listen_addresses= -c fsync=off -c shared_buffers=16MB -c max_connections=100"
        self._run("pg_ctl", "start", "-w", "-D", "data", "-l", "log", "-o", settings)

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-w", "-D", "data", "-m", "immediate")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def fresh(self) -> str:
        """The URL of an empty database."""
        name = f"votes{next(self._number)}"
        self._run("createdb", "-h", str(self._folder), "-U", "medinject", name)
        return f"postgresql://medinject@/{name}?host={self._folder}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(
            command, cwd=self._folder, stdin=subprocess.DEVNULL, capture_output=True, check=False, **self._user
        )  # type: ignore[call-overload]
        assert done.returncode == 0, f"{program}: {done.stderr.decode()}"
