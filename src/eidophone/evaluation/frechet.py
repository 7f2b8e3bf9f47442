"""FID and FAD: Fréchet distances between samples and a folder of references, in features that are named.

The features of the publications, Inception-v3 (Heusel et al., 2017) and VGGish (Kilgour et al., 2019), do not
ship, so the numbers here cannot be compared with published ones. They compare methods with each other.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch

from eidophone.core.errors import BadInput
from eidophone.core.events import Progress
from eidophone.core.values import Clip, Floats, Picture
from eidophone.data.recordings import SOUNDS
from eidophone.evaluation.found import Found, found_below
from eidophone.evaluation.seen import seen_as
from eidophone.evaluation.statistics import Moments, frechet_distance
from eidophone.media.audio import peak_normalize, read_sound, resample
from eidophone.media.picture import read_picture
from eidophone.models.embedders.contract import Embedder
from eidophone.models.embedders.load import load_embedder
from eidophone.models.tagger import RATE_HZ, STEP, Tagger, load_tagger
from eidophone.options.commands import EvaluateOptions
from eidophone.scoring.similarity import Similarity
from eidophone.scoring.windows import stretches

TAGGER = "tagger"
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
#: Half-second windows of the tagger per batch.
PART = 64

Kind = Literal["FID", "FAD"]


@dataclass(frozen=True)
class Distance:
    """The distance of a method's samples from references.

    Attributes:
        kind: "FID" of pictures, "FAD" of sounds.
        method: How the samples were made.
        features: What they were compared in.
        distance: Fréchet distance; lower is better.
        dimension: Numbers in a feature.
        count, reference_count: Features of both sides. A picture has one; a sound has one for each window.
    """

    kind: Kind
    method: str
    features: str
    distance: float
    dimension: int
    count: int
    reference_count: int

    @property
    def few(self) -> bool:
        """Whether a side has too few features for its covariance: the distance is then too large."""
        return min(self.count, self.reference_count) <= self.dimension


class Features(Protocol):
    """Turns a picture or a sound into features."""

    @property
    def name(self) -> str:
        """For tables."""
        ...

    def of_picture(self, picture: Picture, /) -> Iterator[Floats]:
        """Features of a picture, each (dimensions,)."""
        ...

    def of_sound(self, clip: Clip) -> Iterator[Floats]:
        """Features of a sound, each (dimensions,)."""
        ...


@dataclass(frozen=True)
class EmbedderFeatures:
    """An embedder's: one for a picture, as the judge of similarity takes it; one for each window of a sound."""

    embedder: Embedder

    @property
    def name(self) -> str:
        """See `Features`."""
        return self.embedder.name

    def of_picture(self, picture: Picture) -> Iterator[Floats]:
        """See `Features`."""
        with torch.inference_mode():
            windows = Similarity(self.embedder).cut(picture.pixels)
            yield self.embedder.picture(windows).float().cpu().mean(0).numpy()

    def of_sound(self, clip: Clip) -> Iterator[Floats]:
        """See `Features`."""
        clip = peak_normalize(clip, 1.0)
        with torch.inference_mode():
            yield from self.embedder.sound(stretches(clip), clip.rate_hz).float().cpu().numpy()


@dataclass(frozen=True)
class TaggerFeatures:
    """YAMNet's, before it names classes: one for each window of 0.975 s, every 0.48 s."""

    tagger: Tagger
    name: str = "YAMNet"

    def of_picture(self, _: Picture) -> Iterator[Floats]:
        """It hears only; `open_features` refuses it for pictures."""
        raise BadInput(
            f"--fid-features {TAGGER}: does not see pictures; name an embedder, such as tiny or clip-b16."
        )

    def of_sound(self, clip: Clip) -> Iterator[Floats]:
        """See `Features`."""
        samples = torch.from_numpy(resample(peak_normalize(clip, 1.0), RATE_HZ).mono())
        for part in torch.split(samples, PART * STEP):
            yield from self.tagger.embeddings(part).numpy()


@dataclass(frozen=True)
class Reference:
    """What samples are compared with.

    Attributes:
        kind: "FID" of pictures, "FAD" of sounds.
        files: Picture or sound files, or folders of results.
        features: What is compared.
    """

    kind: Kind
    files: list[Path]
    features: Features


