"""Vocoders: what goes in as a tone comes out as one; published weights in all their spellings."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from eidophone.core.errors import BadInput
from eidophone.media.mel import MelSpec
from eidophone.media.spectrogram import log_mel
from eidophone.media.vocoder import (
    GriffinLim,
    HiFiGan,
    VocoderConfig,
    linear_from_mel,
    load_hifi_gan,
    read_vocoder_config,
    without_weight_norm,
)

SPEC = MelSpec(
    rate_hz=22_050, n_fft=1024, win_length=1024, hop_length=256, n_mels=128, floor=1e-3, ceiling=20.0
)
CONFIG = {
    "num_mels": 8, "upsample_rates": [4, 3], "upsample_kernel_sizes": [8, 8], "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3, 5], "resblock_dilation_sizes": [[1, 3], [1, 3]], "sampling_rate": 1200,
    "hop_size": 12, "n_fft": 64, "win_size": 64, "fmin": 0, "fmax": 600, "resblock": "1",
}  # fmt: skip


@pytest.fixture(scope="module")
def chord() -> torch.Tensor:
    t = torch.arange(SPEC.frames(100)) / SPEC.rate_hz
    return torch.stack([0.3 * torch.sin(2 * torch.pi * hz * t) for hz in (440.0, 1500.0, 3200.0)])


@pytest.mark.parametrize("momentum", [0.0, 0.99])
def test_griffin_lim_keeps_pitch_loudness_and_length(momentum: float, chord: torch.Tensor) -> None:
    heard = GriffinLim(SPEC, momentum=momentum)(log_mel(chord, SPEC))
    assert heard.shape == chord.shape
    for before, after in zip(chord.numpy(), heard.numpy(), strict=True):
        peaks = [np.abs(np.fft.rfft(x)).argmax() * SPEC.rate_hz / len(x) for x in (before, after)]
        assert peaks[0] == pytest.approx(peaks[1], rel=0.03)
        assert np.std(after) == pytest.approx(np.std(before), rel=0.2)


def test_griffin_lim_draws_the_same_picture_again(chord: torch.Tensor) -> None:
    noise = 0.1 * torch.randn(1, chord.shape[1], generator=torch.Generator().manual_seed(0))
    for wave in (chord, noise):
        before = log_mel(wave, SPEC).clamp(min=SPEC.log_range[0])
        after = log_mel(GriffinLim(SPEC)(before), SPEC).clamp(min=SPEC.log_range[0])
        span = SPEC.log_range[1] - SPEC.log_range[0]
        assert (after - before).abs().mean() < 0.04 * span


def test_griffin_lim_does_not_depend_on_what_was_drawn_before_or_beside(chord: torch.Tensor) -> None:
    logs = log_mel(chord, SPEC)
    together = GriffinLim(SPEC)(logs)
    torch.rand(7)
    assert torch.allclose(GriffinLim(SPEC)(logs[1:2])[0], together[1], atol=1e-4)


def test_a_click_stays_where_it_is() -> None:
    wave = torch.zeros(1, SPEC.frames(80))
    wave[0, 41 * SPEC.hop_length] = 1.0
    heard = GriffinLim(SPEC)(log_mel(wave, SPEC))[0]
    assert abs(int(heard.abs().argmax()) - 41 * SPEC.hop_length) < SPEC.hop_length


def test_black_is_silent() -> None:
    black = torch.full((1, SPEC.n_mels, 40), SPEC.log_range[0])
    assert GriffinLim(SPEC)(black).abs().max() < 1e-4


def test_linear_magnitudes_have_the_asked_bands() -> None:
    from eidophone.media.spectrogram import mel_filters

    mel = torch.rand(1, SPEC.n_mels, 5, generator=torch.Generator().manual_seed(0)) + 0.1
    found = linear_from_mel(mel, SPEC, iterations=300)
    assert (found >= 0).all()
    assert ((mel_filters(SPEC) @ found) / mel - 1).abs().mean() < 0.1


def hifi_gan(folder: Path) -> tuple[HiFiGan, dict[str, torch.Tensor]]:
    """A random generator, and its weights as weight normalisation stores them."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    torch.manual_seed(0)
    plain = HiFiGan(VocoderConfig(**CONFIG))
    normed = {}
    for key, value in plain.state_dict().items():
        if key.endswith("weight"):
            norm = value.flatten(1).norm(dim=1).reshape(-1, *[1] * (value.ndim - 1))
            normed |= {f"{key}_g": norm, f"{key}_v": 3 * value}
        else:
            normed[key] = value
    return plain.eval(), normed


