"""Options of `evaluate` beyond judges: the in-the-wild protocol, reference folders, the questionnaire."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eidophone.options.kinds import ModelName, Options, setting


class WildOptions(Options):
    """Recordings and models of the protocol in-the-wild."""

    data: Path | None = setting(
        "with --protocol in-the-wild: folder that holds the data sets, each in a folder of its name (clotho, "
        "audiocaps, esc50, esc10, multi-esc50, multi-esc10)", default=None, group="samples",
    )  # fmt: skip
    datasets: str = setting(
        "with --protocol in-the-wild: data sets, separated by commas (default: all that are in --data)",
        default="", group="samples",
    )  # fmt: skip
    recordings: int | None = setting(
        "with --protocol in-the-wild: recordings of each data set, spread evenly over it (default: all; of "
        "mixtures 100)", default=None, ge=1, group="samples",
    )  # fmt: skip
    fold: Annotated[int, Field(ge=1)] | None = setting(
        "with --protocol in-the-wild: use this fold of ESC-50 and ESC-10 only (default: all)",
        default=None, group="samples",
    )  # fmt: skip
    captioner: str = setting(
        "with --protocol in-the-wild: captioner, such as act or act-beam-2 (default: the preset's)",
        default="", group="models",
    )  # fmt: skip
    embedder: str = setting(
        "with --protocol in-the-wild: embedder that fits the picture to the sound (default: the preset's)",
        default="", group="models",
    )  # fmt: skip
    text_embedder: str = setting(
        "with --protocol in-the-wild: embedder that fits the picture to the caption (default: the preset's)",
        default="", group="models",
    )  # fmt: skip


class ReferenceOptions(Options):
    """Distances from references, and which samples and sounds are judged."""

    fid: Path | None = setting(
        "Fréchet distance of the pictures from those in this folder (picture files or results)",
        default=None, group="judges",
    )  # fmt: skip
    fad: Path | None = setting(
        "Fréchet distance of the sounds from those in this folder (sound files or results)",
        default=None, group="judges",
    )  # fmt: skip
    fid_features: ModelName = setting(
        "embedder whose features --fid compares: card, folder or file, such as tiny or clip-b16",
        default="tiny", group="judges",
    )  # fmt: skip
    fad_features: ModelName = setting(
        "features that --fad compares: tagger (YAMNet), or an embedder such as clap", default="tagger",
        group="judges",
    )  # fmt: skip
    select_by: Literal["both", "looks"] = setting(
        "what --select looks at: looks and sound, or looks alone", default="both", group="judges"
    )
    replay: Literal["stored", "griffin-lim"] = setting(
        "which sound is judged: the stored one, or the spectrogram played by Griffin-Lim", default="stored",
        group="judges",
    )  # fmt: skip
    first: int | None = setting(
        "judge only the first samples (default: all)", default=None, ge=1, group="samples"
    )


class QuestionnaireOptions(Options):
    """The two-choice test and its analysis."""

    questionnaire: bool = setting(
        "write a two-choice test of two folders of results instead: questionnaire.html for people, key.json for you",
        default=False, group="people",
    )  # fmt: skip
    answers: bool = setting(
        "analyse answers instead: name the files that the questionnaire saved, in place of folders", default=False,
        group="people",
    )  # fmt: skip
    key: Path | None = setting(
        "with --answers: the key of the questionnaire (default: key.json beside the answers or in --out)",
        default=None, group="people",
    )  # fmt: skip
    pairs: int = setting("pairs to ask about", default=20, ge=1, le=200, group="people")
    repeats: int = setting(
        "pairs that are asked twice, with the sides swapped, to see how steady people are", default=2, ge=0, le=50,
        group="people",
    )  # fmt: skip
    catches: int = setting(
        "attention checks: a sample beside noise; people who take the noise too often are left out",
        default=2,
        ge=0,
        le=50,
        group="people",
    )
    order_seed: int = setting(
        "seed of the pairs, their sides and their order", default=0, ge=0, le=2**62, group="people"
    )
