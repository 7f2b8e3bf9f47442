"""A result in other forms: a thumbnail, FLAC, a ZIP, and the command or program that makes it again."""

import io
import shlex
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from PIL import Image

from eidophone.core.recipe import Recipe
from eidophone.media.audio import read_sound
from eidophone.media.export import save_clip
from eidophone.options.kinds import flag_of
from eidophone.studio.settings import MACHINE_OPTIONS
from eidophone.verbs import verb_of

THUMBNAIL_PIXELS = 320


def thumbnail(picture: Path) -> bytes:
    """A small JPEG of a picture."""
    with Image.open(picture) as image:
        small = image.convert("RGB")
        small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
        content = io.BytesIO()
        small.save(content, "JPEG", quality=82)
    return content.getvalue()


def flac(sound: Path) -> bytes:
    """A sound as FLAC."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.flac"
        save_clip(read_sound(sound), path)
        return path.read_bytes()


def zipped(files: list[Path]) -> bytes:
    """Files as a ZIP; they are compressed already, so they are only stored."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for path in files:
            archive.write(path, path.name)
    return content.getvalue()


def commands_of(recipe: Recipe) -> dict[str, str]:
    """A command line and a Python program that make one sample again.

    Only what differs from the preset is named. A file of the user's is named as the recipe names it.
    """
    verb = verb_of(recipe.verb)
    given = _differing(recipe)
    words = ["eidophone", recipe.verb]
    replaced = {a.field for a in verb.arguments if given.get("scene") or given.get(a.replaced_by)}
    values = {a.field: given.pop(a.field, "") for a in verb.arguments}
    words += [str(value) for name, value in values.items() if name not in replaced]
    for name, value in given.items():
        if isinstance(value, bool):
            words.append(flag_of(name) if value else "--no-" + flag_of(name)[2:])
        elif isinstance(value, list):
            words += [word for each in value for word in (flag_of(name), str(each))]
        else:
            words += [flag_of(name), str(value)]
    called = {name: value for name, value in values.items() if name not in replaced} | given
    lines = [f"    {name}={value!r}," for name, value in called.items()]
    loop = "result" if recipe.verb in ("hear", "see") else "[result]"
    call = [f"{loop} = eidophone.{recipe.verb}(", *lines, ")"]
    saving = ['result.picture.save("picture.png")', 'result.clip.save("sound.wav")']
    program = ["import eidophone", "", *call, *saving]
    return {"command": shlex.join(words), "python": "\n".join(program) + "\n"}


def _differing(recipe: Recipe) -> dict[str, Any]:
    """Options of a recipe that are not what its preset would set."""
    verb = verb_of(recipe.verb)
    recorded = verb.options.upgraded(recipe.options.plain())
    fields = verb.options.model_fields
    preset = verb.options.preset_for(recorded)
    usual = {name: preset.get(name, field.get_default()) for name, field in fields.items()}
    usual["preset"] = "fast"
    arguments = {a.field for a in verb.arguments}
    left = {*MACHINE_OPTIONS, "samples", "index", "count", "resume"}
    found = {
        name: value
        for name, value in recorded.items()
        if name in fields
        and name not in left
        and value not in (None, [])
        and (name in arguments or (value != "" and value != usual[name]))
    }
    if "index" in fields:
        found |= {"index": recipe.index} if recipe.index else {}
        found |= {"count": 1} if usual["count"] != 1 else {}
    return found
