"""The kinds of bad input. Each puts its files into a folder and returns the command."""

import json
import os
import random
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

from eidophone.core.values import Picture
from eidophone.media.audio import read_sound, write_wav
from eidophone.media.picture import read_picture, write_png
from eidophone.results.recipe import read_recipe
from tests.fuzz.case import JUDGES, OUT, Case
from tests.fuzz.damage import damaged_bytes, damaged_json, strange_place
from tests.fuzz.flags import JUNK, bad_flags
from tests.fuzz.lists import damaged_jobs, damaged_settings
from tests.fuzz.materials import Materials
from tests.fuzz.networks import damaged_network
from tests.fuzz.places import forbidden, swept_kinds
from tests.fuzz.studio import odd_requests

#: Makes the files of a case below a folder; returns the arguments.
Kind = Callable[[random.Random, Path, Materials], list[str]]


def _on_sound(dice: random.Random, path: Path, good: Materials) -> list[str]:
    audio, name = ["--audio-model", str(good.audio)], str(path)
    ways = [
        ["see", name, *audio, "--out", OUT],
        ["see", name, *audio, "--out", OUT],
        ["score", str(good.pictures[1]), name, *JUDGES],
        ["caption", name, "--offline"],
        _imprint(good, "--sound", name),
        ["paint", name, "--offline", "--out", OUT, "--audio-model", str(good.audio), "--steps", "x"],
    ]
    return dice.choice(ways)


def _on_picture(dice: random.Random, path: Path, good: Materials) -> list[str]:
    audio, name = ["--audio-model", str(good.audio)], str(path)
    ways = [
        ["hear", name, *audio, "--out", OUT],
        ["hear", name, *audio, "--out", OUT],
        ["score", name, str(good.sounds[0]), *JUDGES],
        ["remake", name, *audio, "--out", OUT],
        ["colorize", name, "a frog", *_stages(good), "--out", OUT],
        _imprint(good, "--picture", name),
    ]
    return dice.choice(ways)


def _stages(good: Materials) -> list[str]:
    """Models of two stages that colour in one step each."""
    first, second = str(good.networks["pixel"]), str(good.networks["upscaler"])
    return ["--image-model", first, "--upscaler", second, "--offline", "--steps", "1", "--upscale-steps", "1"]


def _imprint(good: Materials, flag: str, path: str) -> list[str]:
    prompt = "rain" if flag == "--picture" else "a frog"
    models = ["--image-model", str(good.image), "--audio-model", str(good.audio)]
    return [
        "imprint",
        prompt,
        flag,
        path,
        *models,
        "--count",
        "1",
        "--preset",
        "draft",
        "--judges",
        "none",
        "--out",
        OUT,
    ]


def damaged_sound(dice: random.Random, home: Path, good: Materials) -> list[str]:
    """A sound file with damaged bytes."""
    whole = dice.choice(good.sounds)
    path = home / f"x{whole.suffix}"
    path.write_bytes(damaged_bytes(dice, whole.read_bytes()))
    return _on_sound(dice, path, good)


def damaged_picture(dice: random.Random, home: Path, good: Materials) -> list[str]:
    """A picture file with damaged bytes."""
    whole = dice.choice([*good.pictures, *(folder / "picture.png" for folder in good.results.values())])
    path = home / f"x{dice.choice((whole.suffix, whole.suffix, '.png'))}"
    path.write_bytes(damaged_bytes(dice, whole.read_bytes()))
    return _on_picture(dice, path, good)


def strange_file(dice: random.Random, home: Path, good: Materials) -> list[str]:
    """No plain file, a name with control characters, or a suffix that lies."""
    if dice.random() < 0.5:
        return _on_sound(dice, strange_place(dice, home, dice.choice(good.sounds)), good)
    return _on_picture(dice, strange_place(dice, home, dice.choice(good.pictures)), good)


@cache
def _parts(folder: Path) -> tuple[dict, Picture, object]:
    recipe = read_recipe(folder / "picture.png").plain()
    return recipe, read_picture(folder / "picture.png"), read_sound(folder / "sound.wav")


def _beside(home: Path, good: Materials) -> None:
    """The input files of the results, so that a recipe gets as far as it can."""
    for name in ("rgb.png", "a.wav"):
        os.link(good.pictures[0].parent / name, home / name)


def damaged_recipe(dice: random.Random, home: Path, good: Materials) -> list[str]:
    """A recipe inside a PNG or a WAV, with fields of every JSON kind."""
    _beside(home, good)
    recipe, picture, clip = _parts(dice.choice(list(good.results.values())))
    text = damaged_json(dice, recipe).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    models = dice.choice(([], ["--audio-model", str(good.audio)]))
    if "image" in recipe["models"] and models:
        models = [*models, "--image-model", str(good.image)]
    if dice.random() < 0.4:
        write_wav(home / "x.wav", clip, recipe=text)
        return ["remake", str(home / "x.wav"), *models, "--out", OUT]
    write_png(home / "x.png", picture, text={"eidophone": text})
    if dice.random() < 0.4:
        return ["hear", str(home / "x.png"), *models[:2], "--out", OUT]
    return ["remake", str(home / "x.png"), *models, "--out", OUT]


