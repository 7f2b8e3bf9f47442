"""Runs what the tutorials show: every `console` and `python` block, page by page.

A `console` block holds commands behind `$ ` and what they print. A `python` block may be followed by a
`text` block, which holds what it prints. `sh` blocks are not run.

`python -m docs.tools.console --write` puts today's output into the pages;
`python -m docs.tools.console` compares it, numbers aside, and exits with 1 if something else came out.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docs.tools.material import make

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
_BLOCK = re.compile(r"^```(console|python|text)\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its kind, what it holds, and where that is."""

    kind: str
    content: str
    start: int
    end: int


def blocks(page: str) -> list[Block]:
    """All blocks that are run or that hold output."""
    return [Block(m[1], m[2], m.start(2), m.end(2)) for m in _BLOCK.finditer(page)]


def fresh(page: str) -> str:
    """The page with today's output. Runs everything, in an empty folder that holds the material."""
    names: dict[str, Any] = {"__name__": "__main__"}
    changes: list[tuple[Block, str]] = []
    printed = ""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        make(Path(folder))
        for block in blocks(page):
            if block.kind == "console":
                changes.append((block, _console(block.content)))
            elif block.kind == "python":
                printed = _python(block.content, names)
            else:
                changes.append((block, printed))
    for block, content in reversed(changes):
        page = page[: block.start] + content + page[block.end :]
    return page


def commands(content: str) -> Iterator[str]:
    """The commands of a `console` block, with continued lines joined."""
    shown = [line for line in re.split(r"\n(?=\$ )", content) if line.startswith("$ ")]
    for text in shown:
        lines = text[2:].split("\n")
        last = next(i for i, line in enumerate(lines) if not line.endswith("\\"))
        yield "\n".join(lines[: last + 1])


def _console(content: str) -> str:
    return "".join(f"$ {command}\n{_run(command)}" for command in commands(content))


def _run(command: str) -> str:
    """What a command prints; `eidophone` runs in this process, which has its libraries loaded."""
    words = shlex.split(command.replace("\\\n", " "))
    if words[0] == "eidophone":
        code, printed = _eidophone(words[1:])
    else:
        done = subprocess.run(words, capture_output=True, text=True, env=os.environ | {"LC_ALL": "C.UTF-8"})
        code, printed = done.returncode, done.stdout + done.stderr
    if code:
        raise RuntimeError(f"$ {command}\nexit code {code}\n{printed}")
    return "\n".join(line.rstrip() for line in printed.splitlines()) + "\n" if printed.strip() else ""


def _eidophone(words: list[str]) -> tuple[int, str]:
    """The exit code and what a reader sees: standard output, without the lines of progress; errors if it failed."""
    from eidophone.cli import main

    printed, messages = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(messages):
        code = main(words)
    return code, printed.getvalue() + (messages.getvalue() if code else "")


def _python(source: str, names: dict[str, Any]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, "page", "exec"), names)
    return printed.getvalue()


def without_numbers(page: str) -> str:
    """The page with every number and the width of its columns masked: these differ between machines."""
    return re.sub(r"[ #]*#[ #]*", " # ", re.sub(r"-?\d+(\.\d+)?(e[+-]?\d+)?", "#", page))


def main() -> int:
    """Runs all pages; 1 if one of them shows something else than what came out."""
    stale = []
    for path in PAGES:
        before = path.read_text()
        after = fresh(before)
        if "--write" in sys.argv[1:]:
            path.write_text(after)
        elif without_numbers(before) != without_numbers(after):
            stale.append(path.name)
    for name in stale:
        print(f"{name}: shows something else than its commands print; run with --write and read it again.")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
