"""Log-mel spectrogram to sound: HiFi-GAN with published weights, or Griffin-Lim without weights.

Both map `(batch, n_mels, columns)` to `(batch, columns * hop_length)` and run in float32.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from eidophone.core.errors import BadInput, EidophoneError
from eidophone.media.chunks import CHUNK_COLUMNS, Chunk, chunks
from eidophone.media.files import check_readable
from eidophone.media.mel import MelSpec
from eidophone.media.spectrogram import check_spectrum_size, mel_filters
from eidophone.media.vocoder_files import read_json, settings_of, vocoder_weights


class Vocoder(Protocol):
    """Estimates a sound from its log-mel spectrogram."""

    @property
    def name(self) -> str:
        """Its name in a record."""
        ...

    def __call__(self, log_mel: Tensor, cyclic: bool = False) -> Tensor:
        """The sound of a log-mel spectrogram, on any device; float32, full scale -1 to 1.

        Args:
            log_mel: Natural logarithm, lowest band first.
            cyclic: The end meets the beginning, in the spectrogram and then in the sound.

        Shape:
            - Input: (batch, n_mels, columns)
            - Output: (batch, columns * hop_length)
        """
        ...


# --- Griffin-Lim ---------------------------------------------------------------------------------


def linear_from_mel(mel: Tensor, spec: MelSpec, iterations: int = 40) -> Tensor:
    """Non-negative linear magnitudes with the given mel bands (multiplicative updates, Lee and Seung 2001).

    Shape:
        - Input: (batch, n_mels, columns)
        - Output: (batch, n_fft / 2 + 1, columns)
    """
    bank = mel_filters(spec).to(mel)
    # Every bin starts from the bands that cover it, so gaps between narrow bands are filled, too.
    magnitudes = bank.T @ (mel / bank.sum(1, keepdim=True).clamp(min=1e-8)) + 1e-8
    target = bank.T @ mel
    for _ in range(iterations):
        magnitudes = magnitudes * target / (bank.T @ (bank @ magnitudes)).clamp(min=1e-10)
    return magnitudes


@dataclass(frozen=True)
class GriffinLim:
    """Phase by alternating projections (Griffin and Lim, 1984).

    The initial phase is drawn from a fixed seed, so equal pictures give equal sounds.

    Attributes:
        spec: The mel settings of the spectrogram.
        iterations: Projections.
        momentum: That of Perraudin, Balazs and Sondergaard (2013). It makes noise drone: a tagger recognised
            fewer sounds with 0.99 than with 0 (docs/journal.md), so it is off.
        seed: For the initial phase.
    """

    spec: MelSpec
    iterations: int = 32
    momentum: float = 0.0
    seed: int = 0

    @property
    def name(self) -> str:
        """Its name in a record."""
        return f"griffin-lim-{self.iterations}"

    @property
    def context(self) -> int:
        """Columns on either side that decide how a column sounds: each projection reaches one window further."""
        return (self.iterations + 1) * math.ceil(self.spec.win_length / self.spec.hop_length)

    def __call__(self, log_mel: Tensor, cyclic: bool = False) -> Tensor:
        """See `Vocoder`.

        Raises:
            BadInput: The spectrogram is too large for the memory.
        """
        columns = log_mel.shape[-1]
        check_spectrum_size(columns, self.spec)
        parts = chunks(columns, self.context, cyclic, CHUNK_COLUMNS)
        return torch.cat([self._part(log_mel, part, cyclic) for part in parts], -1)

    def _turns(self, columns: int, frames: Tensor) -> Tensor:
        """The initial phase of some frames, in turns: (n_fft / 2 + 1, frames).

        That of all frames is drawn, bin by bin, and forgotten again: a long one takes as much memory as the sound.
        """
        generator = torch.Generator().manual_seed(self.seed)
        bins = self.spec.n_fft // 2 + 1
        return torch.stack([torch.rand(columns + 2, generator=generator)[frames] for _ in range(bins)])

    def _part(self, log_mel: Tensor, part: Chunk, cyclic: bool) -> Tensor:
        """The sound of a chunk, (batch, count * hop_length).

        Args:
            log_mel: The whole spectrogram.
            part: The chunk.
            cyclic: As in `__call__`.
        """
        spec, columns = self.spec, log_mel.shape[-1]
        # One more column on each side: a column's centre is half a hop after its start, but the transform
        # below puts the first centre at 0.
        frames = torch.cat([part.columns, part.columns[-1:] + 1, part.columns[-1:] + 2])
        wanted = (frames - 1) % columns if cyclic else (frames - 1).clamp(0, columns - 1)
        logs = log_mel[..., wanted.to(log_mel.device)].float()
        mel = (logs.exp() - spec.floor).clamp(min=0)
        turned = self._turns(columns, wanted + 1 if cyclic else frames).to(log_mel.device)
        sound = self._invert(linear_from_mel(mel, spec), 2 * torch.pi * turned)
        start = part.before * spec.hop_length + spec.hop_length - spec.hop_length // 2
        return sound[:, start : start + part.count * spec.hop_length]

    def _invert(self, magnitudes: Tensor, phase: Tensor) -> Tensor:
        spec = self.spec
        window = torch.hann_window(spec.win_length, device=magnitudes.device)
        length = (magnitudes.shape[-1] - 1) * spec.hop_length

        def _sound_of(spectrum: Tensor) -> Tensor:
            return torch.istft(spectrum, spec.n_fft, spec.hop_length, spec.win_length, window, length=length)

        def _spectrum_of(sound: Tensor) -> Tensor:
            return torch.stft(
                sound,
                spec.n_fft,
                spec.hop_length,
                spec.win_length,
                window,
                pad_mode="constant",
                return_complex=True,
            )

        estimate = torch.polar(magnitudes, phase.expand_as(magnitudes))
        previous = torch.zeros_like(estimate)
        for _ in range(self.iterations):
            consistent = _spectrum_of(_sound_of(estimate))
            pushed = consistent + self.momentum * (consistent - previous)
            estimate = magnitudes * pushed / pushed.abs().clamp(min=1e-12)
            previous = consistent
        return _sound_of(estimate)


# --- HiFi-GAN ------------------------------------------------------------------------------------

_SLOPE = 0.1
_ROWS_AT_ONCE = 8

_Count = Annotated[int, Field(ge=1, le=1 << 20)]
_Counts = Annotated[list[Annotated[int, Field(ge=1, le=1024)]], Field(min_length=1, max_length=16)]


class VocoderConfig(BaseModel):
    """The settings in a `vocoder/config.json`, named as by HiFi-GAN's authors; other keys are ignored.

    `fmax` may be null, which means half the sampling rate.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)

    num_mels: _Count
    upsample_rates: _Counts
    upsample_kernel_sizes: _Counts
    upsample_initial_channel: Annotated[int, Field(ge=1, le=16_384)]
    resblock_kernel_sizes: _Counts
    resblock_dilation_sizes: Annotated[list[_Counts], Field(min_length=1, max_length=16)]
    sampling_rate: _Count
    n_fft: _Count
    win_size: _Count
    hop_size: _Count
    fmin: float = 0.0
    fmax: float | None = None
    resblock: str | int = "1"

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        strides = list(zip(self.upsample_rates, self.upsample_kernel_sizes, strict=False))
        for ok, rule in (
            (
                str(self.resblock) == "1",
                'only HiFi-GAN with resblock "1" (V1, V2) is supported; use --vocoder griffin-lim',
            ),
            (
                math.prod(self.upsample_rates) == self.hop_size,
                "the product of its upsample_rates must be its hop_size",
            ),
            (
                len(self.upsample_rates) == len(self.upsample_kernel_sizes)
                and all(kernel >= rate and (rate > 1 or kernel % 2) for rate, kernel in strides),
                "its upsample_kernel_sizes do not fit its upsample_rates",
            ),
            (
                len(self.resblock_kernel_sizes) == len(self.resblock_dilation_sizes)
                and all(size % 2 for size in self.resblock_kernel_sizes),
                "its resblock_kernel_sizes must be odd, and as many as its resblock_dilation_sizes",
            ),
            (
                self.upsample_initial_channel >> len(self.upsample_rates) > 0,
                "its upsample_initial_channel cannot be halved as often as there are upsample_rates",
            ),
        ):
            if not ok:
                raise ValueError(rule)
        self.mel_spec()
        return self

    @property
    def context(self) -> int:
        """Columns on either side that decide how a column sounds."""
        reach = 3  # of the last convolution, in samples
        branches = zip(self.resblock_kernel_sizes, self.resblock_dilation_sizes, strict=True)
        widest = max(sum((d + 1) * (size - 1) // 2 for d in dilations) for size, dilations in branches)
        for rate, kernel in zip(self.upsample_rates[::-1], self.upsample_kernel_sizes[::-1], strict=True):
            reach = math.ceil((reach + widest + kernel) / rate)
        return reach + 3

    def mel_spec(self) -> MelSpec:
        """The mel settings it was trained on; black and white are those of Auffusion."""
        return MelSpec(
            rate_hz=self.sampling_rate,
            n_fft=self.n_fft,
            win_length=self.win_size,
            hop_length=self.hop_size,
            n_mels=self.num_mels,
            f_min=self.fmin,
            f_max=self.sampling_rate / 2 if self.fmax is None else self.fmax,
        )


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

    transformers' SpeechT5HifiGan cannot take its place: it has no output padding for an odd difference of
    kernel and rate, which Auffusion's vocoder has. Runs on the device of its weights, a few pictures at a
    time, and returns the sound on the CPU.
    """

    name = "hifi-gan"

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        width = config.upsample_initial_channel
        shapes = list(zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True))
        self.conv_pre = nn.Conv1d(config.num_mels, width, 7, padding=3)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        self.branches = len(shapes)
        for rate, kernel in zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True):
            odd = (kernel - rate) % 2
            padding = (kernel - rate) // 2 + odd
            self.ups.append(nn.ConvTranspose1d(width, width // 2, kernel, rate, padding, output_padding=odd))
            width //= 2
            self.resblocks.extend(_Residual(width, size, dilations) for size, dilations in shapes)
        self.conv_post = nn.Conv1d(width, 1, 7, padding=3)
        self.hop_length, self.context = config.hop_size, config.context

    def forward(self, log_mel: Tensor, cyclic: bool = False) -> Tensor:
        """See `Vocoder`; the sound is on the CPU, in float32."""
        parts = [*chunks(log_mel.shape[-1], self.context, cyclic, CHUNK_COLUMNS)]
        rows = torch.split(log_mel, _ROWS_AT_ONCE)
        return torch.cat([torch.cat([self._part(each, part) for part in parts], -1) for each in rows])

    def _part(self, log_mel: Tensor, part: Chunk) -> Tensor:
        wanted = part.columns % log_mel.shape[-1]
        sound = self._sound(log_mel[..., wanted.to(log_mel.device)]).float().cpu()
        return sound[:, part.before * self.hop_length : (part.before + part.count) * self.hop_length]

    def _sound(self, log_mel: Tensor) -> Tensor:
        x = self.conv_pre(log_mel.to(self.conv_pre.weight))
        for stage, upsample in enumerate(self.ups):
            x = upsample(F.leaky_relu(x, _SLOPE))
            branches = self.resblocks[stage * self.branches : (stage + 1) * self.branches]
            x = torch.stack([branch(x) for branch in branches]).sum(0) / self.branches
        return torch.tanh(self.conv_post(F.leaky_relu(x)))[:, 0]


def without_weight_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Folds weight normalisation into plain weights.

    Reads both names: `weight_g` and `weight_v`, and torch's newer `parametrizations`.
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


def read_vocoder_config(folder: Path) -> VocoderConfig:
    """Reads `config.json` of a vocoder's folder.

    Raises:
        BadInput: It is missing, not JSON, damaged, or of an unsupported kind.
    """
    path = folder / "config.json"
    return settings_of(VocoderConfig, read_json(path), str(path))


def _read_state(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            loaded = load_file(path)
        else:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError as error:
        raise EidophoneError(f"Out of memory while reading {path}; close other programs.") from error
    except Exception as error:  # both readers raise many kinds, and each means that the file is unreadable
        raise BadInput(
            f"{path}: refused, because it is damaged or would run code while it is read; "
            "ask its author for a safetensors file."
        ) from error
    state = loaded.get("generator", loaded) if isinstance(loaded, dict) else loaded
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    ):
        raise BadInput(f"{path}: holds no named weights; download it again, or use --vocoder griffin-lim.")
    return state


def load_hifi_gan(folder: Path, device: torch.device | None = None) -> HiFiGan:
    """Loads the generator in a `vocoder/` folder, in float32, ready to use.

    Args:
        folder: Holds config.json and the weights.
        device: Where it runs; None is the CPU.

    Raises:
        BadInput: No weights, weights that would run code, or weights of another shape.
    """
    config = read_vocoder_config(folder)
    path = vocoder_weights(folder)
    if path is None:
        raise BadInput(f"{folder}: holds no vocoder weights; use --vocoder griffin-lim.")
    check_readable(path, "a file of weights")
    with torch.device("meta"):  # shapes only: no memory is used before the weights are known to fit
        vocoder = HiFiGan(config)
    state = _read_state(path)
    try:
        folded = {key: value.float() for key, value in without_weight_norm(state).items()}
        vocoder.load_state_dict(folded, assign=True)
    except (RuntimeError, KeyError) as error:
        lines = str(error).strip().splitlines()
        raise BadInput(
            f"{path}: does not fit its config.json: {lines[min(1, len(lines) - 1)].strip()}"
        ) from error
    return vocoder.to(device or "cpu").eval().requires_grad_(False)
