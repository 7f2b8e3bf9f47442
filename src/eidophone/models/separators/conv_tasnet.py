"""Conv-TasNet (Luo and Mesgarani 2019, arXiv:1809.07454), from checkpoints in Asteroid's layout.

It takes a sound apart without being told what is in it. The tagger's masks then say which part is which source; parts
that hold several sources are taken apart further by these masks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from eidophone.core.errors import BadInput
from eidophone.core.values import Clip, Floats
from eidophone.media.audio import resample
from eidophone.media.vocoder_files import settings_of
from eidophone.models.captioners.sentence import Heard
from eidophone.models.components import settled
from eidophone.models.pretrained import check_keys, checked, running
from eidophone.models.separators.masks import TaggedSeparator, load_masks

_Count = Annotated[int, Field(ge=1, le=4096)]
_EPSILON = 1e-8
_ACTS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "linear": nn.Identity}


class TasNetConfig(BaseModel):
    """The `model_args` of a checkpoint, as Asteroid names them; other architectures are refused."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    n_src: _Count
    n_blocks: Annotated[int, Field(ge=1, le=16)] = 8
    n_repeats: Annotated[int, Field(ge=1, le=16)] = 3
    bn_chan: _Count = 128
    hid_chan: _Count = 512
    skip_chan: _Count = 128
    conv_kernel_size: Annotated[int, Field(ge=1, le=31)] = 3
    norm_type: Literal["gLN"] = "gLN"
    mask_act: Literal["relu", "sigmoid"] = "sigmoid"
    causal: Literal[False] = False
    fb_name: Literal["free"] = "free"
    kernel_size: _Count = 16
    n_filters: _Count = 512
    stride: _Count = 8
    encoder_activation: Literal["relu", "linear"] | None = None
    sample_rate: Annotated[float, Field(ge=4000, le=192_000)] = 8000.0


