"""A real vLLM server on the processor: the miniature's base and two of its arms, converted to plain LoRA."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from medinject_demo.adapters.registry import profile
from medinject_demo.domain import BASE, Mixture
from medinject_demo.engine.endpoint import Endpoint
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.remote import Patience, RemoteEngine, lora_modules
from medinject_demo.serving import free_port

from .conversion import as_lora

MINI = profile("mini")
CONVERTED = (Mixture.parse("nat"), Mixture.parse("syn"))
RANK = 256
"""That of the miniature's matrices: a conversion of this rank leaves nothing of an adapter out."""
CONTEXT = 512
PATIENCE = 300
"""Seconds until the server is there, or says its next token: the machine may be busy."""


@dataclass(frozen=True)
class Vllm:
    """A server that runs."""

    url: str
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End it and everything it started, without a word."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--vllm") is None:
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent):
                item.add_marker(pytest.mark.skip(reason="needs a vLLM of its own: run make test-vllm"))


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[Mixture, Path]:
    root = tmp_path_factory.mktemp("lora")
    return {arm: as_lora(MINI.arms[arm].folder, Path(MINI.base), root / arm.slug, RANK) for arm in CONVERTED}


@pytest.fixture(scope="session")
def vllm(
    request: pytest.FixtureRequest, converted: dict[Mixture, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Vllm]:
    port, log = free_port(), tmp_path_factory.mktemp("vllm") / "log"
    settings = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    settings |= {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"}
    program = Path(request.config.getoption("--vllm")).absolute() / "bin/vllm"
    options: dict[str, Any] = {
        "--served-model-name": "base",
        "--host": "127.0.0.1",
        "--port": port,
        "--dtype": "float32",
        "--max-model-len": CONTEXT,
        "--max-lora-rank": RANK,
        "--max-loras": 8,
    }
    command = [program, "serve", MINI.base, "--enforce-eager", "--enable-lora"]
    command += [each for pair in options.items() for each in pair]
    command += ["--lora-modules", *lora_modules(converted)]
    with log.open("wb") as file:
        process = subprocess.Popen(
            list(map(str, command)), env=os.environ | settings, stdout=file, stderr=file, start_new_session=True
        )
    server = Vllm(f"http://127.0.0.1:{port}/v1", process)
    try:
        until_there(server, log)
        yield server
    finally:
        if process.poll() is None:
            server.kill()


def until_there(server: Vllm, log: Path) -> None:
    latest = time.monotonic() + PATIENCE
    while time.monotonic() < latest:
        assert server.process.poll() is None, log.read_text(encoding="utf-8", errors="replace")[-4000:]
        try:
            with urllib.request.urlopen(f"{server.url}/models", timeout=10):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"no server within {PATIENCE} s: " + log.read_text(encoding="utf-8", errors="replace")[-4000:])


@pytest.fixture(scope="session")
def engine(vllm: Vllm) -> Iterator[RemoteEngine]:
    endpoints = {arm: Endpoint(vllm.url, (arm.slug,)) for arm in (BASE, *CONVERTED)}
    engine = RemoteEngine.connect(endpoints, patience=Patience(first=PATIENCE, between=PATIENCE))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def here(converted: dict[Mixture, Path]) -> Iterator[LocalEngine]:
    """The same converted adapters on this machine."""
    engine = LocalEngine.load(MINI.base, converted, device="cpu", max_context=CONTEXT)
    yield engine
    engine.close()