def open_references(options: EvaluateOptions, device: torch.device) -> list[Reference]:
    """The references that an evaluation asks for, with their features loaded.

    Raises:
        EidophoneError: see `reference_files` and `open_features`.
    """
    wanted: list[tuple[Kind, Path | None, str]] = [
        ("FID", options.fid, options.fid_features),
        ("FAD", options.fad, options.fad_features),
    ]
    files = [
        (kind, reference_files(kind, folder), name) for kind, folder, name in wanted if folder is not None
    ]
    return [
        Reference(kind, found, open_features(kind, name, device, offline=options.offline))
        for kind, found, name in files
    ]


def open_features(kind: Kind, name: str, device: torch.device, *, offline: bool) -> Features:
    """Loads the features of a distance.

    Raises:
        EidophoneError: they are unknown, not here, or do not fit pictures or sounds.
    """
    flag, sense = ("--fid-features", "picture") if kind == "FID" else ("--fad-features", "sound")
    if name == TAGGER and kind == "FAD":
        return TaggerFeatures(load_tagger())
    if name == TAGGER:
        raise BadInput(f"{flag} {name}: does not see pictures; name an embedder, such as tiny or clip-b16.")
    embedder = load_embedder(name, device, offline=offline)
    if sense not in embedder.senses:
        raise BadInput(f"{flag} {name}: cannot embed a {sense}; name another embedder.")
    return EmbedderFeatures(embedder)


def distances_from(
    reference: Reference, samples: Sequence[tuple[str, Found]], progress: Progress
) -> list[Distance]:
    """The distance of each method's samples from references.

    Args:
        reference: Of pictures or of sounds.
        samples: Method and place of each sample.
        progress: Called for each file.

    Raises:
        BadInput: a file cannot be read.
    """
    kind, features = reference.kind, reference.features
    theirs = Moments()
    for number, path in enumerate(reference.files):
        progress(f"references of {kind}", number, len(reference.files))
        for feature in _of_file(kind, path, features):
            theirs.add(feature)
    moments: dict[str, Moments] = defaultdict(Moments)
    for number, (method, one) in enumerate(samples):
        progress(f"samples of {kind}", number, len(samples))
        with one.opened() as folder:
            for feature in _of_sample(kind, folder, features):
                moments[method].add(feature)
    if theirs.count < 2:
        return []
    return [
        Distance(
            kind,
            method,
            features.name,
            frechet_distance(mine, theirs),
            len(theirs.mean),
            mine.count,
            theirs.count,
        )
        for method, mine in sorted(moments.items())
        if mine.count > 1
    ]


def reference_files(kind: Kind, folder: Path) -> list[Path]:
    """Files of references, or folders of results, in and below a folder.

    Raises:
        BadInput: there are fewer than two.
    """
    flag = f"--{kind.lower()}"
    try:
        if not folder.is_dir():
            raise BadInput(f"{flag} {folder}: there is no such folder; name a folder of references.")
        results = [Path(found.folder) for found in found_below([folder], folder).values()]
        endings = PICTURES if kind == "FID" else SOUNDS
        files = results or sorted(
            path
            for path in folder.rglob("*")
            if path.suffix.lower() in endings and not path.name.startswith(".")
        )
    except (OSError, ValueError) as error:
        raise BadInput(f"{flag} {folder}: cannot be read; check the path and its permissions.") from error
    if len(files) < 2:
        what = "pictures" if kind == "FID" else "sounds"
        raise BadInput(f"{flag} {folder}: needs at least two {what} or results, and has {len(files)}.")
    return files


def _of_file(kind: Kind, path: Path, features: Features) -> Iterator[Floats]:
    if path.is_dir():
        return _of_sample(kind, path, features)
    return features.of_picture(read_picture(path)) if kind == "FID" else features.of_sound(read_sound(path))


def _of_sample(kind: Kind, path: Path, features: Features) -> Iterator[Floats]:
    subject = seen_as(path).subject
    return features.of_picture(subject.picture) if kind == "FID" else features.of_sound(subject.clip)


def few_samples(distance: Distance) -> str:
    """One sentence for a distance with too few samples."""
    return (
        f"{distance.kind} of {distance.method}: {min(distance.count, distance.reference_count)} features are too few "
        f"for {distance.dimension} dimensions; the distance is too large, and only distances with equal counts compare."
    )
