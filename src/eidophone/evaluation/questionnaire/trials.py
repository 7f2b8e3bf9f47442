"""What is asked: pairs of samples with the same prompts, in random order, and the key that says which is which."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eidophone.core.errors import BadInput
from eidophone.media.files import write_text

KEY_FILE = "key.json"

Side = Literal["left", "right"]
Kind = Literal["pair", "repeat", "catch"]
#: What is asked of a pair.
Question = Literal["looks", "sounds", "overall"]
QUESTIONS: tuple[Question, ...] = ("looks", "sounds", "overall")
#: In the key, the side of a catch trial that nobody should choose.
DECOY = "decoy"

_STRICT = ConfigDict(strict=True, frozen=True, extra="forbid")
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Trial(BaseModel):
    """One page of the test.

    Attributes:
        kind: "pair"; "repeat" of an earlier pair with the sides swapped; or "catch", a sample beside noise.
        left, right: Names of the two methods, or "decoy".
        left_sample, right_sample: Names of their samples; empty for a decoy.
        image_prompt, audio_prompt: What both were made for; empty if there is none.
        of: The trial that a repeat repeats.
    """

    model_config = _STRICT

    kind: Kind
    left: Name
    right: Name
    left_sample: str = ""
    right_sample: str = ""
    image_prompt: str = ""
    audio_prompt: str = ""
    of: str = ""

    def swapped(self, of: str) -> "Trial":
        """The same pair again, with the sides swapped."""
        return Trial(
            kind="repeat", left=self.right, right=self.left, left_sample=self.right_sample,
            right_sample=self.left_sample, image_prompt=self.image_prompt, audio_prompt=self.audio_prompt, of=of,
        )  # fmt: skip

    def questions(self) -> tuple[Question, ...]:
        """What can be asked of it."""
        asked = {"looks": self.image_prompt, "sounds": self.audio_prompt, "overall": "always"}
        return tuple(question for question in QUESTIONS if asked[question])


class Key(BaseModel):
    """Which method is on which side; whoever answers must not see it.

    Attributes:
        questionnaire: Name of the test; answers carry it.
        methods: The two methods.
        trials: By the name that the page and the answers use, in the order in which they are shown.
    """

    model_config = _STRICT

    format: Literal[1] = 1
    questionnaire: Name
    methods: Annotated[list[Name], Field(min_length=2, max_length=2)]
    trials: dict[Name, Trial]

    def write(self, path: Path) -> None:
        """
        Raises:
            CannotWrite: it may not be written.
        """
        text = json.dumps(self.model_dump(), indent=1, ensure_ascii=True)
        write_text(path, text + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """
        Raises:
            BadInput: it is not there or not a key.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
            raise BadInput(
                f"{path}: is not the key of a questionnaire ({why}); name the key.json that was written with it "
                "by --key."
            ) from error


@dataclass(frozen=True)
class Sample:
    """A sample that can be shown.

    Attributes:
        name: In the evaluation.
        image_prompt, audio_prompt: What it was made for.
        index: Which sample of its run.
        material: Tells samples of different recordings apart, where no prompt does.
    """

    name: str
    image_prompt: str
    audio_prompt: str
    index: int
    material: str = ""


@dataclass(frozen=True)
class Plan:
    """How many trials of each kind, and the seed of their choice, sides and order."""

    pairs: int
    repeats: int
    catches: int
    seed: int


def drawn(methods: tuple[str, str], samples: Sequence[Sequence[Sample]], plan: Plan) -> dict[str, Trial]:
    """Draws the trials: the same for the same samples and seed.

    Args:
        methods: Names of the two methods.
        samples: Of both.
        plan: How many.

    Raises:
        BadInput: no sample of one method has the prompts of one of the other.
    """
    rng = np.random.default_rng(plan.seed)
    matched = _matched(*samples)
    if not matched:
        raise BadInput("--questionnaire: the two folders have no samples with the same prompts to compare.")
    chosen = [matched[i] for i in sorted(rng.permutation(len(matched))[: plan.pairs])]
    pairs = [_sided(methods, pair, bool(rng.integers(2))) for pair in chosen]
    again = [int(i) for i in rng.permutation(len(pairs))[: plan.repeats]]
    caught = [
        _caught(methods, chosen[int(rng.integers(len(chosen)))], int(rng.integers(2)), bool(rng.integers(2)))
        for _ in range(plan.catches)
    ]
    order = [int(i) for i in rng.permutation(len(pairs) + len(caught))]
    shown = [(i, ([*pairs, *caught])[i]) for i in order]
    # repeats come last, as far as possible from the pair that they repeat
    names = {i: f"t{number:03d}" for number, (i, _) in enumerate(shown, 1)}
    trials = {names[i]: trial for i, trial in shown}
    for number, i in enumerate(sorted(again, key=order.index), len(trials) + 1):
        trials[f"t{number:03d}"] = pairs[i].swapped(names[i])
    return trials


def _matched(first: Sequence[Sample], second: Sequence[Sample]) -> list[tuple[Sample, Sample]]:
    """Samples with the same prompts, or of the same recording, in the order of their indices."""
    groups: Mapping[tuple[str, str, str], tuple[list[Sample], list[Sample]]] = defaultdict(lambda: ([], []))
    for side, samples in enumerate((first, second)):
        for sample in samples:
            groups[sample.image_prompt, sample.audio_prompt, sample.material][side].append(sample)
    found = []
    for _, both in sorted(groups.items()):
        mine, theirs = (sorted(samples, key=lambda s: (s.index, s.name)) for samples in both)
        found += list(zip(mine, theirs, strict=False))
    return found


def _sided(methods: tuple[str, str], pair: tuple[Sample, Sample], swap: bool) -> Trial:
    (left, right), (a, b) = (pair[::-1], methods[::-1]) if swap else (pair, methods)
    return Trial(
        kind="pair", left=a, right=b, left_sample=left.name, right_sample=right.name,
        image_prompt=left.image_prompt, audio_prompt=left.audio_prompt,
    )  # fmt: skip


def _caught(methods: tuple[str, str], pair: tuple[Sample, Sample], which: int, swap: bool) -> Trial:
    one = pair[which]
    names, samples = (methods[which], DECOY), (one.name, "")
    if swap:
        names, samples = names[::-1], samples[::-1]
    return Trial(
        kind="catch", left=names[0], right=names[1], left_sample=samples[0], right_sample=samples[1],
        image_prompt=one.image_prompt, audio_prompt=one.audio_prompt,
    )  # fmt: skip
