"""Log-mel to sound: HiFi-GAN with published weights, or Griffin-Lim without any.

Both answer one question, `(batch, bands, columns) -> (batch, columns * hop)`, and run in float32.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eidophone.errors import BadInput
from eidophone.media.mel import MelSpec
from eidophone.media.spectrogram import mel_filters
from eidophone.media.vocoder_files import vocoder_weights


class Vocoder(Protocol):
    """Sound whose log-mel is the given one, as near as it gets."""

    @property
    def name(self) -> str:
        """What a record calls it."""
        ...

    def __call__(self, log_mel: Tensor) -> Tensor:
        """(batch, bands, columns), natural logarithm -> (batch, columns * hop), full scale -1 to 1."""
        ...


# --- Griffin-Lim ---------------------------------------------------------------------------------


def linear_from_mel(mel: Tensor, spec: MelSpec, iterations: int = 40) -> Tensor:
    """Non-negative magnitudes whose mel bands are the given ones (Lee and Seung's multiplicative updates).

    Shape:
        - Input: (batch, bands, columns)
        - Output: (batch, n_fft / 2 + 1, columns)
    """
    bank = mel_filters(spec).to(mel)
    # every bin starts from the bands that hear it, so that gaps between narrow bands are filled too
    magnitudes = bank.T @ (mel / bank.sum(1, keepdim=True).clamp(min=1e-8)) + 1e-8
    target = bank.T @ mel
    for _ in range(iterations):
        magnitudes = magnitudes * target / (bank.T @ (bank @ magnitudes)).clamp(min=1e-10)
    return magnitudes


@dataclass(frozen=True)
class GriffinLim:
    """Phase by alternating projections (Griffin and Lim, 1984).

    `momentum` is that of Perraudin, Balazs and Sondergaard (2013). It makes noise drone: a tagger knew
    fewer sounds with 0.99 than with 0 (docs/journal.md), so it is off. The first phase is drawn from a
    fixed seed, so equal pictures sound equal.
    """

    spec: MelSpec
    iterations: int = 32
    momentum: float = 0.0
    seed: int = 0

    @property
    def name(self) -> str:
        """What a record calls it."""
        return f"griffin-lim-{self.iterations}"

    def __call__(self, log_mel: Tensor) -> Tensor:
        """See `Vocoder`."""
        spec = self.spec
        columns = log_mel.shape[-1]
        # One column more on each side: a column's centre lies half a hop after its start, the transform
        # below puts the first centre at 0.
        mel = F.pad(log_mel.float().exp() - spec.floor, (1, 1), mode="replicate").clamp(min=0)
        sound = self._invert(linear_from_mel(mel, spec))
        start = spec.hop - spec.hop // 2
        return sound[:, start : start + columns * spec.hop]

    def _invert(self, magnitudes: Tensor) -> Tensor:
        spec = self.spec
        window = torch.hann_window(spec.window, device=magnitudes.device)
        length = (magnitudes.shape[-1] - 1) * spec.hop

        def _sound_of(spectrum: Tensor) -> Tensor:
            return torch.istft(spectrum, spec.n_fft, spec.hop, spec.window, window, length=length)

        def _spectrum_of(sound: Tensor) -> Tensor:
            return torch.stft(
                sound, spec.n_fft, spec.hop, spec.window, window, pad_mode="constant", return_complex=True
            )

        generator = torch.Generator().manual_seed(self.seed)
        turns = torch.rand(magnitudes.shape[1:], generator=generator).to(magnitudes.device)
        estimate = torch.polar(magnitudes, (2 * torch.pi * turns).expand_as(magnitudes))
        previous = torch.zeros_like(estimate)
        for _ in range(self.iterations):
            consistent = _spectrum_of(_sound_of(estimate))
            pushed = consistent + self.momentum * (consistent - previous)
            estimate = magnitudes * pushed / pushed.abs().clamp(min=1e-12)
            previous = consistent
        return _sound_of(estimate)


# --- HiFi-GAN ------------------------------------------------------------------------------------

_SLOPE = 0.1


class _Residual(nn.Module):
    """Pairs of a dilated and a plain convolution, each pair added to its input."""

    def __init__(self, width: int, kernel: int, dilations: list[int]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(
            nn.Conv1d(width, width, kernel, dilation=d, padding=d * (kernel - 1) // 2) for d in dilations
        )
        self.convs2 = nn.ModuleList(
            nn.Conv1d(width, width, kernel, padding=(kernel - 1) // 2) for _ in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            x = x + plain(F.leaky_relu(dilated(F.leaky_relu(x, _SLOPE)), _SLOPE))
        return x


class HiFiGan(nn.Module):
    """The HiFi-GAN generator, V1 shape (Kong, Kim and Bae, 2020).

    Args:
        config: `vocoder/config.json`: `num_mels`, `upsample_rates`, `upsample_kernel_sizes`,
            `upsample_initial_channel`, `resblock_kernel_sizes`, `resblock_dilation_sizes`.
    """

    name = "hifi-gan"

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width = config["upsample_initial_channel"]
        self.conv_pre = nn.Conv1d(config["num_mels"], width, 7, padding=3)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        self.branches = len(config["resblock_kernel_sizes"])
        for rate, kernel in zip(config["upsample_rates"], config["upsample_kernel_sizes"], strict=True):
            odd = (kernel - rate) % 2
            padding = (kernel - rate) // 2 + odd
            self.ups.append(nn.ConvTranspose1d(width, width // 2, kernel, rate, padding, output_padding=odd))
            width //= 2
            for size, dilations in zip(
                config["resblock_kernel_sizes"], config["resblock_dilation_sizes"], strict=True
            ):
                self.resblocks.append(_Residual(width, size, dilations))
        self.conv_post = nn.Conv1d(width, 1, 7, padding=3)

    def forward(self, log_mel: Tensor) -> Tensor:
        """See `Vocoder`."""
        x = self.conv_pre(log_mel.to(self.conv_pre.weight))
        for stage, upsample in enumerate(self.ups):
            x = upsample(F.leaky_relu(x, _SLOPE))
            branches = self.resblocks[stage * self.branches : (stage + 1) * self.branches]
            x = torch.stack([branch(x) for branch in branches]).sum(0) / self.branches
        return torch.tanh(self.conv_post(F.leaky_relu(x)))[:, 0]


def without_weight_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Folds weight normalisation into plain weights.

    Both spellings are known: `weight_g` and `weight_v`, and torch's newer `parametrizations`.
    """
    names = {
        ".parametrizations.weight.original0": ".weight_g",
        ".parametrizations.weight.original1": ".weight_v",
    }
    plain = {}
    for key, value in state.items():
        for new, old in names.items():
            key = key.replace(new, old)
        plain[key] = value
    for key in [k for k in plain if k.endswith(".weight_g")]:
        stem = key.removesuffix("_g")
        length, direction = plain.pop(key), plain.pop(f"{stem}_v")
        norm = direction.flatten(1).norm(dim=1).reshape(length.shape)
        plain[stem] = direction * (length / norm)
    return plain


def spec_from_vocoder_config(config: Mapping[str, Any]) -> MelSpec:
    """The mel picture that a `vocoder/config.json` was trained on; black and white stay Auffusion's."""
    return MelSpec(
        rate_hz=config["sampling_rate"],
        n_fft=config["n_fft"],
        window=config["win_size"],
        hop=config["hop_size"],
        bands=config["num_mels"],
        low_hz=config["fmin"],
        high_hz=config["fmax"],
    )


def read_vocoder_config(folder: Path) -> dict[str, Any]:
    """Reads `config.json` of a vocoder's folder.

    Raises:
        BadInput: it is missing, not JSON, or of a kind that is not built here.
    """
    path = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: not readable as a vocoder's settings ({error}).") from error
    if str(config.get("resblock", "1")) != "1":
        raise BadInput(
            f'{path}: only HiFi-GAN with resblock "1" (V1, V2) is known; use --vocoder griffin-lim.'
        )
    if math.prod(config["upsample_rates"]) != config["hop_size"]:
        raise BadInput(f"{path}: its upsample_rates do not multiply to its hop_size; it fits no mel picture.")
    return config


def _read_state(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        plain: dict[str, Tensor] = load_file(path)
        return plain
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise BadInput(
            f"{path}: refused, because it is damaged or wants to run code while it is read; "
            "ask its author for a safetensors file."
        ) from error
    state: dict[str, Tensor] = loaded.get("generator", loaded)
    return state


def load_hifi_gan(folder: Path) -> HiFiGan:
    """Builds the generator that a `vocoder/` folder holds, on the CPU, in float32, ready to use.

    Raises:
        BadInput: no weights, weights that want to run code, or weights of another shape.
    """
    config = read_vocoder_config(folder)
    path = vocoder_weights(folder)
    if path is None:
        raise BadInput(f"{folder}: holds no vocoder weights; use --vocoder griffin-lim.")
    vocoder = HiFiGan(config)
    state = {k: v.float() for k, v in without_weight_norm(_read_state(path)).items()}
    try:
        vocoder.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise BadInput(f"{path}: does not fit its config.json: {first}") from error
    return vocoder.eval().requires_grad_(False)
