"""What `mkdocs build` adds to the written pages: commands, Python API, files.

They are made from the installed package. A page in `docs/pending/` joins the site as soon as the public
name that it describes can be imported.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: Pages that wait for a public name: name, page in `docs/pending/`, place on the site, title in the menu.
PENDING = [("Session", "session.md", "reference/session.md", "Sessions")]

API_HEAD = """# Python API

Everything that `import eidophone` offers. Importing costs nothing: each name loads its module on first use.

The functions take the settings of their command as keywords: `--image-model` becomes `image_model`,
`--from` becomes `from_`. The [command reference](commands.md) lists them.

"""


def on_config(config: Any) -> Any:
    """Adds pending pages to the menu once what they describe exists."""
    sys.path[:0] = [str(ROOT / "src"), str(ROOT)]
    reference = next(part["Reference"] for part in config.nav if "Reference" in part)
    reference.extend({title: place} for _, _, place, title in _ready())
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
    for _, page, place, _ in _ready():
        made[place] = (ROOT / "docs" / "pending" / page).read_text()
    for place, content in made.items():
        files.append(File.generated(config, place, content=content))
    return files


def api_page() -> str:
    """One section for each public name, functions first."""
    import eidophone

    names = sorted(eidophone.__all__, key=lambda name: (name[0].isupper(), name))
    return API_HEAD + "\n\n".join(f"::: eidophone.{name}" for name in names) + "\n"


def _ready() -> list[tuple[str, str, str, str]]:
    import eidophone

    return [row for row in PENDING if row[0] in eidophone.__all__]
