"""Options of `evaluate` beyond judges: the in-the-wild protocol."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from eidophone.options.kinds import Options, setting


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
