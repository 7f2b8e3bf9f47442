"""Files, folders and outputs that may not be read or written."""

import os
import random
import shutil
from pathlib import Path

from tests.fuzz.case import JUDGES, OUT
from tests.fuzz.materials import Materials


def forbidden(dice: random.Random, home: Path, good: Materials) -> list[str]:
    """No permission for a file, its folder, a result, a data set or the output; for everyone but root."""
    audio = ["--audio-model", str(good.audio)]
    inside = home / "inside"
    inside.mkdir()
    picture, sound, run = inside / "x.png", inside / "x.wav", inside / "run"
    shutil.copy(good.pictures[1], picture)
    shutil.copy(good.sounds[0], sound)
    shutil.copytree(good.results["hear"], run / "0000")
    ways: list[tuple[list[str], list[Path]]] = [
        (["hear", str(picture), *audio, "--out", OUT], [picture, inside]),
        (["see", str(sound), *audio, "--out", OUT], [sound, inside]),
        (["caption", str(sound), "--offline"], [sound, inside]),
        (
            ["score", str(run), *JUDGES],
            [run, run / "0000", run / "0000" / "record.json", run / "0000" / "sound.wav"],
        ),
        (["evaluate", str(run), *JUDGES, "--out", OUT], [run, run / "0000", run / "0000" / "picture.png"]),
        (["remake", str(run / "0000"), *audio, "--out", OUT], [run, run / "0000" / "record.json", inside]),
        (["paint", str(inside), "--offline", "--out", OUT], [inside]),
        (["data", "mix", str(inside), "--out", OUT], [inside, sound]),
        (["hear", str(picture), *audio, "--config", str(sound), "--out", OUT], [sound]),
        (["batch", str(sound), "--check", "--out", OUT], [sound]),
        (["batch", "--rebuild", "--out", str(run)], [run, run / "0000"]),
        (["models", "check", str(inside)], [inside]),
        (["hear", str(good.pictures[1]), *audio, "--out", str(inside / "out")], [inside]),
        (["data", "mix", str(good.bait.parent / "hear"), "--out", str(inside / "out")], [inside]),
    ]
    arguments, places = dice.choice(ways)
    place = dice.choice(places)
    place.chmod(dice.choice((0o000, 0o000, 0o444, 0o111, 0o555)) if place.is_dir() else 0o000)
    return arguments


def swept_kinds(dice: random.Random, home: Path, good: Materials) -> list[str]:
    """A folder for a run in which other processes left things: locks, drafts, files in the way."""
    out = home / OUT
    out.mkdir()
    audio = ["--audio-model", str(good.audio)]
    name = dice.choice(
        (".eidophone-lock", ".part-0123456789ab", "0000", "0000/record.json", "contact-sheet.png")
    )
    path = out / name
    path.parent.mkdir(exist_ok=True)
    dice.choice((
        path.mkdir, lambda: path.write_text("x"), lambda: path.symlink_to("nowhere"), lambda: os.mkfifo(path),
        lambda: path.symlink_to("/dev/full"), lambda: path.symlink_to(path),
    ))()  # fmt: skip
    return dice.choice((
        ["hear", str(good.pictures[1]), *audio, "--out", OUT],
        ["see", str(good.sounds[0]), *audio, "--out", OUT],
        ["evaluate", str(good.results["hear"].parent), *JUDGES, "--out", OUT],
        ["data", "mix", str(good.bait.parent / "set"), "--count", "1", "--out", OUT],
        ["compose", "frog", "rain", *audio, "--image-model", str(good.image), "--steps", "1", "--count", "1",
         "--judges", "none", "--preset", "draft", "--resume", "--device", "cpu", "--out", OUT],
    ))  # fmt: skip
