"""Results that are expensive to make: made once, kept in the work folder, read from there afterwards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


def save_whole(state: object, file: Path) -> None:
    """Saves with torch under a temporary name, then renames, so that the file is never half written."""
    draft = file.with_suffix(".part")
    torch.save(state, draft)
    draft.replace(file)


def cached_arrays(file: Path, make: Callable[[], dict[str, Any]]) -> dict[str, np.ndarray]:
    """The arrays of an .npz file; `make` is called first if there is no such file."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".part.npz")
        np.savez(draft, **make())
        draft.replace(file)
    return dict(np.load(file))


def cached_tensor(file: Path, make: Callable[[], Tensor]) -> Tensor:
    """The tensor of a .pt file; `make` is called first if there is no such file."""
    if not file.exists():
        save_whole(make(), file)
    found: Tensor = torch.load(file, weights_only=True)
    return found