class _GlobalNorm(nn.Module):
    """One mean and one variance over all channels and frames."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x, 1, self.gamma, self.beta, _EPSILON)


class _Block(nn.Module):
    def __init__(self, given: TasNetConfig, dilation: int) -> None:
        super().__init__()
        wide, kernel = given.hid_chan, given.conv_kernel_size
        padding = (kernel - 1) * dilation // 2
        self.shared_block = nn.Sequential(
            nn.Conv1d(given.bn_chan, wide, 1),
            nn.PReLU(),
            _GlobalNorm(wide),
            nn.Conv1d(wide, wide, kernel, padding=padding, dilation=dilation, groups=wide),
            nn.PReLU(),
            _GlobalNorm(wide),
        )
        self.res_conv = nn.Conv1d(wide, given.bn_chan, 1)
        self.skip_conv = nn.Conv1d(wide, given.skip_chan, 1)

    def forward(self, found: Tensor) -> tuple[Tensor, Tensor]:
        shared = self.shared_block(found)
        return found + self.res_conv(shared), self.skip_conv(shared)


class _Masker(nn.Module):
    def __init__(self, given: TasNetConfig) -> None:
        super().__init__()
        self.bottleneck = nn.Sequential(
            _GlobalNorm(given.n_filters), nn.Conv1d(given.n_filters, given.bn_chan, 1)
        )
        dilations = [2**n for n in range(given.n_blocks)] * given.n_repeats
        self.TCN = nn.ModuleList(_Block(given, dilation) for dilation in dilations)
        self.mask_net = nn.Sequential(
            nn.PReLU(), nn.Conv1d(given.skip_chan, given.n_src * given.n_filters, 1)
        )

    def forward(self, coded: Tensor) -> Tensor:
        found = self.bottleneck(coded)
        skipped: list[Tensor] = []
        for block in self.TCN:
            found, skip = block(found)
            skipped.append(skip)
        masks: Tensor = self.mask_net(torch.stack(skipped).sum(0))
        return masks.reshape(len(masks), -1, *coded.shape[1:])


class _Filters(nn.Module):
    def __init__(self, given: TasNetConfig) -> None:
        super().__init__()
        self.filterbank = nn.ParameterDict(
            {"_filters": nn.Parameter(torch.zeros(given.n_filters, 1, given.kernel_size))}
        )


class ConvTasNet(nn.Module):
    """The network.

    Shape:
        - Input: (batch, 1, frames)
        - Output: (batch, sources, frames)
    """

    def __init__(self, given: TasNetConfig) -> None:
        super().__init__()
        self.given = given
        self.encoder, self.decoder = _Filters(given), _Filters(given)
        self.masker = _Masker(given)
        self.act = _ACTS[given.mask_act]()
        self.coded = _ACTS[given.encoder_activation or "linear"]()

    def forward(self, sound: Tensor) -> Tensor:
        """See the class."""
        stride, frames = self.given.stride, sound.shape[-1]
        coded = self.coded(F.conv1d(sound, self.encoder.filterbank["_filters"], stride=stride))
        masked = self.act(self.masker(coded)) * coded[:, None]
        flat = F.conv_transpose1d(masked.flatten(0, 1), self.decoder.filterbank["_filters"], stride=stride)
        found = flat.reshape(len(sound), self.given.n_src, -1)
        return F.pad(found, (0, frames - found.shape[-1]))


@dataclass(frozen=True)
class TasNetSeparator:
    """See `contract.Separator`.

    Attributes:
        name: As the card calls it.
        network: Takes a sound apart.
        masks: Says which part is which source.
    """

    name: str
    network: ConvTasNet
    masks: TaggedSeparator

    @property
    def rate_hz(self) -> int:
        """See `contract.Separator`."""
        return round(self.network.given.sample_rate)

    @torch.inference_mode()
    def separate(self, samples: Floats, heard: Sequence[Heard]) -> Floats:
        """See `contract.Separator`."""
        device = self.network.encoder.filterbank["_filters"].device
        shortest = max(0, self.network.given.kernel_size - len(samples))
        sound = torch.from_numpy(np.pad(samples, (0, shortest)))[None, None].to(device)
        with running(f"The separator {self.name!r}"):
            parts = self.network(sound)[0, :, : len(samples)].cpu().numpy()
        wanted = self._masked(samples, heard)
        likest = np.abs(_unit(wanted) @ _unit(parts).T).argmax(1)
        found = np.zeros_like(wanted)
        for part in set(likest.tolist()):
            mine = [i for i, one in enumerate(likest.tolist()) if one == part]
            found[mine] = (
                parts[part] if len(mine) == 1 else self._masked(parts[part], [heard[i] for i in mine])
            )
        return found

    def _masked(self, samples: Floats, heard: Sequence[Heard]) -> Floats:
        at_rate = resample(Clip(samples[None].clip(-1, 1), self.rate_hz), self.masks.rate_hz).mono()
        stems = self.masks.separate(at_rate, heard).clip(-1, 1)
        back = [resample(Clip(stem[None].copy(), self.masks.rate_hz), self.rate_hz).mono() for stem in stems]
        fitting = [np.pad(stem, (0, max(0, len(samples) - len(stem))))[: len(samples)] for stem in back]
        return np.stack(fitting)


def _unit(rows: Floats) -> Floats:
    found: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return found


def load_conv_tasnet(name: str, path: Path, device: torch.device) -> TasNetSeparator:
    """Conv-TasNet from a checkpoint of Asteroid, ready to use.

    Raises:
        BadInput: the file is damaged, wants to run code, or holds another network.
    """
    given = checked(path, lambda: torch.load(path, map_location="cpu", weights_only=True))
    if not isinstance(given, dict) or given.get("model_name") != "ConvTasNet":
        raise BadInput(f"{path}: is no checkpoint of Asteroid's ConvTasNet.")
    config = settings_of(TasNetConfig, given.get("model_args"), f"{path}, model_args")
    with torch.device("meta"):
        network = ConvTasNet(config)
    weights = given.get("state_dict", {})
    check_keys(path, {k: tuple(v.shape) for k, v in network.state_dict().items()}, weights)
    network.load_state_dict(weights, assign=True)
    return TasNetSeparator(name, settled(network, device), load_masks())
