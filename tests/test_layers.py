"""The layers of the house: who may import what."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "medinject_demo"
FILES = [*sorted(PACKAGE.rglob("*.py")), *ROOT.glob("app.py")]

FLOORS = (
    {"__init__", "settings", "domain", "documents", "errors", "files"},
    {"engine", "votes", "stats", "adapters", "prompts", "pairing", "privacy", "limiter", "addresses"},
    {
        "acquaintances",
        "arena",
        "assembly",
        "boards",
        "duel",
        "keeper",
        "matchmaking",
        "memory",
        "prepared",
        "receipts",
        "relay",
    },
    {"ui", "evaluation", "training"},
    {
        "app",
        "cli",
        "doctor",
        "terminal",
        "serving",
        "page_bench",
        "fleet_bench",
        "giving_bench",
        "statistics_bench",
        "__main__",
        "readme",
    },
)
FLOOR = {part: floor for floor, parts in enumerate(FLOORS) for part in parts}
MODULES = [
    "domain",
    "documents",
    "errors",
    "files",
    "settings",
    "prompts",
    "pairing",
    "privacy",
    "limiter",
    "addresses",
    "votes.store",
    "votes.hub",
    "votes.keeping",
    "votes.giving",
    "arena",
    "matchmaking",
    "adapters.registry",
    "training.corpus",
    "training.render",
    "training.mixtures",
    "training.data",
    "engine.base",
    "engine.endpoint",
    "engine.headers",
    "engine.remote",
    "engine.device",
    "engine.fleet.fleet",
    "engine.fleet.cluster",
    "engine.fleet.replica",
    "adapters.presence",
    "adapters.source",
    "adapters.listing",
    "assembly",
    "terminal",
    "doctor",
    "cli",
    "stats.report",
    "votes.frame",
    "votes.reading",
]
HEAVY = ("ray", "torch", "triton", "transformers", "peft", "gradio", "datasets", "pandas", "statsmodels", "matplotlib")
SQL = {"sqlalchemy", "sqlite3", "alembic", "psycopg", "psycopg2", "aiosqlite", "asyncpg"}
# The store, its tables and migrations, its connections and their errors: apart, no file is above 300 lines.
SQL_FILES = {
    f"votes/{name}.py" for name in ("store", "suspects", "schema", "database", "engines", "reading", "kept", "links")
}
# What leaves the database and comes back, what is erased in it, and which files of a data set hold what.
SQL_FILES |= {f"votes/{name}.py" for name in ("exchange", "forgetting", "migrations", "owed", "shelf", "voters")}
TENSORS = {"torch", "transformers", "peft", "safetensors", "numpy", "huggingface_hub", "tokenizers", "optimum"}
TENSORS |= {"jinja2"}  # torch needs it
HTTP = {"httpx2", "anyio"}  # huggingface_hub needs both
# serving.py reads none of it: it tells uvicorn whom not to believe.
ENVIRONMENT = {"settings.py", "cli/family.py", "app.py", "ui/__init__.py", "ui/page.py", "serving.py"}


def place(path: Path) -> str:
    """``training/corpus.py``; ``app.py`` for the composition root."""
    return str(path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT))


def part(path: Path) -> str:
    """The first name below the package: ``training``, ``prompts``, ``app``."""
    return place(path).partition("/")[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Absolute names of everything a file imports, at its top or inside a function."""
    inside = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = inside[: len(inside) - node.level + 1] if node.level else ()
            source = [*above, *([node.module] if node.module else [])]
            yield from (".".join([*source, alias.name]) for alias in node.names)


def parts_imported(path: Path) -> set[str]:
    """Parts of the package that a file imports; its root for a name that the root defines."""
    names = [name.split(".")[1] for name in imported(path) if name.startswith("medinject_demo.")]
    return {name if name in FLOOR else "__init__" for name in names}


def libraries(path: Path) -> set[str]:
    """Top names of the libraries that a file imports, the standard one included."""
    return {name.partition(".")[0] for name in imported(path)} - {"medinject_demo", "__future__"}


