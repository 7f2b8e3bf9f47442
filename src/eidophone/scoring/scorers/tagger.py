"""Tagging: the probability that an audio tagger gives to the classes that a prompt names."""

import re
from dataclasses import dataclass
from typing import ClassVar

import torch

from eidophone.core.errors import BadInput
from eidophone.core.values import Clip
from eidophone.media.audio import resample
from eidophone.models.tagger import RATE_HZ, STEP, Tagger, load_tagger
from eidophone.scoring.contract import Subject
from eidophone.scoring.measures import Measure
from eidophone.scoring.scorers import ScorerSpec

TOP = 5
#: Half-second windows per batch, so that memory does not grow with the sound.
PART = 64
#: Words of prompts that have another name in AudioSet.
SYNONYMS = {"kitten": "cat", "puppy": "dog", "corgi": "dog", "sea": "ocean", "plane": "airplane"}
#: Classes whose words mean something else in most prompts: birds sing, trains whistle, airplanes fly.
AMBIGUOUS = {"Singing", "Whistling", "Fly, housefly", "Run", "Hands", "Roll", "Fill (with liquid)"}


@dataclass(frozen=True)
class Tagging:
    """What an independent tagger hears, in [0, 1]; higher is better.

    - sounds: Probability of the likeliest class that the prompt names, mean over one-second windows.
    - top5: 1 if such a class is among the five likeliest of all, else 0.
    """

    tagger: Tagger
    name: ClassVar[str] = "tagger"

    def __call__(self, subject: Subject) -> dict[str, float]:
        """See `Scorer`.

        Raises:
            BadInput: the audio prompt names no class that the tagger knows.
        """
        if not subject.audio_prompt:
            return {}
        wanted = classes_of(subject.audio_prompt, self.tagger.classes)
        if not wanted:
            raise BadInput(
                f"the tagger knows no class that {subject.audio_prompt!r} names; use plainer words."
            )
        return self.heard(subject.clip, wanted)

    def heard(self, clip: Clip, wanted: list[int]) -> dict[str, float]:
        """The numbers of a sound for some of the tagger's classes."""
        samples = torch.from_numpy(resample(clip, RATE_HZ).mono())
        heard = torch.cat([self.tagger.scores(part) for part in torch.split(samples, PART * STEP)]).mean(0)
        best = heard.topk(TOP).indices.tolist()
        return {"sounds": float(heard[wanted].max()), "top5": float(not set(wanted).isdisjoint(best))}


def classes_of(prompt: str, classes: tuple[str, ...]) -> list[int]:
    """Classes that have a name whose words are all in the prompt, whatever their endings.

    >>> names = ("Dog", "Bark", "Church bell", "Roaring cats (lions, tigers)", "Singing", "Purr")
    >>> [names[i] for i in classes_of("dogs barking", names)]
    ['Dog', 'Bark']
    >>> [names[i] for i in classes_of("a tiger singing to a bell", names)]
    ['Roaring cats (lions, tigers)']
    """
    words = _stems(prompt)
    return [
        i
        for i, name in enumerate(classes)
        if name not in AMBIGUOUS and any(_stems(part) <= words for part in re.findall(r"[^,()]*\w", name))
    ]


def _stems(text: str) -> set[str]:
    words = re.findall(r"[a-z]+", text.lower())
    return {stem(SYNONYMS.get(word.removesuffix("s"), word)) for word in words}


def stem(word: str) -> str:
    """Drops plural, -ing, a final e and a doubled final letter, so that forms of one word agree."""
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    if len(word) > 5:
        word = word.removesuffix("ing")
    word = word.removesuffix("e")
    return word[:-1] if len(word) > 2 and word[-1] == word[-2] else word


SCORER = ScorerSpec(
    lambda: Tagging(load_tagger()),
    "whether an audio tagger (YAMNet) hears what the audio prompt names",
    {
        "sounds": Measure("probability of the class that the prompt names", range="0 to 1"),
        "top5": Measure("whether that class is among the five likeliest", range="0 or 1"),
    },
)