@pytest.mark.parametrize("spelling", ["pickle", "safetensors", "plain", "parametrizations"])
def test_published_weights_are_read_in_every_spelling(spelling: str, tmp_path: Path) -> None:
    plain, normed = hifi_gan(tmp_path)
    if spelling == "pickle":
        torch.save({"generator": normed}, tmp_path / "vocoder.pt")
    elif spelling == "plain":
        save_file(plain.state_dict(), tmp_path / "vocoder.safetensors")
    elif spelling == "safetensors":
        save_file(normed, tmp_path / "vocoder.safetensors")
    else:
        ends = {"_g": "original0", "_v": "original1"}
        renamed = {
            f"{k[:-9]}.parametrizations.weight.{ends[k[-2:]]}" if k[-2:] in ends else k: v
            for k, v in normed.items()
        }
        save_file(renamed, tmp_path / "vocoder.safetensors")
    mel = torch.randn(2, 8, 10, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        heard, expected = load_hifi_gan(tmp_path)(mel), plain(mel)
    assert heard.shape == (2, 10 * 12)
    assert torch.allclose(heard, expected, atol=1e-5)


def test_weight_norm_is_folded_as_torch_does() -> None:
    conv = torch.nn.utils.parametrizations.weight_norm(torch.nn.ConvTranspose1d(4, 3, 5))
    with torch.no_grad():
        conv.parametrizations.weight.original0.mul_(1.7)
    folded = without_weight_norm(torch.nn.Sequential(conv).state_dict())
    assert torch.allclose(folded["0.weight"], conv.weight, atol=1e-6)


def test_weights_of_another_shape_are_named(tmp_path: Path) -> None:
    _, normed = hifi_gan(tmp_path)
    del normed["conv_post.bias"]
    save_file(normed, tmp_path / "vocoder.safetensors")
    with pytest.raises(BadInput, match=r"does not fit its config.json: .*conv_post\.bias"):
        load_hifi_gan(tmp_path)


def test_many_pictures_sound_as_they_do_alone(tmp_path: Path) -> None:
    _, normed = hifi_gan(tmp_path)
    save_file(normed, tmp_path / "vocoder.safetensors")
    vocoder = load_hifi_gan(tmp_path, torch.device("cpu"))
    mel = torch.randn(19, 8, 10, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    heard = vocoder(mel)
    assert heard.shape == (19, 10 * 12) and heard.dtype == torch.float32 and heard.device.type == "cpu"
    assert torch.allclose(heard[13], vocoder(mel[13:14])[0], atol=1e-6)


def test_building_draws_no_lots(tmp_path: Path) -> None:
    _, normed = hifi_gan(tmp_path)
    save_file(normed, tmp_path / "vocoder.safetensors")
    before = torch.get_rng_state()
    load_hifi_gan(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"resblock": "2"}, "resblock"), ({"hop_size": 13}, "upsample_rates"),
        ({"num_mels": "8"}, "num_mels"), ({"num_mels": 10**9}, "num_mels"), ({"n_fft": 63.5}, "n_fft"),
        ({"win_size": 65}, "win_length"), ({"fmax": 900}, "f_max"), ({"fmin": float("nan")}, "fmin"),
        ({"upsample_rates": [-4, -3]}, "upsample_rates"), ({"upsample_kernel_sizes": [8]}, "kernel_sizes"),
        ({"upsample_kernel_sizes": [2, 2]}, "kernel_sizes"), ({"resblock_kernel_sizes": [4, 5]}, "odd"),
        ({"resblock_dilation_sizes": [[1, 3]]}, "dilation"), ({"resblock_dilation_sizes": 3}, "dilation"),
        ({"upsample_initial_channel": 2}, "halved"), ({"upsample_initial_channel": 10**9}, "channel"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_built_are_refused(change: dict, words: str, tmp_path: Path) -> None:
    hifi_gan(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | change))
    with pytest.raises(BadInput, match=words) as refused:
        load_hifi_gan(tmp_path)
    assert str(tmp_path / "config.json") in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["{}", "[]", "5", "null", "", "{", "\xff", "[" * 100_000])
