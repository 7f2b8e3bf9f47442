"""Writes `eidophone/arguments.py`: the options of every call as typed keyword arguments, for editors and mypy.

Run it after a change of options: `python scripts/arguments.py`. A test compares the file with the options.
"""

import types
import typing
from pathlib import Path
from typing import Any

from eidophone.options.commands import CaptionOptions, EvaluateOptions, ScoreOptions
from eidophone.options.kinds import Options
from eidophone.verbs import VERBS

TARGET = Path(__file__).resolve().parents[1] / "src" / "eidophone" / "arguments.py"
HEAD = '''"""The options of every call as typed keyword arguments. Written by scripts/arguments.py; do not edit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

from eidophone.core.events import CancelToken, Listener, Progress


class RunArguments(TypedDict, total=False):
    """Keyword arguments of every verb: where results go, and who listens."""

    out: str | Path | None
    keep_arrays: bool
    events: Listener | None
    cancel: CancelToken | None
    progress: Progress | None
    sound_format: Literal["wav", "flac", "mp3", "opus"] | None
    sound_rate: int | None
    sound_bits: Literal[16, 24, "float"] | None
    loudness: float | None
    stereo: str | Path | None
    extend_band: bool | None

'''


def main() -> None:
    """Writes the file."""
    TARGET.write_text(text(), encoding="utf-8")


def text() -> str:
    """What the file must hold."""
    verbs = [_class(VERBS[name].options, "RunArguments") for name in VERBS.names()]
    commands = [_class(kind, "TypedDict") for kind in (CaptionOptions, ScoreOptions, EvaluateOptions)]
    return HEAD + "\n".join([*verbs, *commands])


def _class(kind: type[Options], base: str) -> str:
    name = kind.__name__.replace("Options", "Arguments")
    positional = set()
    for verb in VERBS.names():
        if VERBS[verb].options is kind:
            positional = {a.field for a in VERBS[verb].arguments}
    lines = [
        f"class {name}({base}, total=False):", f'    """Keyword arguments of `{kind.__name__}`."""', ""
    ]  # fmt: skip
    for field, info in kind.model_fields.items():
        if field not in positional:
            lines.append(f"    {field}: {_type(field, info.annotation)}")
    return "\n".join(["", *lines, ""])


def _type(field: str, annotation: Any) -> str:
    if field in ("picture", "sound"):
        return "Any"
    found = _plain(annotation)
    return f"{found} | Path" if field.endswith(("model", "captioner", "embedder", "upscaler")) else found


def _plain(annotation: Any) -> str:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _plain(inner[0])
    if origin in (typing.Union, types.UnionType):
        return " | ".join(_plain(kind) for kind in inner)
    if origin is typing.Literal:
        return f"Literal[{', '.join(repr(value) for value in inner)}]".replace("'", '"')
    if origin is tuple:
        return f"Sequence[{_plain(inner[0])}]"
    if annotation is type(None):
        return "None"
    return str(annotation.__name__)


if __name__ == "__main__":
    main()
