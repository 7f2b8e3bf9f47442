"""Makes the missing samples of a published evaluation."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from eidophone.api import default_session
from eidophone.core.errors import BadInput
from eidophone.core.events import Progress
from eidophone.media.files import slug
from eidophone.options.commands import EvaluateOptions
from eidophone.options.groups import SampleOptions
from eidophone.results.recipe import RECORD_FILE
from eidophone.results.store import sample_name
from eidophone.running import Output
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.distill.options import DistillOptions
from eidophone.verbs.imprint.options import ImprintOptions

#: The options of each method, and the settings that define it.
METHODS: dict[str, tuple[type[SampleOptions], dict[str, Any]]] = {
    "compose": (ComposeOptions, {}),
    "imprint": (ImprintOptions, {}),
    "distill": (DistillOptions, {"resume": True}),
    "picture-alone": (ComposeOptions, {"audio_weight": 0.0}),
    "sound-alone": (ComposeOptions, {"audio_weight": 1.0}),
}
#: Made where nobody names methods: all but distillation, which takes minutes for each sample.
USUAL = "compose,imprint,picture-alone,sound-alone"
#: These depend on one prompt of a pair only, so they pair prompts by their place in the lists.
ALONE = ("picture-alone", "sound-alone")


@dataclass(frozen=True)
class Protocol:
    """Prompts, and the number of samples of each pair."""

    samples: int
    seed: int
    image_prompts: tuple[str, ...]
    audio_prompts: tuple[str, ...]

    def pairs(self, method: str, most: int | None) -> list[tuple[str, str]]:
        """The pairs that a method makes, from the first `most` prompts of both lists (None: all)."""
        image, audio = self.image_prompts[:most], self.audio_prompts[:most]
        if method in ALONE:
            return list(zip(image, audio, strict=False))
        return [(looks, sounds) for looks in image for sounds in audio]


def protocol(name: str) -> Protocol:
    """A protocol by its name.

    Raises:
        BadInput: there is none; the message lists the known ones.
    """
    text = (resources.files("eidophone.evaluation") / "protocols.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    if name not in table:
        raise BadInput(
            f"--protocol {name!r}: there is no such protocol; known are {', '.join(table)}, in-the-wild."
        )
    row = table[name]
    return Protocol(row["samples"], row["seed"], tuple(row["image_prompts"]), tuple(row["audio_prompts"]))


def make_samples(options: EvaluateOptions, root: Path, progress: Progress) -> None:
    """Makes the missing samples of a protocol, in ROOT/METHOD/PAIR/INDEX.

    Raises:
        EidophoneError: see `Session.run`; also an unknown method.
    """
    jobs = list(_missing(options, root))
    session = default_session()
    for done, (run, folder) in enumerate(jobs):
        progress("making samples", done, len(jobs))
        for _ in session.run(run, Output(folder)):
            pass


def _missing(options: EvaluateOptions, root: Path) -> Iterator[tuple[SampleOptions, Path]]:
    chosen = protocol(options.protocol)
    samples = options.samples or chosen.samples
    for method in _methods(options.methods):
        kind, own = METHODS[method]
        for looks, sounds in chosen.pairs(method, options.prompts):
            folder = root / method / f"{slug(looks)}--{slug(sounds)}"
            here = [i for i in range(samples) if (folder / sample_name(i) / RECORD_FILE).is_file()]
            first = next((i for i in range(samples) if i not in here), samples)
            if first < samples:  # samples are made in order, so all later ones are missing too
                given = options.model_dump(
                    include={"preset", "image_model", "audio_model", "device", "threads"}
                )
                given |= {
                    "index": first,
                    "count": samples - first,
                    "seed": chosen.seed,
                    "offline": options.offline,
                }
                yield kind.make(image_prompt=looks, audio_prompt=sounds, **given, **own), folder


def _methods(names: str) -> list[str]:
    wanted = [name.strip() for name in (names or USUAL).split(",") if name.strip()]
    unknown = [name for name in wanted if name not in METHODS]
    if unknown or not wanted:
        raise BadInput(f"--methods {names!r}: name some of {', '.join(METHODS)}, separated by commas.")
    return wanted
