"""What the documents say is true: commands parse, output is what comes out, links lead somewhere."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from docs.tools import commands, console
from eidophone.cli.program import build_parser
from eidophone.cli.verbs import positional_settings
from eidophone.options.kinds import flag_of
from eidophone.verbs import VERBS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def shown_commands() -> list[str]:
    """Every `eidophone` command of the README and the site, run there or not."""
    found = []
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for block in re.findall(r"^```(?:sh|console)\n(.*?)^```$", page.read_text(), re.M | re.S):
            lines = re.findall(r"^(?:\$ )?(eidophone .*)$", block.replace("\\\n", " "), re.M)
            found += [line.split(" #")[0] for line in lines]
    return sorted(set(found))


@pytest.mark.parametrize("command", shown_commands())
def test_a_shown_command_is_accepted(command: str) -> None:
    given = build_parser().parse_args(shlex.split(command)[1:])
    options = commands.options_of(getattr(given, "verb", ""))
    if options is not None:
        named = {name: value for name, value in vars(given).items() if name in options.model_fields}
        if hasattr(given, "values"):
            named |= positional_settings(VERBS[given.verb], given.values, named)
        if isinstance(sounds := named.get("sound"), list):  # one run for each
            named["sound"] = sounds[0]
        options.make(**named)


def test_a_wrong_command_is_not_accepted() -> None:
    with pytest.raises(SystemExit), contextlib.redirect_stderr(io.StringIO()):
        build_parser().parse_args(["compose", "a castle", "a bell", "--no-such-flag"])


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 120


def test_links_of_the_top_pages_lead_to_files() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md"):
        page = ROOT / name
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{name} links to {target}"


@pytest.mark.slow
def test_the_readmes_python_runs() -> None:
    (source,) = re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, "README.md", "exec"), {"__name__": "__main__"})
    assert len(printed.getvalue().splitlines()) == 2


def test_the_reference_has_every_command_and_every_option() -> None:
    page = commands.page()
    for path, _ in commands.commands():
        assert f"\n## {' '.join(path)}\n" in page
    for verb in VERBS.names():
        options = commands.options_of(verb)
        section = page.split(f"\n## {verb}\n")[1].split("\n## ")[0]
        for name in options.model_fields:
            if name not in options.HIDDEN:
                assert re.search(rf"`{re.escape(flag_of(name))}[ `,]", section), f"{verb} {flag_of(name)}"


def test_numbers_are_masked_and_words_are_not() -> None:
    assert console.without_numbers("took  1.25 s") == console.without_numbers("took 30 s")
    assert console.without_numbers("a frog, 3 s") != console.without_numbers("a bird, 3 s")


def test_commands_of_a_block_are_told_from_their_output() -> None:
    block = "$ eidophone see a.wav \\\n    --out b\nsample 1\n$ ls b\n0000\n"
    assert list(console.commands(block)) == ["eidophone see a.wav \\\n    --out b", "ls b"]


@pytest.mark.slow
@pytest.mark.parametrize("page", console.PAGES, ids=lambda path: path.stem)
def test_a_tutorial_prints_what_it_shows(page: Path) -> None:
    shown = page.read_text()
    printed = console.fresh(shown)
    assert console.without_numbers(printed) == console.without_numbers(shown), (
        "the page is stale: python -m docs.tools.console --write, then read it again"
    )


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    environment: dict[str, Any] = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path],
        cwd=ROOT, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    api = (tmp_path / "reference" / "api" / "index.html").read_text()
    assert 'id="eidophone.compose"' in api or 'id="eidophone.api.compose"' in api
    assert "--audio-weight" in (tmp_path / "reference" / "commands" / "index.html").read_text()


@pytest.mark.slow
def test_the_code_of_the_extending_page_runs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "extending.md").read_text()
    source = "\n".join(block.content for block in console.blocks(page) if block.kind == "python")
    script = tmp_path / "extending.py"
    script.write_text(source)
    search = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": search},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    sampler, shape, numbers, blend, peeked, counted = done.stdout.splitlines()
    assert (blend, peeked, counted) == ("turns", "peek 1.0 s", "samples")
    assert sampler == "deis"
    assert shape.startswith("(128, 448, 3)")
    assert numbers == "['coverage.columns']"