def files_of(name: str) -> list[Path]:
    return [path for path in FILES if part(path) == name]


def reach(path: Path) -> set[Path]:
    """The files of the package that importing a file may read, itself included."""
    seen, ahead = set(), [path]
    while ahead:
        each = ahead.pop()
        seen.add(each)
        for name in imported(each):
            stem = ROOT.joinpath(*name.split("."))
            found = [stem.with_suffix(".py"), stem.parent.with_suffix(".py"), stem / "__init__.py"]
            ahead += [file for file in found if file in FILES and file not in seen]
    return seen


def reads_the_environment(path: Path) -> bool:
    names = {"environ", "environb", "getenv"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr in names and ast.unparse(node.value) == "os":
            return True
        if isinstance(node, ast.ImportFrom) and node.module == "os" and names & {each.name for each in node.names}:
            return True
    return False


def test_importing_the_core_loads_no_heavy_library() -> None:
    program = "\n".join([f"import medinject_demo.{name}" for name in MODULES])
    program += f"\nimport sys; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("path", FILES, ids=place)
def test_every_module_has_its_floor(path: Path) -> None:
    assert part(path) in FLOOR, "give the new module its floor in FLOORS above"


@pytest.mark.parametrize("path", FILES, ids=place)
def test_no_import_points_up(path: Path) -> None:
    assert {each for each in parts_imported(path) if FLOOR[each] > FLOOR[part(path)]} == set()


def test_imports_run_in_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        graph.setdefault(part(path), set()).update(parts_imported(path) - {part(path)})
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", FILES, ids=place)
def test_each_library_stays_in_its_house(path: Path) -> None:
    used = libraries(path)
    assert "gradio" not in used or part(path) in {"ui", "app"}
    assert "torch" not in used or part(path) in {"engine", "adapters", "training", "evaluation"}
    assert "triton" not in used or place(path).startswith("engine/fused/")
    assert "ray" not in used or place(path).startswith("engine/fleet/") or place(path) == "assembly.py"
    assert not used & SQL or place(path) in SQL_FILES


@pytest.mark.parametrize("path", FILES, ids=place)
def test_the_environment_is_read_at_the_entries_only(path: Path) -> None:
    assert not reads_the_environment(path) or place(path) in ENVIRONMENT


@pytest.mark.parametrize("path", files_of("engine") + files_of("adapters"), ids=place)
def test_a_gpu_host_needs_nothing_but_the_tensor_libraries(path: Path) -> None:
    needed = set().union(*(libraries(each) for each in reach(path)))
    beside = HTTP | ({"ray"} if "fleet" in path.parts else set())
    beside |= {"triton"} if "fused" in path.parts else set()  # which torch brings along where there is a GPU
    assert needed - set(sys.stdlib_module_names) <= TENSORS | beside


@pytest.mark.parametrize("name", ["domain", "errors", "settings"])
def test_the_ground_floor_needs_the_standard_library_alone(name: str) -> None:
    assert libraries(PACKAGE / f"{name}.py") <= set(sys.stdlib_module_names)


def test_the_engines_reading_order_names_its_modules_and_no_other() -> None:
    engine = PACKAGE / "engine"
    said = ast.get_docstring(ast.parse((engine / "__init__.py").read_text(encoding="utf-8"))) or ""
    named = {name for name in re.findall(r"``(\w+)``", said) if name.islower() and len(name) > 1}
    modules = {path.stem for path in engine.glob("*.py")} | {path.parent.name for path in engine.glob("*/__init__.py")}
    assert named == modules - {"__init__"}


def test_an_import_that_points_up_would_be_seen() -> None:
    assert "cli" in parts_imported(PACKAGE / "__main__.py")
    assert {"domain", "adapters", "engine", "training"} <= parts_imported(PACKAGE / "cli/training.py")
    assert {"corpus", "mixtures"} <= {each.stem for each in reach(PACKAGE / "training/mini.py")}
