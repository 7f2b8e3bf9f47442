"""Where a vocoder's weights lie. Apart from `vocoder`, so that looking needs no torch."""

from pathlib import Path

_NAMES = ("vocoder.safetensors", "vocoder.pt", "model.safetensors")


def vocoder_weights(folder: Path) -> Path | None:
    """The weights in a `vocoder/` folder, safetensors before pickle; None if there are none."""
    return next((folder / name for name in _NAMES if (folder / name).exists()), None)
