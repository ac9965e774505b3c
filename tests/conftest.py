"""What several tests share: the corpus read once, its pools, and rows made by hand."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import hypothesis
import pytest
import torch

if not torch.cuda.is_available():  # kernels are interpreted; Triton reads this when it is first imported
    os.environ["TRITON_INTERPRET"] = "1"
# read when Ray is first imported: its threads hold up no other program that a later test starts
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

from medinject_demo.training.corpus import CORPUS, Corpus
from medinject_demo.training.data import Pools
from medinject_demo.training.mini import provenance_pools
from medinject_demo.training.mini_recipe import MiniatureRecipe
from medinject_demo.training.render import Renderer

hypothesis.settings.register_profile("tests", deadline=None, max_examples=50, derandomize=True)
hypothesis.settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", action="store_true", help="take the pictures of docs/screenshots anew")
    parser.addoption("--vllm", type=Path, metavar="VENV", help="environment of a vLLM for tests/vllm: make test-vllm")


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    return Corpus.load()


@pytest.fixture(scope="session")
def renderer(corpus: Corpus) -> Renderer:
    return Renderer(corpus)


@pytest.fixture(scope="session")
def pools(renderer: Renderer) -> Pools:
    """The miniature's own pools."""
    return provenance_pools(renderer, MiniatureRecipe())


@pytest.fixture
def corpus_folder(tmp_path: Path) -> Path:
    """A copy of the corpus that a test may spoil."""
    return Path(shutil.copytree(CORPUS, tmp_path / "corpus"))


@pytest.fixture
def below_a_file(tmp_path: Path) -> Path:
    """A place that nobody can write, not even root: below a regular file."""
    (tmp_path / "file").write_text("a regular file", encoding="utf-8")
    return tmp_path / "file" / "below"


@pytest.fixture(scope="session")
def tiny_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with a tiny base whose arms nat, trad and all are there, and syn is not; and a base of the Hub."""
    from medinject_demo.domain import Mixture
    from tests.tiny import tiny_adapter, tiny_base

    root = tmp_path_factory.mktemp("registry")
    base = tiny_base(root / "tiny/base")
    for slug in ("nat", "trad", "all"):
        tiny_adapter(base, root / "tiny" / slug, Mixture.parse(slug))
    arms = "\n".join(f'{slug} = {{ folder = "tiny/{slug}" }}' for slug in ("nat", "trad", "syn", "all"))
    texts = 'title = "Petit"\nnotice = "Aucune valeur médicale."\n'
    (root / "registry.toml").write_text(
        f'[tiny]\n{texts}base = "./tiny/base"\n[tiny.arms]\n{arms}\n'
        f'[absent]\n{texts}base = "./absent"\n[absent.arms]\nnat = {{ folder = "tiny/nat" }}\n'
        f'[hub]\n{texts}base = "group/model"\n[hub.arms]\nnat = {{ folder = "hub/nat" }}\n',
        encoding="utf-8",
    )
    return root / "registry.toml"
