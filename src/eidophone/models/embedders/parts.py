"""What several kinds of embedders load."""

from pathlib import Path
from typing import Any

import torch

from eidophone.models.components import settled
from eidophone.models.pretrained import checked, pretrained


def clip_words(folder: Path) -> Any:
    """CLIP's tokenizer from a folder; it reads several phrases at once."""
    from transformers import CLIPTokenizer

    return checked(folder, lambda: CLIPTokenizer.from_pretrained(folder, local_files_only=True))


def network_of(kind: Any, folder: Path, device: torch.device) -> Any:
    """A network of transformers in float32, ready to use."""
    return settled(pretrained(kind, folder, dtype=torch.float32), device)
