"""`eidophone paint SOUND...`: several sounds, one run."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eidophone.cli.flags import given_settings
from eidophone.cli.show import sentence, show
from eidophone.cli.verbs import new_folder
from eidophone.core.errors import BadInput, EidophoneError
from eidophone.core.events import Progress
from eidophone.verbs.paint.options import PaintOptions


def run(arguments: argparse.Namespace) -> int:
    """Paints every sound; 1 if one of several could not be painted."""
    settings = given_settings(arguments, PaintOptions)
    sounds = sounds_of([Path(given) for given in arguments.sounds])
    options = [PaintOptions.make(**settings, sound=sound) for sound in sounds]
    out = arguments.out or new_folder("paint", " ".join(sound.stem for sound in sounds[:3]))
    folders = [out] if len(sounds) == 1 else _folders(out, sounds)
    failed: list[str] = []

    def _make(progress: Progress) -> Iterator[Any]:
        from eidophone import api

        painted = api.paint_each(options, folders, arguments.keep_arrays, progress)
        for found in painted:
            if isinstance(found, EidophoneError):
                failed.append(sentence(found))
            else:
                yield found
        if len(failed) == len(sounds):
            raise BadInput(" ".join(failed))

    code = show(_make, out, options[0].count * len(options), arguments.json)
    for reason in failed:
        print(f"eidophone: {reason}", file=sys.stderr)
    return code or int(bool(failed))


def sounds_of(given: list[Path]) -> list[Path]:
    """The files that are meant: those that were named, and the sounds in folders that were named.

    Raises:
        BadInput: a folder without any.
    """
    from eidophone.data.recordings import sounds_in

    found = []
    for path in given:
        if path.is_dir():
            inside = list(sounds_in(path.iterdir()))
            if not inside:
                raise BadInput(f"{path}: there are no sounds in this folder; name another.")
            found += inside
        else:
            found.append(path)
    return found


def _folders(out: Path, sounds: list[Path]) -> list[Path]:
    """A folder of its own for every sound, by its name; numbered where two have the same."""
    folders: list[Path] = []
    for sound in sounds:
        folder, number = out / sound.stem, 1
        while folder in folders:
            number += 1
            folder = out / f"{sound.stem}-{number}"
        folders.append(folder)
    return folders
