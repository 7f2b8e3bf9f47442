"""Looks like, sounds like: cosines of picture, sound and prompt in the space of an embedder."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from eidophone.core.values import Floats
from eidophone.media.audio import peak_normalize
from eidophone.models.embedders.contract import Embedder
from eidophone.scoring.contract import Subject
from eidophone.scoring.windows import squares, stretches, whole

#: Windows that are embedded at once, so that memory does not grow with the width.
AT_ONCE = 8


@dataclass(frozen=True)
class Similarity:
    """Cosines in [-1, 1], more is better; which of them depends on what the embedder embeds.

    - looks: picture as shown and image prompt, mean over square windows (Images that Sound, section 4.1,
      gives it times 100), or of the whole where the embedder learned from wide pictures.
    - looks_gray: the same of the grey channel that plays.
    - sounds: sound, made as loud as it can be, and audio prompt, mean over windows of ten seconds.
    - sounds_clear: sounds, less the mean cosine of the sound and of what the embedder calls nothing, where it
      has words for that. Which of two barks is more like a bark a small embedder hardly knows, but it knows
      in which there is more noise.
    - sounds_floored: the same with what is below 0 set to 0, as the publication counts it.
    - agrees: picture as shown and sound.
    """

    embedder: Embedder
    _texts: dict[str, Tensor] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The embedder's."""
        return self.embedder.name

    def __call__(self, subject: Subject) -> dict[str, float]:
        """See `Scorer`."""
        return self.numbers(subject, self.features(subject))

    def features(self, subject: Subject) -> dict[str, Floats]:
        """Mean embedding of the windows by sense: "picture", "gray", "sound"; each of shape (dimensions,).

        A mean of cosines is the cosine's numerator with the mean embedding, so any prompt can be compared
        with these.
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
        """What the embedder looks at of a picture (height, width, 3): (windows, 3, height, width)."""
        return whole(pixels) if self.embedder.sees_whole else squares(pixels)

    def numbers(self, subject: Subject, features: dict[str, Floats]) -> dict[str, float]:
        """The cosines of a subject whose features are known."""
        said: dict[str, float] = {}
        if "text" in self.embedder.senses:
            if "picture" in features and subject.image_prompt:
                prompt = self.text(subject.image_prompt)
                said["looks"] = float(features["picture"] @ prompt)
                said["looks_gray"] = float(features["gray"] @ prompt)
            if "sound" in features and subject.audio_prompt:
                said["sounds"] = float(features["sound"] @ self.text(subject.audio_prompt))
                said["sounds_floored"] = max(0.0, said["sounds"])
                if self.embedder.nothing:
                    noise = [float(features["sound"] @ self.text(word)) for word in self.embedder.nothing]
                    said["sounds_clear"] = said["sounds"] - float(np.mean(noise))
        if "picture" in features and "sound" in features:
            said["agrees"] = float(features["picture"] @ features["sound"])
        return said

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
