"""What this machine offers a model: cores, memory, accelerators, and the precision that each would compute in.

torch is imported inside the functions: who asks may only want to say that it is missing. Knows nothing of models.
"""

from __future__ import annotations

import ctypes
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import InvalidValue

if TYPE_CHECKING:
    import torch

DTYPES: Final = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
"""Names of precisions, and torch's own."""
CGROUPS: Final = Path("/sys/fs/cgroup")
VERSION_2: Final = ("memory.max", "memory.current", "memory.stat")
VERSION_1: Final = tuple(f"memory/memory.{each}" for each in ("limit_in_bytes", "usage_in_bytes", "stat"))
"""Where a container's limit of memory lies, what it uses, and of what."""


@dataclass(frozen=True)
class Host:
    """The machine without its accelerators; a container's limits count, not those of the machine around it."""

    cores: int
    memory: int | None
    """Bytes that a new process can have, None where the system does not say."""


@dataclass(frozen=True)
class Accelerator:
    """One CUDA device."""

    device: str
    """As torch names it, ``cuda:0``."""
    name: str
    capability: str
    """Compute capability, such as ``9.0``."""
    memory: int
    """Bytes in all."""
    free: int
    """Bytes that nobody holds."""
    dtype: str
    """The precision that ``auto`` takes there, a key of ``DTYPES``."""


def host(meminfo: Path = Path("/proc/meminfo"), cgroups: Path = CGROUPS) -> Host:
    """Cores and memory that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _words(cgroups / "cpu.max")  # "150000 100000" is a core and a half, "max 100000" is no limit
    if len(quota) == 2 and quota[0].isdigit():
        cores = min(cores, max(1, math.ceil(int(quota[0]) / int(quota[1]))))
    left = [_left(*(cgroups / name for name in names)) for names in (VERSION_2, VERSION_1)]
    known = [each for each in (*left, _available(meminfo)) if each is not None]
    return Host(cores, min(known, default=None))


def accelerators() -> tuple[Accelerator, ...]:
    """The CUDA devices that torch can use; none is the usual answer.

    Raises:
        ImportError, OSError: torch is missing or broken.
    """
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return tuple(_accelerator(torch.device("cuda", index)) for index in range(count))


def free_memory(device: torch.device) -> int | None:
    """Bytes of a device that nobody holds; None where the system does not say."""
    import torch

    if device.type != "cuda":
        return host().memory
    torch.cuda.empty_cache()  # what torch keeps for itself is free for the same process
    return int(torch.cuda.mem_get_info(device)[0])


def is_out_of_memory(error: BaseException) -> bool:
    """True where memory has run out: a GPU's, Python's, or the processor's as torch says it."""
    from torch import OutOfMemoryError

    return isinstance(error, (OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)


def return_freed() -> None:
    """Give back to the system what was freed and libraries keep for later, where they can be told to (MKL, glibc)."""
    import torch

    if os.name != "posix":
        return
    products = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    if products.is_file() and (free := getattr(ctypes.CDLL(str(products)), "mkl_serv_free_buffers", None)):
        free()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def device_of(name: str = "auto") -> torch.device:
    """A device by name: ``auto`` is the first CUDA device, else the processor.

    Raises:
        InvalidValue: it is none of those that are known, or not on this machine.
    """
    import torch

    present = torch.cuda.device_count() if torch.cuda.is_available() else 0
    try:
        device = torch.device(("cuda" if present else "cpu") if name == "auto" else name)
    except RuntimeError as error:
        raise InvalidValue.of("device", expected="auto, cpu or cuda", got=repr(name)) from error
    if device.type not in ("cpu", "cuda"):
        raise InvalidValue.of("device", expected="auto, cpu or cuda", got=repr(name))
    if device.type == "cuda" and (device.index or 0) >= present:
        raise InvalidValue.of(
            "device",
            expected=f"one of the {present} CUDA devices that torch sees here" if present else "auto or cpu",
            got=repr(name),
            remedy="Take auto." if present else "torch sees no CUDA device on this machine.",
        )
    return device


def dtype_of(name: str, device: torch.device) -> torch.dtype:
    """A precision by name; ``auto`` is bf16 where the device has it, fp16 on an older GPU, fp32 on a processor.

    Raises:
        InvalidValue: it is none of those that are known.
    """
    import torch

    if name == "auto":
        if device.type != "cuda":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if name not in DTYPES:
        raise InvalidValue.of("dtype", expected=f"auto, {', '.join(DTYPES)}", got=repr(name))
    dtype: torch.dtype = getattr(torch, DTYPES[name])
    return dtype


def _accelerator(device: torch.device) -> Accelerator:
    import torch

    found = torch.cuda.get_device_properties(device)
    free, memory = torch.cuda.mem_get_info(device)
    with torch.cuda.device(device):
        taken = str(dtype_of("auto", device)).removeprefix("torch.")
    dtype = next(short for short, long in DTYPES.items() if long == taken)
    return Accelerator(str(device), found.name, f"{found.major}.{found.minor}", memory, free, dtype)


def _left(limit: Path, used: Path, told: Path) -> int | None:
    """Bytes that a container may still have: its limit less what it uses, but for files that can be read again."""
    most, taken = ([int(word) for word in _words(path)[:1] if word.isdigit()] for path in (limit, used))
    if not most:
        return None
    counts = dict(line.split() for line in _lines(told) if len(line.split()) == 2)
    again = int(counts.get("total_inactive_file") or counts.get("inactive_file") or 0)
    return max(0, most[0] - max(0, sum(taken) - again))


def _available(meminfo: Path) -> int | None:
    """Bytes that could be had without swapping: of Linux, else all that the machine has."""
    for line in _lines(meminfo):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
