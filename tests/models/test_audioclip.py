"""AudioCLIP: the published layout, key by key, and the published numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from eidophone.core.errors import BadInput
from eidophone.models.embedders.audioclip import AudioClip, WaveletTransform, read_audioclip, scale_of
from eidophone.models.embedders.load import load_embedder

CPU = torch.device("cpu")


def test_keys_and_shapes_are_the_published_ones(golden: Path) -> None:
    with torch.device("meta"):
        ours = {key: list(value.shape) for key, value in AudioClip().state_dict().items()}
    assert ours == json.loads((golden / "audioclip-keys.json").read_text())


def test_wavelets_are_a_fourier_transform_before_they_learn() -> None:
    """Order 0 is a box; at whole frequencies the transform is the DFT's power, up to the grid's ends."""
    frames = torch.randn(1, 3, 257, generator=torch.Generator().manual_seed(0)).double()
    frames[..., -1] = 0  # the grid counts its first point twice
    power = WaveletTransform(20).double()(frames)
    theirs = torch.fft.rfft(frames[..., :-1], norm="backward").abs().square()[..., :20] / 257
    assert torch.allclose(power, theirs.transpose(1, 2), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("ln_final.bias"), r"1 keys are missing \(ln_final\.bias\)"),
        (lambda state: state.update(more=torch.zeros(1)), r"1 keys are unknown \(more\)"),
        (lambda state: state.update({"ln_final.bias": torch.zeros(3)}), r"have another shape \(ln_final"),
        (lambda state: state.update(epoch=3), "is no state dict of tensors"),
    ],
)
def test_another_layout_is_named(change, said: str, tmp_path: Path) -> None:
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in AudioClip().state_dict().items()}
    # one number stands for all of a tensor, so that the file stays small
    state = {key: torch.zeros(()).expand(shape) for key, shape in shapes.items()}
    change(state)
    path = tmp_path / "AudioCLIP-Full-Training.pt"
    torch.save(state, path)
    with pytest.raises(BadInput, match=said):
        load_embedder(str(path), CPU)


def test_a_file_that_wants_to_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "AudioCLIP-Full-Training.pt"
    torch.save({"model": Path("x")}, path)
    with pytest.raises(BadInput, match="would run code"):
        load_embedder(str(path), CPU)


@pytest.mark.slow
def test_features_and_logits_are_the_published_ones(golden: Path, fill, tmp_path: Path) -> None:
    path = tmp_path / "AudioCLIP-Full-Training.pt"
    torch.save(fill(AudioClip().state_dict()), path)
    network = read_audioclip(path, CPU)
    embedder = load_embedder(str(path), CPU)
    path.unlink()
    unit = torch.nn.functional.normalize
    with np.load(golden / "audioclip-a.npz") as theirs, torch.no_grad():
        phrases = [", ".join(words) for words in json.loads(str(theirs["text"]))]
        ours = {
            "audio": unit(network.audio(torch.from_numpy(theirs["audio"])[:, 0])),
            "image": unit(network.visual(torch.from_numpy(theirs["image"]))),
            "text": embedder.text(phrases),
        }
        for name, features in ours.items():
            expected = theirs[f"{name}_features"]
            assert np.abs(features.numpy() - expected).max() < 1e-4 * expected.std(), name
        for pair, scale in (
            ("ai", network.logit_scale_ai), ("at", network.logit_scale_at), ("it", network.logit_scale),
        ):  # fmt: skip
            one, other = (next(v for k, v in ours.items() if k[0] == letter) for letter in pair)
            expected = theirs[f"logits_{pair}"]
            logits = scale_of(scale) * (one @ other.T).numpy()
            # the four audio-image logits are nearly equal, so their own size is the measure
            assert np.abs(logits - expected).max() < 1e-4 * np.abs(expected).max(), pair
        assert embedder.logit_scale == pytest.approx(100)
        sound = torch.from_numpy(theirs["audio"])[:1, 0]
        assert torch.equal(embedder.sound(sound, 44_100), embedder.sound(sound, 44_100))
        assert torch.allclose(embedder.picture(torch.rand(1, 3, 50, 90)).norm(), torch.tensor(1.0))