def test_damaged_settings_are_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match=r"config\.json.*(fetch the model again|is empty)"):
        read_vocoder_config(tmp_path)


def test_the_highest_pitch_may_be_left_open() -> None:
    assert VocoderConfig(**CONFIG | {"fmax": None, "segment_size": 1}).mel_spec().f_max == 600


@pytest.mark.parametrize("junk", [b"", b"junk", b"\xff" * 100])
def test_damaged_weights_are_refused(junk: bytes, tmp_path: Path) -> None:
    hifi_gan(tmp_path)
    for name in ("vocoder.pt", "vocoder.safetensors"):
        (tmp_path / name).write_bytes(junk)
        with pytest.raises(BadInput, match=f"{name}(: refused, because it is damaged| is empty)"):
            load_hifi_gan(tmp_path)


@pytest.mark.parametrize("held", [[1, 2], {"generator": [1]}, {"x": 1}, torch.zeros(1)])
def test_weights_without_names_are_refused(held: object, tmp_path: Path) -> None:
    hifi_gan(tmp_path)
    torch.save(held, tmp_path / "vocoder.pt")
    with pytest.raises(BadInput, match=r"vocoder\.pt: holds no named weights"):
        load_hifi_gan(tmp_path)


@pytest.mark.parametrize("lost", ["conv_pre.weight_v", "conv_pre.weight_g"])
def test_half_a_normalised_weight_is_named(lost: str, tmp_path: Path) -> None:
    _, normed = hifi_gan(tmp_path)
    del normed[lost]
    save_file(normed, tmp_path / "vocoder.safetensors")
    with pytest.raises(BadInput, match=r"does not fit its config.json: .*conv_pre\.weight"):
        load_hifi_gan(tmp_path)


@pytest.mark.parametrize("kernels", [[8, 5], [4, 3], [16, 7]])
def test_the_generator_equals_transformers(kernels: list[int]) -> None:
    """An independent implementation, which covers even differences of kernel and rate only."""
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    given = {**CONFIG, "upsample_kernel_sizes": kernels}
    torch.manual_seed(0)
    ours = HiFiGan(VocoderConfig(**given)).eval()
    names = ("upsample_rates", "upsample_kernel_sizes", "upsample_initial_channel", "sampling_rate",
             "resblock_kernel_sizes", "resblock_dilation_sizes")  # fmt: skip
    theirs = SpeechT5HifiGan(
        SpeechT5HifiGanConfig(
            model_in_dim=given["num_mels"], normalize_before=False, **{name: given[name] for name in names}
        )
    ).eval()
    state = {key.replace("ups.", "upsampler."): value for key, value in ours.state_dict().items()}
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    assert set(missing) == {"mean", "scale"}
    assert not unexpected
    log_mel = torch.randn(2, given["num_mels"], 11, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = theirs(log_mel.transpose(1, 2))
        assert torch.allclose(ours(log_mel), expected, atol=1e-6)
    assert expected.abs().max() > 1e-3
