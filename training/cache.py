"""What was made once is kept in the work folder: written under another name first, then read from there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.loop import save_whole


def cached_arrays(file: Path, make: Callable[[], dict[str, Any]]) -> dict[str, np.ndarray]:
    """The arrays in an .npz file, made first where there is none."""
    if not file.exists():
        draft = file.with_suffix(".part.npz")
        np.savez(draft, **make())
        draft.replace(file)
    return dict(np.load(file))


def cached_tensor(file: Path, make: Callable[[], Tensor]) -> Tensor:
    """The tensor in a .pt file, made first where there is none."""
    if not file.exists():
        save_whole(make(), file)
    found: Tensor = torch.load(file, weights_only=True)
    return found
