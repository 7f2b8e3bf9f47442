"""One line for every file of the package: the first line of its docstring. Made anew for each build."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "eidophone"

HEAD = """# Files

One line for every file of the package, made from the files themselves.
[Architecture](../architecture.md) says how the folders fit together.

"""


def page() -> str:
    """A table for each folder, as Markdown."""
    folders: dict[str, list[tuple[str, str]]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        about = summary(file)
        if about:
            folder = str(file.parent.relative_to(PACKAGE.parent))
            folders.setdefault(folder, []).append((file.name, about))
    parts = []
    for folder, rows in sorted(folders.items()):
        lines = [f"| `{name}` | {about} |" for name, about in rows]
        parts.append("\n".join([f"## {folder}/", "", "| File | Purpose |", "|---|---|", *lines]))
    return HEAD + "\n\n".join(parts) + "\n"


def summary(file: Path) -> str:
    """The first line of a module's docstring; empty if there is none."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ").replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    print(page())
