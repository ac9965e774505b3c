from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from medinject_demo.engine.device import DTYPES, Host, accelerators, device_of, dtype_of, host
from medinject_demo.errors import InvalidValue

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
MEMINFO = "MemTotal:       24684092 kB\nMemFree:         753644 kB\nMemAvailable:    1048576 kB\n"

no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    (tmp_path / "meminfo").write_text(MEMINFO)
    return tmp_path


def limited(machine: Path, **files: str) -> Host:
    for name, text in files.items():
        path = machine / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return host(machine / "meminfo", machine)


def test_without_limits_the_machines_own_memory_counts(machine: Path) -> None:
    assert limited(machine) == Host(CORES, 2**30)


@pytest.mark.parametrize("name", ["memory_DOT_max", "memory__memory_DOT_limit_in_bytes"])
def test_the_limit_of_a_container_counts_where_it_is_lower(machine: Path, name: str) -> None:
    assert limited(machine, **{name: "536870912\n"}).memory == 2**29
    assert limited(machine, **{name: f"{2**60}\n"}).memory == 2**30


@pytest.mark.parametrize(
    ("used", "told"),
    [
        ({"memory_DOT_current": "300000000\n"}, {"memory_DOT_stat": "anon 100\ninactive_file 100000000\n"}),
        (
            {"memory__memory_DOT_usage_in_bytes": "300000000\n"},
            {"memory__memory_DOT_stat": "inactive_file 5\ntotal_inactive_file 100000000\n"},
        ),
    ],
    ids=["version 2", "version 1"],
)
def test_what_a_container_uses_is_not_free_but_for_files_that_can_be_read_again(
    machine: Path, used: dict[str, str], told: dict[str, str]
) -> None:
    limit = "memory_DOT_max" if "memory_DOT_current" in used else "memory__memory_DOT_limit_in_bytes"
    assert limited(machine, **{limit: "536870912\n"}, **used).memory == 536870912 - 300000000
    assert limited(machine, **told).memory == 536870912 - 200000000
    assert limited(machine, **{limit: "1000\n"}).memory == 0


def test_a_container_without_limit_has_all(machine: Path) -> None:
    assert limited(machine, memory_DOT_max="max\n", cpu_DOT_max="max 100000\n") == Host(CORES, 2**30)


@pytest.mark.parametrize("quota", ["50000 100000\n", "100000 100000\n"])
def test_a_part_of_a_core_is_a_core(machine: Path, quota: str) -> None:
    assert limited(machine, cpu_DOT_max=quota).cores == 1


def test_where_linux_says_nothing_all_of_the_memory_is_named(tmp_path: Path) -> None:
    memory = host(tmp_path / "absent", tmp_path).memory
    assert memory is None or memory > 2**28


def test_this_machine_has_a_core_and_memory() -> None:
    assert host().cores >= 1
    assert host().memory is None or host().memory > 2**20


@no_cuda
def test_without_cuda_auto_is_the_processor_in_fp32() -> None:
    assert accelerators() == ()
    assert device_of() == torch.device("cpu")
    assert dtype_of("auto", device_of()) is torch.float32


@no_cuda
@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_cuda_is_refused_where_there_is_none(name: str) -> None:
    with pytest.raises(InvalidValue, match=rf"^device: expected auto or cpu, got '{name}'\. torch sees no CUDA device"):
        device_of(name)


@pytest.mark.parametrize("name", ["abacus", "", "meta", "cpu:x", "cuda:99"])
def test_an_unknown_device_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match=rf"^device: expected .*, got '{name}'"):
        device_of(name)


@pytest.mark.parametrize("name", DTYPES)
def test_a_precision_has_a_short_name(name: str) -> None:
    assert str(dtype_of(name, torch.device("cpu"))) == f"torch.{DTYPES[name]}"


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InvalidValue, match="dtype: expected auto, fp32, bf16, fp16, got 'fp8'"):
        dtype_of("fp8", torch.device("cpu"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_device_is_described_and_taken_by_auto() -> None:
    first = accelerators()[0]
    assert device_of().type == "cuda"
    assert 0 < first.free <= first.memory
    assert first.dtype in ("bf16", "fp16")
    assert torch.device(first.device) == torch.device("cuda", 0)