def damaged_record(dice: random.Random, home: Path, good: Materials) -> list[str]:
    """The folder of a result whose record or files are damaged."""
    _beside(home, good)
    run = home / "run"
    sample = run / "0000"
    shutil.copytree(dice.choice(list(good.results.values())), sample)
    if dice.random() < 0.3:
        shutil.copytree(good.results["hear"], run / "0001")
    record = sample / "record.json"
    if dice.random() < 0.75:
        text = damaged_json(dice, json.loads(record.read_text()))
        record.write_bytes(text.encode("utf-8", "surrogatepass"))
    else:
        path = dice.choice(sorted(sample.iterdir()))
        whole = path.read_bytes()
        path.unlink()
        dice.choice((
            lambda: path.write_bytes(damaged_bytes(dice, whole)), lambda: path.symlink_to(good.bait / "private.png"),
            path.mkdir, lambda: os.mkfifo(path), lambda: None,
        ))()  # fmt: skip
    audio = ["--audio-model", str(good.audio)]
    return dice.choice((
        ["evaluate", str(run), *JUDGES, "--out", OUT],
        ["score", str(run), *JUDGES],
        ["score", str(sample), *JUDGES, "--json"],
        ["remake", str(sample), *audio, "--out", OUT],
        ["remake", str(record), *audio, "--out", OUT],
        ["colorize", str(sample), "a frog", *_stages(good), "--out", OUT],
        ["batch", "--rebuild", "--out", str(home)],
        ["batch", "--merge", str(home), "--out", OUT],
        ["compose", "--config", str(sample), "--out", OUT],
        ["compose", "frog", "rain", "--resume", "--steps", "1", "--count", "1", "--preset", "draft", "--judges", "none",
         *audio, "--image-model", str(good.image), "--out", str(run)],
    ))  # fmt: skip


def damaged_journal(dice: random.Random, home: Path, good: Materials) -> list[str]:
    """An evaluation that goes on from a damaged samples.jsonl."""
    out = home / OUT
    out.mkdir()
    row = {
        "folder": "0000", "checksum": "0" * 64, "method": "hear", "image_prompt": "", "audio_prompt": "", "index": 0,
        "seed": None, "numbers": {"signal.dc": 0.5}, "failed": {}, "features": {}, "broken": "",
    }  # fmt: skip
    head = json.dumps({"format": 2, "judges": [["signal", ""]]})
    lines = dice.choice(
        ([damaged_json(dice, row)], [head, damaged_json(dice, row)], [head + "x"], ["[]"], [""])
    )
    (out / "samples.jsonl").write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    return ["evaluate", str(good.results["hear"].parent), *JUDGES, "--out", OUT]


def damaged_set(dice: random.Random, home: Path, good: Materials) -> list[str]:
    """A data set whose table or files are damaged, for `data mix`."""
    folder = home / "set"
    shutil.copytree(good.data, folder)
    rows = (folder / "meta" / "esc50.csv").read_text().splitlines()
    cells = ("9" * 5000, "\0", "x" * 5000, "../../bait/private.wav", "=1+1", "\x1b[31m", "", '"', "-1", "ü")
    if dice.random() < 0.7:
        line = dice.randrange(len(rows))
        parts = rows[line].split(",")
        parts[dice.randrange(len(parts))] = dice.choice(cells)
        rows[line] = ",".join(parts)
    else:
        broken = folder / "audio" / "1-0-A-0.wav"
        broken.write_bytes(damaged_bytes(dice, broken.read_bytes()))
    table = "\n".join(rows).encode()
    if dice.random() < 0.2:
        table = damaged_bytes(dice, table)
    (folder / "meta" / "esc50.csv").write_bytes(table)
    return ["data", "mix", str(folder), "--count", "2", "--out", OUT]


def bad_flag(dice: random.Random, home: Path, good: Materials) -> list[str]:
    """A flag with a value at or beyond its limits."""
    command, flag, value = dice.choice(_flags())
    picture, sound = str(good.pictures[1]), str(good.sounds[0])
    audio, models = ["--audio-model", str(good.audio)], ["--image-model", str(good.image)]
    small = ["--count", "1", "--preset", "draft", "--device", "cpu"]
    gone = ["--image-model", str(home / "gone")]
    base = {
        "hear": ["hear", picture, *audio, "--out", OUT],
        "see": ["see", sound, *audio, "--out", OUT],
        "compose": ["compose", "frog", "rain", *audio, *models, *small, "--judges", "none", "--offline", "--out", OUT],
        "imprint": [*_imprint(good, "--sound", sound), "--device", "cpu", "--offline"],
        "distill": ["distill", "frog", "rain", *audio, *models, "--iterations", "1", "--offline", "--out", OUT],
        "paint": ["paint", sound, "--count", "1", "--offline", "--out", OUT, *gone],
        "colorize": ["colorize", str(good.results["hear"]), "frog", "--offline", *gone, "--out", OUT],
        "score": ["score", str(good.results["hear"]), *JUDGES, "--offline"],
        "evaluate": ["evaluate", str(good.results["hear"].parent), *JUDGES, "--offline", "--out", OUT],
        "caption": ["caption", sound, "--offline"],
        "data mix": ["data", "mix", str(good.data), "--count", "1", "--out", OUT],
        "batch": ["batch", str(_good_jobs(home, good)), "--check", "--out", OUT],
        "models check": ["models", "check", str(good.networks["clip"])],
        "examples": ["examples"],
    }  # fmt: skip
    return [*base[command], *([f"{flag}={value}"] if dice.random() < 0.7 else [flag, value])]


