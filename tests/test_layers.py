"""Imports point one way: a part may use what stands left of it, never what stands right."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "src" / "eidophone"
LAYERS = [
    {"version", "_threads"},
    {"core"},
    {"options"},
    {"media", "diffusion"},
    {"models", "data"},
    {"scoring", "results"},
    {"verbs"},
    {"api"},
    {"evaluation", "studio"},
    {"cli"},
    {"__main__"},
]
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
WITHIN = [  # inside a layer, too
    ("core", ["errors", "events", "text"], ["values"]),
    ("options", ["kinds"], ["groups"], ["commands"]),
    (
        "media",
        ["mel", "files", "truncation", "ogg", "lettering", "gray"],
        ["vocoder_files", "decode_sndfile", "raster"],
        ["decode_ffmpeg"],
        ["stream"],
        ["spectrogram", "audio", "picture"],
        ["vocoder", "lossy", "color", "sheets"],
        ["video", "export"],
    ),
    ("diffusion", ["canvas"], ["guidance", "representation"], ["sampler"], ["distillation", "factorized"]),
    (
        "models",
        ["synonyms", "patches", "device", "identity", "kinds"],
        ["cards", "parts", "predictions"],
        ["weights", "text"],
        ["hub", "files", "tagger"],
        ["components", "checkpoint"],
        ["families"],
        ["layout", "predictor"],
        ["source", "vocoders"],
        ["latent", "pixel"],
        ["fit", "preview"],
        ["embedders", "captioners"],
        ["load"],
        ["registry"],
    ),
    (
        "scoring",
        ["contract", "windows", "ranking"],
        ["scorers"],
        ["similarity"],
        ["judges"],
        ["judging"],
    ),
    ("results", ["recipe", "folders"], ["store"]),
    (
        "verbs",
        ["shared", "compose"],
        ["imprint", "hear"],
        ["see", "colorize", "distill"],
        ["paint"],
        ["remake"],
    ),
    (
        "evaluation",
        ["journal", "statistics", "protocol"],
        ["samples", "summary", "tables", "selection"],
        ["report"],
        ["evaluate"],
    ),
    (
        "studio",
        ["settings", "forms", "messages"],
        ["exports"],
        ["guard", "jobs", "library", "requests", "uploads"],
        ["app"],
        ["serve"],
    ),
    (
        "cli",
        ["flags", "show"],
        ["evaluate", "models", "score", "verbs"],
        ["data", "paint", "studio"],
        ["caption"],
        ["program"],
    ),
]


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


@pytest.mark.parametrize("layer", WITHIN, ids=lambda layer: layer[0])
def test_imports_point_left_within(layer: tuple) -> None:
    name, *ranks = layer
    rank = {part: i for i, parts in enumerate(ranks) for part in parts}
    for part, level in rank.items():
        home = ROOT / name / part
        files = list(home.rglob("*.py")) or [home.with_suffix(".py")]
        used = {p[1] for file in files for p in imported(file) if p[0] == name and len(p) > 1}
        assert all(rank[other] < level or other == part for other in used if other in rank), f"{part}: {used}"


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
