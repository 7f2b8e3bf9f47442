"""Long spectrograms in chunks, and spectrograms whose end meets their beginning, through both vocoders."""

import pytest
import torch
from torch import Tensor

from eidophone.media import vocoder
from eidophone.media.chunks import chunks
from eidophone.media.mel import MelSpec
from eidophone.media.vocoder import GriffinLim, HiFiGan, Vocoder, VocoderConfig

SPEC = MelSpec(
    rate_hz=8000, n_fft=256, win_length=256, hop_length=64, n_mels=32, f_max=4000, floor=1e-3, ceiling=20.0
)
CONFIG = {
    "num_mels": 32, "upsample_rates": [4, 4, 4], "upsample_kernel_sizes": [8, 9, 4],
    "upsample_initial_channel": 16, "resblock_kernel_sizes": [3, 7], "sampling_rate": 8000,
    "resblock_dilation_sizes": [[1, 3], [1, 5]], "hop_size": 64, "n_fft": 256, "win_size": 256, "resblock": "1",
}  # fmt: skip


def griffin_lim() -> Vocoder:
    return GriffinLim(SPEC, iterations=4)


def hifi_gan() -> Vocoder:
    torch.manual_seed(0)
    return HiFiGan(VocoderConfig(**CONFIG)).eval().requires_grad_(False)


VOCODERS = pytest.mark.parametrize("make", [griffin_lim, hifi_gan])


def spectrogram(columns: int) -> Tensor:
    """Bands that rise, fall and pulse, not periodic; (1, bands, columns) log-mel."""
    band, at = torch.arange(32)[:, None], torch.arange(columns)
    light = torch.exp(-((band - 16 - 12 * torch.sin(at / 17)) ** 2) / 8) * (1 + torch.sin(at / 5)) / 2
    return (light * 10 + SPEC.floor).log()[None]


def test_chunks_cover_every_column_once() -> None:
    for cyclic in (False, True):
        parts = list(chunks(1000, 7, cyclic, 64))
        covered = [column for part in parts for column in range(part.first, part.first + part.count)]
        assert covered == list(range(1000))
        if not cyclic:
            assert all(part.columns[0] >= 0 and part.columns[-1] < 1000 for part in parts)


@VOCODERS
def test_a_sound_in_chunks_is_the_sound_as_a_whole(make, monkeypatch: pytest.MonkeyPatch) -> None:
    logs, play = spectrogram(400), make()
    whole = play(logs)
    monkeypatch.setattr(vocoder, "CHUNK_COLUMNS", 100)
    assert (play(logs) - whole).abs().max() < 1e-5 * whole.abs().max()


@VOCODERS
def test_less_context_would_be_heard(make, monkeypatch: pytest.MonkeyPatch) -> None:
    logs, play = spectrogram(400), make()
    whole = play(logs)
    monkeypatch.setattr(vocoder, "CHUNK_COLUMNS", 100)
    monkeypatch.setattr(vocoder, "chunks", lambda columns, _, cyclic, size: chunks(columns, 0, cyclic, size))
    assert (play(logs) - whole).abs().max() > 1e-3 * whole.abs().max()


@VOCODERS
def test_a_loop_turned_around_is_the_same_sound_turned_around(make, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the place where the end meets the beginning sounds as any other."""
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.zeros(shape))  # Griffin-Lim's initial phase
    logs, play = spectrogram(160), make()
    turned = play(logs.roll(50, -1), cyclic=True)
    expected = play(logs, cyclic=True).roll(50 * SPEC.hop_length, -1)
    assert (turned - expected).abs().max() < 1e-5 * expected.abs().max()
    assert (play(logs) - expected).abs().max() > 1e-3 * expected.abs().max()


@VOCODERS
def test_a_loop_is_the_same_in_chunks(make, monkeypatch: pytest.MonkeyPatch) -> None:
    logs, play = spectrogram(150), make()
    whole = play(logs, cyclic=True)
    monkeypatch.setattr(vocoder, "CHUNK_COLUMNS", 40)
    assert (play(logs, cyclic=True) - whole).abs().max() < 1e-5 * whole.abs().max()


def test_a_loop_goes_on_as_if_it_had_never_ended() -> None:
    """A low tone bends no more across the loop point than elsewhere; without `cyclic` it does."""
    band = torch.arange(32)[:, None]
    tone = (10 * torch.exp(-((band - 3.0) ** 2)) + SPEC.floor).log().expand(1, 32, 331)
    play = griffin_lim()

    def jump(sound: Tensor) -> float:
        """The greatest second difference across the loop point, relative to nearly the greatest elsewhere."""
        twice, end = torch.cat([sound[0], sound[0]]), sound.shape[-1]
        bends = twice.diff(n=2).abs()
        return float(bends[end - 2 : end].max() / bends[: end - 2].quantile(0.999))

    assert jump(play(tone, cyclic=True)) <= 1 < jump(play(tone))
