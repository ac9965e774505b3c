"""The machine and the libraries that a figure was taken with."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ..device import DTYPES, dtype_of, host

LIBRARIES = ("torch", "transformers", "peft")
PROCESSORS = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Environment:
    """Where a run took place."""

    device: str
    """The device's own name."""
    kind: str
    """``cpu`` or ``cuda``."""
    dtype: str
    """``fp32``, ``bf16`` or ``fp16``."""
    cores: int
    """Cores that the process may use."""
    threads: int
    """Threads of torch."""
    python: str
    libraries: Mapping[str, str]

    @classmethod
    def of(cls, kind: str) -> Environment:
        """This machine's, for a device of this kind."""
        import torch

        versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
        name = torch.cuda.get_device_name() if kind == "cuda" else _processor()
        dtype = str(dtype_of("auto", torch.device(kind))).removeprefix("torch.")
        short = next(short for short, long in DTYPES.items() if long == dtype)
        return cls(name, kind, short, host().cores, torch.get_num_threads(), platform.python_version(), versions)

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.libraries.items())
        where = f"{self.device}, " if self.kind == "cuda" else ""
        return f"{where}{self.cores} CPU cores, {self.threads} threads, {self.dtype}; {versions}, Python {self.python}"

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def _processor() -> str:
    """The processor's name; Linux tells it, elsewhere what Python knows."""
    try:
        lines = PROCESSORS.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
