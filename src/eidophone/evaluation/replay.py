"""The sound of a sample by Griffin-Lim instead of the one that was stored, as the published evaluation may do."""

from dataclasses import replace

import numpy as np
import torch

from eidophone.core.values import Clip
from eidophone.media.spectrogram import log_mel_from_picture
from eidophone.media.vocoder import GriffinLim
from eidophone.scoring.contract import Subject


def replayed(subject: Subject) -> Subject:
    """The subject with its spectrogram played by Griffin-Lim, cut or padded to the length of its sound.

    A subject whose spectrogram is not known stays as it is.
    """
    if subject.spectrogram is None or subject.mel_spec is None:
        return subject
    spec = subject.mel_spec
    logs = log_mel_from_picture(torch.from_numpy(subject.spectrogram), spec)[None]
    played = GriffinLim(spec)(logs).float().numpy()
    frames = round(subject.clip.duration_s * spec.rate_hz)
    fitted = np.pad(played[:, :frames], ((0, 0), (0, max(0, frames - played.shape[1]))))
    return replace(subject, clip=Clip(fitted.astype(np.float32), spec.rate_hz))
