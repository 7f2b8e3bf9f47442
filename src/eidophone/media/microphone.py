"""Sound from the microphone."""

from typing import Any

import numpy as np

from eidophone.core.errors import BadInput
from eidophone.core.values import Clip


def record(seconds: float) -> Clip:
    """Records from the default microphone, mono, at its own rate.

    Args:
        seconds: How long.

    Raises:
        BadInput: no microphone, or what it takes to use one is not installed; the message says what to do.
    """
    device = _sounddevice()
    try:
        rate_hz = int(device.query_devices(kind="input")["default_samplerate"])
        samples = device.rec(round(seconds * rate_hz), samplerate=rate_hz, channels=1, dtype="float32")
        device.wait()
    except (device.PortAudioError, ValueError) as error:
        raise BadInput(
            f"--record: there is no microphone that can be used ({error}); connect one, or name a sound file."
        ) from error
    return Clip(np.ascontiguousarray(np.clip(samples.T, -1, 1), np.float32), rate_hz)


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise BadInput(
            "--record needs the package sounddevice; pip install 'eidophone[microphone]'."
        ) from error
    except OSError as error:  # the library that the package binds
        raise BadInput(
            "--record: the PortAudio library is missing; install it, on Debian and Ubuntu with "
            "`apt install libportaudio2`."
        ) from error
    return sounddevice
