"""The questionnaire as one HTML file: pictures and sounds are inside, and nothing says which method made them."""

import base64
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import numpy as np
from PIL import Image

from eidophone.core.errors import BadInput
from eidophone.core.values import Clip, Picture
from eidophone.evaluation.questionnaire.trials import Key, Trial
from eidophone.media.files import write_atomically
from eidophone.media.lossy import encoded
from eidophone.media.picture import fit_height, to_bytes

PAGE_FILE = "questionnaire.html"
#: Of the pictures, in pixels; of the sounds, in bits per second.
HEIGHT, QUALITY, BIT_RATE = 256, 85, 64_000
#: The page must fit into an e-mail or a simple web host.
MOST_BYTES = 40_000_000
#: Sound of a decoy.
DECOY_RATE_HZ, DECOY_LEVEL = 16_000, 0.1

#: From the name of a sample to its picture and sound.
Opener = Callable[[str], tuple[Picture, Clip]]


@dataclass
class _Media:
    """Pictures and sounds as data URIs, each once, by names that say nothing."""

    opener: Opener
    seed: int
    uris: dict[str, str] = field(default_factory=dict)
    _names: dict[str, tuple[str, str]] = field(default_factory=dict)
    _bytes: int = 0

    def of(self, sample: str) -> tuple[str, str]:
        """Names of a sample's picture and sound; an empty sample is a decoy."""
        if sample not in self._names:
            picture, clip = self.opener(sample) if sample else self._decoy()
            webp = io.BytesIO()
            shown = fit_height(picture, HEIGHT) if picture.pixels.shape[0] > HEIGHT else picture
            Image.fromarray(to_bytes(shown), "RGB").save(webp, "WEBP", quality=QUALITY)
            parts = (("image/webp", webp.getvalue()), ("audio/mpeg", encoded(clip, "mp3", BIT_RATE)))
            names = []
            for kind, content in parts:
                names.append(f"m{len(self.uris)}")
                self.uris[names[-1]] = f"data:{kind};base64,{base64.b64encode(content).decode()}"
                self._bytes += len(self.uris[names[-1]])
            if self._bytes > MOST_BYTES:
                raise BadInput(
                    f"--questionnaire: the page would have more than {MOST_BYTES // 1_000_000} MB; lower --pairs."
                )
            self._names[sample] = (names[0], names[1])
        return self._names[sample]

    def _decoy(self) -> tuple[Picture, Clip]:
        """Noise to see and noise to hear."""
        rng = np.random.default_rng(self.seed)
        gray = rng.random((HEIGHT, 2 * HEIGHT), np.float32)
        sound = DECOY_LEVEL * rng.standard_normal((1, 5 * DECOY_RATE_HZ), np.float32)
        return Picture.from_gray(gray), Clip(sound, DECOY_RATE_HZ)


def write_page(path: Path, key: Key, opener: Opener, seed: int) -> None:
    """Writes the page.

    Args:
        path: Of the HTML file.
        key: Its trials; methods and samples stay out of the page.
        opener: Reads a sample.
        seed: Of the noise of decoys.

    Raises:
        BadInput: the page is too large, or a sample has changed.
        CannotWrite: it may not be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    media = _Media(opener, seed)
    trials = [_shown(name, trial, media) for name, trial in key.trials.items()]
    script = _part("page.js")
    pages = Environment(
        loader=PackageLoader("eidophone.evaluation.questionnaire", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    html = pages.get_template("page.html.j2").render(
        data={"questionnaire": key.questionnaire, "trials": trials, "media": media.uris},
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=_part("page.css"),
    )
    write_atomically(path, lambda draft: _write(draft, html))


def _shown(name: str, trial: Trial, media: _Media) -> dict[str, object]:
    sides = {}
    for side, sample in (("left", trial.left_sample), ("right", trial.right_sample)):
        picture, sound = media.of(sample)
        sides[side] = {"picture": picture, "sound": sound}
    prompts = {"image": trial.image_prompt, "audio": trial.audio_prompt}
    return {"name": name, "sides": sides, "prompts": prompts, "questions": trial.questions()}


def _part(name: str) -> str:
    return (resources.files("eidophone.evaluation.questionnaire") / name).read_text(encoding="utf-8")


def _write(draft: Path, html: str) -> None:
    draft.write_text(html, encoding="utf-8", errors="backslashreplace")


def fingerprint(trials: dict[str, Trial]) -> str:
    """A short name of these trials, which answers carry."""
    text = json.dumps({name: trial.model_dump() for name, trial in trials.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
