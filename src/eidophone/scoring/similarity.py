"""Similarity of picture, sound and prompt: cosines in the space of an embedder."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from eidophone.core.values import Floats
from eidophone.media.audio import peak_normalize
from eidophone.models.embedders.contract import Embedder
from eidophone.scoring.contract import Subject
from eidophone.scoring.measures import Measure
from eidophone.scoring.windows import squares, stretches, whole

#: Windows per batch, so that memory does not grow with the width.
AT_ONCE = 8
_COSINE = "-1 to 1"
MEASURES = {
    "looks": Measure("similarity of picture and image prompt", range=_COSINE),
    "looks_gray": Measure("similarity of the grey picture that plays and image prompt", range=_COSINE),
    "sounds": Measure("similarity of sound and audio prompt", range=_COSINE),
    "sounds_floored": Measure("the same, not below 0, as published", range="0 to 1"),
    "sounds_clear": Measure("the same, minus the similarity of sound and noise", range="-2 to 2"),
    "agrees": Measure("similarity of picture and sound", range=_COSINE),
}


@dataclass(frozen=True)
class Similarity:
    """Cosines in [-1, 1], higher is better. The embedder decides which of them there are.

    - looks: Picture as shown and image prompt, mean over square windows (Images that Sound, section 4.1,
      multiplies it by 100), or of the whole picture if the embedder was trained on wide ones.
    - looks_gray: The same for the grey channel that plays.
    - sounds: Peak-normalised sound and audio prompt, mean over ten-second windows.
    - sounds_clear: sounds, minus the mean cosine of the sound and the embedder's phrases for "nothing", if it
      has any. A small embedder can hardly tell the better of two barks, but it can tell the noisier one.
    - sounds_floored: sounds, or 0 if it is negative, as published.
    - agrees: Picture as shown and sound.

    Attributes:
        embedder: Of pictures, sounds and texts.
        label: The judge's name, if it is not the embedder's.
    """

    embedder: Embedder
    label: str = ""
    _texts: dict[str, Tensor] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The judge's name."""
        return self.label or self.embedder.name

    def __call__(self, subject: Subject) -> dict[str, float]:
        """See `Scorer`."""
        return self.numbers(subject, self.features(subject))

    def features(self, subject: Subject) -> dict[str, Floats]:
        """Mean embedding of the windows, by sense: "picture", "gray", "sound"; each of shape (dimensions,).

        Windows have unit length, so the dot product with this mean is the mean of their cosines.
        """
        found: dict[str, Floats] = {}
        if "picture" in self.embedder.senses:
            found["picture"] = _mean(self.embedder.picture, self.cut(subject.picture.pixels))
            gray = np.repeat(subject.gray[:, :, None], 3, axis=2)
            same = np.allclose(gray, subject.picture.pixels, atol=1e-6)
            found["gray"] = found["picture"] if same else _mean(self.embedder.picture, self.cut(gray))
        if "sound" in self.embedder.senses:
            clip = peak_normalize(subject.clip, 1.0)
            found["sound"] = _mean(lambda x: self.embedder.sound(x, clip.rate_hz), stretches(clip))
        return found

    def cut(self, pixels: Floats) -> Tensor:
        """The windows of a picture (height, width, 3) that the embedder sees: (windows, 3, height, width)."""
        return whole(pixels) if self.embedder.sees_whole else squares(pixels)

    def numbers(self, subject: Subject, features: dict[str, Floats]) -> dict[str, float]:
        """The cosines of a subject from its features."""
        found: dict[str, float] = {}
        if "text" in self.embedder.senses:
            if "picture" in features and subject.image_prompt:
                prompt = self.text(subject.image_prompt)
                found["looks"] = float(features["picture"] @ prompt)
                found["looks_gray"] = float(features["gray"] @ prompt)
            if "sound" in features and subject.audio_prompt:
                found["sounds"] = float(features["sound"] @ self.text(subject.audio_prompt))
                found["sounds_floored"] = max(0.0, found["sounds"])
                if self.embedder.nothing:
                    noise = [float(features["sound"] @ self.text(word)) for word in self.embedder.nothing]
                    found["sounds_clear"] = found["sounds"] - float(np.mean(noise))
        if "picture" in features and "sound" in features:
            found["agrees"] = float(features["picture"] @ features["sound"])
        return found

    def text(self, prompt: str) -> Floats:
        """The embedding of a prompt, computed once; shape (dimensions,)."""
        if prompt not in self._texts:
            with torch.inference_mode():
                self._texts[prompt] = self.embedder.text([prompt])[0].float().cpu()
        found: Floats = self._texts[prompt].numpy()
        return found


def _mean(embed: Callable[[Tensor], Tensor], windows: Tensor) -> Floats:
    with torch.inference_mode():
        rows = torch.cat([embed(part).float().cpu() for part in torch.split(windows, AT_ONCE)])
    mean: Floats = rows.double().mean(0).float().numpy()
    return mean
