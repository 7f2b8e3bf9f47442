"""What several verbs share: who judges, where to compute, how many samples."""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from eidophone.options.base import (
    Device,
    Dtype,
    ModelName,
    Options,
    Pixels,
    Preset,
    RankBy,
    Share,
    Threads,
    VocoderChoice,
    choose,
)


class JudgeOptions(Options):
    """Who judges, and how results are ranked."""

    judges: str = choose(
        "who judges: embedders (cards, folders, files), canvas, tagger, rehearing, clean, with commas. The "
        "first that sees and the first that hears decide the order",
        default="tiny,tagger,rehearing,clean",
    )
    rank_by: RankBy = choose(
        "weaker: of the two sides; both: as published, the top share of both; weights: --looks-weight",
        default="weaker",
    )
    looks_weight: Share = choose("share of the looks where weights rank", default=0.5)


class PlaceOptions(Options):
    """Where networks run, and whether they may be fetched."""

    device: Device = choose("auto, cpu, cuda, cuda:1, mps", default="auto")
    threads: Threads | None = choose("processor threads (default: as many as there are cores)", default=None)
    offline: bool = choose("never ask a hub for weights", default=False)


class DrawOptions(PlaceOptions):
    """How many pictures, from which seeds, where and how they are computed."""

    preset: Preset = choose(
        "named settings: paper (the publication, to the letter), fast, draft", default="fast"
    )
    count: int = choose("samples to make", default=4, ge=1, le=1_000_000)
    seed: int = choose("sample i is drawn from seed + i", default=1234, ge=0, le=2**62)
    index: int = choose("index of the first sample", default=0, ge=0, le=2**62)
    image_model: ModelName = choose("card, folder, hub id or .safetensors that draws", default="tiny")
    audio_model: ModelName = choose("card, folder, hub id or .safetensors that plays", default="tiny")
    image_negative: str = choose("what the picture should not be", default="")
    dtype: Dtype = choose(
        "number format of the networks (auto: float32 on a CPU, else float16)", default="auto"
    )

    @property
    def numbers(self) -> Sequence[int]:
        """The samples to make, by number."""
        return range(self.index, self.index + self.count)


class SampleOptions(DrawOptions):
    """What verbs share whose canvas is a picture and a mel picture."""

    audio_negative: str = choose("what the sound should not be", default="")
    height: Pixels | None = choose("picture height in pixels (default: the models' own)", default=None)
    width: Pixels | None = choose("picture width in pixels (default: the models' own)", default=None)
    crop: bool = choose("drop the right 32 pixels, which often stay black", default=False)
    vocoder: VocoderChoice = choose("auto takes hifi-gan where the model has one", default="auto")
    batch_size: int | None = choose("samples at once (default: as memory allows)", default=None, ge=1)
    samples: tuple[Annotated[int, Field(ge=0, le=2**62)], ...] = choose(
        "the samples to make, by number, where they do not follow one another; for remake", default=()
    )

    @property
    def numbers(self) -> Sequence[int]:
        """The samples to make, by number."""
        return self.samples or super().numbers

    @model_validator(mode="after")
    def _samples_are_counted(self) -> Self:
        if self.samples and len(set(self.samples)) != self.count:
            raise ValueError(f"samples {self.samples}: not {self.count} different ones; leave them out.")
        return self


class ChoiceOptions(SampleOptions, JudgeOptions):
    """Samples that are judged, and may be the best of many."""

    judges: str = choose(
        "who judges each sample, as in `eidophone score`, or none (default: canvas with --from, else none)",
        default="",
    )
    from_: int | None = choose(
        "candidates to choose the samples from (default: no choice)", default=None, ge=1, le=4096
    )
    early_rejection: bool = choose(
        "with --from: make rough candidates first, and only the promising ones as asked", default=True
    )

    @property
    def walked(self) -> int:
        """Denoising steps of a sample."""
        raise NotImplementedError

    def coarse(self, steps: int) -> Self:
        """The same samples, roughly, in so many steps instead of `walked`."""
        raise NotImplementedError

    def told(self, numbers: Sequence[int]) -> list[Self]:
        """The settings of these candidates; more than one where not all have the same."""
        return [self.model_copy(update={"samples": tuple(numbers), "count": len(numbers)})]

    @property
    def panel(self) -> str:
        """Who judges, with the default filled in."""
        return self.judges or ("none" if self.from_ is None else "canvas")

    @model_validator(mode="after")
    def _enough_candidates(self) -> Self:
        if self.from_ is not None and self.from_ < self.count:
            raise ValueError(f"--from {self.from_}: too few to choose {self.count} from; lower --count.")
        if self.from_ is not None and self.panel == "none":
            raise ValueError(f"--from {self.from_}: nobody judges; name --judges.")
        return self
