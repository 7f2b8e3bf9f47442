"""Folders and files of networks of every kind, damaged: settings, weights, files that are none."""

import json
import os
import random
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

from tests.fuzz.case import OUT
from tests.fuzz.damage import damaged_bytes, damaged_json
from tests.fuzz.materials import Materials

_SETTINGS = (".json", ".txt")


def damaged_network(dice: random.Random, home: Path, good: Materials) -> list[str]:
    """A folder of a model, an embedder or a captioner, or a single file."""
    name = dice.choice(list(good.networks))
    whole = good.networks[name]
    if whole.is_file():
        path = home / whole.name
        path.write_bytes(damaged_bytes(dice, whole.read_bytes()))
        path.with_suffix("").symlink_to(whole.with_suffix(""))
        return ["models", "check", str(path)]
    folder = home / "model"
    shutil.copytree(whole, folder, copy_function=os.link)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    _damage(
        dice, dice.choice([f for f in files if dice.random() < 0.5 or f.suffix == ".json"] or files), good
    )
    return _command(dice, name, str(folder), good)


def _command(dice: random.Random, name: str, folder: str, good: Materials) -> list[str]:
    audio, picture, sound = ["--audio-model", folder], str(good.pictures[1]), str(good.sounds[0])
    check = ["models", "check", folder]
    stages = {"pixel": folder, "upscaler": str(good.networks["upscaler"])}
    if name == "upscaler":
        stages = {"pixel": str(good.networks["pixel"]), "upscaler": folder}
    colorize = [
        "colorize", str(good.results["hear"]), "red", "--image-model", stages["pixel"], "--upscaler",
        stages["upscaler"], "--audio-model", str(good.audio), "--steps", "1", "--upscale-steps", "1", "--offline",
        "--out", OUT,
    ]  # fmt: skip
    ways = {
        "audio": [check, ["see", sound, *audio, "--out", OUT], ["hear", picture, *audio, "--out", OUT]],
        "playing": [check, ["hear", picture, *audio, "--out", OUT]],
        "clip": [check, ["score", picture, sound, "--image-prompt", "frog", "--judges", folder]],
        "captioner": [check, ["caption", sound, "--captioner", folder]],
        "pixel": [check, check, colorize],
        "upscaler": [["models", "check", folder], colorize],
    }
    return dice.choice(ways.get(name, [check]))


def _damage(dice: random.Random, path: Path, good: Materials) -> None:
    whole = path.read_bytes()
    path.unlink()
    if path.suffix == ".json" and path.name not in ("vocab.json", "tokenizer.json") and dice.random() < 0.75:
        path.write_bytes(damaged_json(dice, json.loads(whole)).encode("utf-8", "surrogatepass"))
        return
    if path.suffix == ".safetensors" and dice.random() < 0.4:
        _other_weights(dice, path, whole)
        return
    dice.choice((
        lambda: path.write_bytes(damaged_bytes(dice, whole)), lambda: path.write_bytes(damaged_bytes(dice, whole)),
        lambda: path.symlink_to("/dev/zero"), lambda: path.symlink_to("nowhere"), path.mkdir,
        lambda: os.mkfifo(path), lambda: None, lambda: path.symlink_to(good.pictures[0]),
    ))()  # fmt: skip


def _other_weights(dice: random.Random, path: Path, whole: bytes) -> None:
    """A readable file whose weights are not those of the network: missing, too many, other shapes, not numbers."""
    import torch

    path.write_bytes(whole)
    state = load_file(path)
    name = dice.choice(sorted(state))
    dice.choice((
        lambda: state.pop(name), lambda: state.update(x=torch.zeros(2)), lambda: state.update({name: torch.zeros(3)}),
        lambda: state.update({name: torch.full_like(state[name], float("nan"))}), state.clear,
        lambda: state.update({name: state[name].half()}), lambda: state.update({name: state[name].long()}),
    ))()  # fmt: skip
    path.unlink()
    save_file({key: value.contiguous() for key, value in state.items()}, path, metadata={"format": "pt"})