def _good_jobs(home: Path, good: Materials) -> Path:
    path = home / "jobs.jsonl"
    path.write_text(json.dumps({"verb": "see", "sound": str(good.sounds[0]), "audio_model": str(good.audio)}))
    return path


@cache
def _flags() -> tuple[tuple[str, str, str], ...]:
    return tuple(bad_flags())


def bad_out(dice: random.Random, home: Path, good: Materials) -> list[str]:
    """A place for results that cannot be one."""
    (home / "file").write_text("kept")
    (home / "loop").symlink_to("loop")
    place = dice.choice((
        str(home / "file"), str(home / "file" / "deeper"), str(home / "loop"), "x" * 300, "a\0b", "", "/dev/null/x",
        "/proc/nothing", str(home / "e\x1b[31mx"), str(home / "\udcff"),
    ))  # fmt: skip
    audio = ["--audio-model", str(good.audio)]
    return dice.choice((
        ["hear", str(good.pictures[1]), *audio, f"--out={place}"],
        ["see", str(good.sounds[0]), *audio, f"--out={place}"],
        ["evaluate", str(good.results["hear"].parent), *JUDGES, f"--out={place}"],
        ["data", "mix", str(good.results["hear"].parent), f"--out={place}"],
        ["remake", str(good.results["hear"]), *audio, f"--out={place}"],
    ))  # fmt: skip


def odd_words(dice: random.Random, home: Path, good: Materials) -> list[str]:
    """Prompts, words and files that are too many, too few, or strange."""
    words = [
        dice.choice((*JUNK, "frog", "日本語", "--", "-x", "frog\x00", "\u202e", "a " * 300))
        for _ in range(dice.choice((0, 1, 2, 2, 3)))
    ]
    models = [
        "--audio-model",
        str(good.audio),
        "--image-model",
        str(good.image),
        "--device",
        "cpu",
        "--offline",
    ]
    small = ["--count", "1", "--preset", "draft", "--steps", "1", "--judges", "none", "--out", OUT]
    verb = dice.choice(
        ("compose", "imprint", "distill", "paint", "colorize", "hear", "see", "score", "caption", "examples")
    )
    more = {
        "compose": [*models, *small],
        "imprint": [*models, "--out", OUT, "--preset", "draft", "--count", "1"],
    }
    if verb == "distill":
        more["distill"] = [*models, "--iterations", "1", "--out", OUT]
    elif verb in ("paint", "colorize"):
        more[verb] = ["--image-model", str(home / "gone"), "--offline", "--out", OUT]
    return [verb, *words, *more.get(verb, [])]


def damaged_checkpoint(dice: random.Random, home: Path, good: Materials) -> list[str]:
    """A stopped distillation whose checkpoint is damaged."""
    folder = home / OUT
    shutil.copytree(good.stopped, folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".eidophone-lock")
    path = dice.choice(files)
    path.write_bytes(damaged_bytes(dice, path.read_bytes()))
    return [*good.distill, "--resume", "--out", OUT]


#: All kinds of commands, with how often each comes.
KINDS: dict[Kind, int] = {
    damaged_sound: 8, damaged_picture: 8, strange_file: 6, damaged_recipe: 10, damaged_record: 9, damaged_journal: 3,
    damaged_network: 12, damaged_set: 2, bad_flag: 10, bad_out: 3, damaged_settings: 6, damaged_jobs: 7, odd_words: 4,
    forbidden: 4, swept_kinds: 2, damaged_checkpoint: 1,
}  # fmt: skip
#: Of 100 cases, those that ask the Studio.
STUDIO_SHARE = 0.1
_ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8", "ascii", "cp1252", "latin-1", "shift_jis")


def make_case(seed: int, number: int, home: Path, good: Materials) -> Case:
    """A case; the same for the same seed and number."""
    dice = random.Random(f"{seed}/{number}")
    if dice.random() < STUDIO_SHARE:
        return Case("odd_requests", requests=odd_requests(dice, good))
    kind = dice.choices(list(KINDS), list(KINDS.values()))[0]
    arguments = kind(dice, home, good)
    stdout = dice.choices(("", "closed", "full"), (95, 3, 2))[0]
    return Case(kind.__name__, arguments, (), dice.choice(_ENCODINGS), stdout, kind is forbidden)
