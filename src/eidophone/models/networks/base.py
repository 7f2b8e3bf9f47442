"""What all networks here have: settings, a place, a number format, and files as diffusers lays them out."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import nn

from eidophone.core.settings import Settings

CONFIG_FILE = "config.json"


class Network(nn.Module):
    """A network with settings.

    Class attributes:
        WEIGHTS_FILE: What its weights are saved as.
        DEFAULTS: All settings that decide what it computes, with what they are where a file does not say.

    Attributes:
        config: Its settings.
    """

    WEIGHTS_FILE: ClassVar[str] = "diffusion_pytorch_model.safetensors"
    DEFAULTS: ClassVar[Mapping[str, Any]] = {}
    config: Settings

    @property
    def essence(self) -> dict[str, Any]:
        """The settings that decide what it computes."""
        return {name: self.config[name] for name in self.DEFAULTS}

    @classmethod
    def understands(cls, given: Mapping[str, Any]) -> bool:
        """Whether settings from a `config.json` describe such a network."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, given: Mapping[str, Any]) -> Self:
        """A network with random weights; `given` must be understood."""
        return cls(given)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Its number format."""
        return next(self.parameters()).dtype

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes settings and weights into a folder, as diffusers' networks are saved."""
        from safetensors.torch import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG_FILE).write_text(json.dumps(self.config, indent=2, sort_keys=True) + "\n")
        state = {name: value.contiguous() for name, value in self.state_dict().items()}
        save_file(state, folder / self.WEIGHTS_FILE, metadata={"format": "pt"})
