"""What `mkdocs build` adds to the written pages: commands, Python API, files.

They are made from the package itself.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

API_HEAD = """# Python API

Everything that `import eidophone` offers. Importing costs nothing: each name loads its module on first use.

The functions take the options of their command as keywords: `--image-model` becomes `image_model`,
`--from` becomes `from_`. The [command reference](commands.md) lists them. They run on a default session;
[Sessions](session.md) says how to make your own.

"""


def on_config(config: Any) -> Any:
    """Makes the package importable, as it is in this working tree."""
    sys.path[:0] = [str(ROOT / "src"), str(ROOT)]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Adds the generated pages."""
    from mkdocs.structure.files import File

    commands, modules = (importlib.import_module(f"docs.tools.{name}") for name in ("commands", "modules"))
    made = {
        "reference/commands.md": commands.page(),
        "reference/api.md": api_page(),
        "reference/files.md": modules.page(),
    }
    for place, content in made.items():
        files.append(File.generated(config, place, content=content))
    return files


def api_page() -> str:
    """One section for each public name, functions first."""
    import eidophone

    names = sorted(eidophone.__all__, key=lambda name: (name[0].isupper(), name))
    return API_HEAD + "\n\n".join(f"::: eidophone.{name}" for name in names) + "\n"
