"""Does the sound hold the picture? Spectrograms of the stored sound and of two other replays of the picture.

Images that Sound checks its samples in this way: a spectrogram of the vocoder's sound, of a sound with the
picture's magnitudes and that sound's phases, and of a sound by Griffin-Lim.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.errors import BadInput
from eidophone.core.values import Clip, Floats, Picture
from eidophone.media.audio import peak_normalize, resample, write_wav
from eidophone.media.mel import MelSpec
from eidophone.media.picture import write_png
from eidophone.media.spectrogram import gray_from_clip, log_mel_from_picture
from eidophone.media.vocoder import GriffinLim, linear_from_mel
from eidophone.scoring.contract import Subject

CONSISTENCY_FOLDER = "consistency"


@dataclass(frozen=True)
class Consistency:
    """Pictures and sounds of one sample, by file stem.

    Attributes:
        pictures: "spectrogram-stretched": what was played, from its darkest value (black) to its lightest (white).
            "spectrogram-of-sound", "spectrogram-of-istft", "spectrogram-of-griffin-lim": of the three sounds.
        sounds: "istft": the picture's magnitudes with the phases of the stored sound. "griffin-lim": the picture's
            magnitudes with estimated phases.
    """

    pictures: dict[str, Picture]
    sounds: dict[str, Clip]

    def write(self, folder: Path) -> None:
        """Writes PNG and WAV files into a folder.

        Raises:
            CannotWrite: it cannot be written.
        """
        for stem, picture in self.pictures.items():
            write_png(folder / f"{stem}.png", picture)
        for stem, clip in self.sounds.items():
            write_wav(folder / f"{stem}.wav", clip)


def stretched(gray: Floats) -> Floats:
    """The contrast stretched to [0, 1]: the least value becomes 0, the greatest 1; a flat picture stays as it is.

    >>> stretched(np.array([[0.25, 0.5, 0.75]], np.float32)).tolist()
    [[0.0, 0.5, 1.0]]
    """
    low, high = float(gray.min()), float(gray.max())
    found: Floats = gray if high <= low else ((gray - low) / (high - low)).astype(np.float32)
    return found


def consistency_of(subject: Subject) -> Consistency:
    """The pictures and sounds of a sample; see `Consistency`.

    Raises:
        BadInput: it is not known how its spectrogram was played.
    """
    if subject.spectrogram is None or subject.mel_spec is None:
        raise BadInput("There is no spectrogram that was played.")
    spec = subject.mel_spec
    stored = resample(subject.clip, spec.rate_hz)
    logs = log_mel_from_picture(torch.from_numpy(subject.spectrogram), spec)[None]
    sounds = {
        "istft": _clip(_with_phases(logs, torch.from_numpy(stored.mono())[None], spec), spec),
        "griffin-lim": _clip(GriffinLim(spec)(logs), spec),
    }
    pictures = {"spectrogram-stretched": Picture.from_gray(stretched(subject.spectrogram))}
    for stem, clip in {"sound": stored, **sounds}.items():
        pictures[f"spectrogram-of-{stem}"] = Picture.from_gray(gray_from_clip(clip, spec))
    return Consistency(pictures, {stem: peak_normalize(clip) for stem, clip in sounds.items()})


def folder_name(name: str) -> str:
    """A sample's name as one folder name.

    >>> folder_name("../runs/frog/0001")
    'runs-frog-0001'
    """
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "sample"


def _clip(samples: Tensor, spec: MelSpec) -> Clip:
    return Clip(samples.float().numpy(), spec.rate_hz)


def _with_phases(logs: Tensor, sound: Tensor, spec: MelSpec) -> Tensor:
    """Magnitudes of a log-mel (1, bands, columns) and phases of a sound (1, samples) -> (1, columns * hop)."""
    columns, hop = logs.shape[-1], spec.hop_length
    mel = F.pad(logs.float().exp() - spec.floor, (1, 1), mode="replicate").clamp(min=0)
    magnitudes = linear_from_mel(mel, spec)
    # as in `GriffinLim`: a column's centre lies half a hop after its start, and there is one more on each side
    start, length = hop - hop // 2, (columns + 1) * hop
    sound = F.pad(sound[:, : columns * hop], (start, length))[:, :length]
    window = torch.hann_window(spec.win_length)
    size = (spec.n_fft, hop, spec.win_length, window)
    spectrum = torch.stft(sound, *size, pad_mode="constant", return_complex=True)
    mixed = torch.polar(magnitudes, spectrum.angle())
    played: Tensor = torch.istft(mixed, *size, length=length)
    return played[:, start : start + columns * hop]
