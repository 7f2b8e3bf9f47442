"""Imports point one way: a part may use what stands left of it, never what stands right."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "src" / "eidophone"
LAYERS = [
    {"version", "_threads"},
    {"core"},
    {"options"},
    {"media", "diffusion"},
    {"models", "data"},
    {"results"},
    {"scoring"},
    {"verbs"},
    {"arguments", "running", "saving"},
    {"session"},
    {"api"},
    {"batch", "notebook"},
    {"evaluation", "studio"},
    {"cli"},
    {"__main__"},
]
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}


def imported(file: Path) -> set[tuple[str, ...]]:
    """What a file imports from the package, inside functions too: ("models", "cards", ...)."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {tuple(n.split(".")[1:]) for n in names if n.startswith("eidophone.")}
    return found


FILES = sorted(f for f in ROOT.rglob("*.py") if f != ROOT / "__init__.py")


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_point_left(file: Path) -> None:
    here = file.relative_to(ROOT).parts[0].removesuffix(".py")
    assert here in LEVEL, f"{here} stands in no layer"
    for parts in imported(file):
        if parts[0] in LEVEL and parts[0] != here:
            assert LEVEL[parts[0]] < LEVEL[here], f"{here} imports {parts[0]}"


@pytest.mark.parametrize("layer", sorted(part for part in LEVEL if (ROOT / part).is_dir()))
def test_the_parts_of_a_layer_import_in_one_direction(layer: str) -> None:
    """The modules and folders of a layer, whatever they are called, can be put in an order; no list to forget."""
    graph: dict[str, set[str]] = {}
    for file in (ROOT / layer).rglob("*.py"):
        inside = file.relative_to(ROOT / layer).with_suffix("").parts
        if inside != ("__init__",):
            used = {p[1] for p in imported(file) if p[0] == layer and len(p) > 1}
            known = {
                part
                for part in used
                if (ROOT / layer / part).exists() or (ROOT / layer / f"{part}.py").exists()
            }
            graph.setdefault(inside[0], set()).update(known - {inside[0]})
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise AssertionError(f"{layer}: {' imports '.join(reversed(error.args[1]))}") from None


def test_the_layer_test_sees_a_wrong_import(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def f():\n    from eidophone.cli import main\n")
    assert imported(wrong) == {("cli", "main")}


def test_help_imports_no_torch() -> None:
    program = (
        "import sys; from eidophone.cli.program import build_parser; build_parser().format_help();"
        "sys.exit(any(n in sys.modules for n in ('torch', 'diffusers', 'transformers', 'av')))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
