"""A run that goes on from an exported family: its parts, its drawings, its own sounds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("mido", reason="needs the extra `training`")

from eidophone.models.cards import package_folder
from eidophone.models.load import Loader
from eidophone.models.tagger import load_tagger
from training import self_training
from training.config import Run, TrainingError, merged
from training.data import clips
from training.data.canvas import Pack
from training.data.iconic import REST, TONE, brightened, favour_iconic
from training.data.pictures import concepts
from training.data.sounds import concepts as sound_concepts
from training.data.sounds import heard_again, pictures_of
from training.data.textures import HEIGHT, WIDTH
from training.networks import codec, import_weights, text, unet
from training.self_training import TRIALS


def test_a_preset_says_only_what_differs_from_its_base() -> None:
    presets = {"a": {"seed": 1, "x": {"p": 1, "q": 2}}, "b": {"base": "a", "x": {"q": 3}, "y": {"r": 4}}}
    assert merged(presets, "b") == {"seed": 1, "x": {"p": 1, "q": 3}, "y": {"r": 4}}
    assert merged(presets | {"c": {"base": "b", "seed": 2}}, "c")["seed"] == 2
    assert merged(presets, "a") == presets["a"]


def test_imported_weights_mean_what_they_meant(tmp_path: Path) -> None:
    run = Run.open("laptop", tmp_path, "cpu", package_folder("tiny"))
    import_weights.import_weights(run)
    shipped = Loader(torch.device("cpu"), torch.float32, offline=True).model("tiny", "image")
    pictures = np.random.default_rng(0).integers(0, 256, (2, HEIGHT, WIDTH)).astype(np.uint8)
    light = torch.from_numpy(pictures)[:, None].expand(-1, 3, -1, -1) / 255
    with torch.no_grad():
        ours, theirs = codec.encoded(codec.load(run), pictures), shipped.encode(light)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    (said,) = text.encode(*text.load(run), ["a painting of an owl"])
    torch.testing.assert_close(said, shipped.text.encode("a painting of an owl", "prompt")[0])


def test_importing_needs_a_family(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="--init-from"):
        import_weights.import_weights(Run.open("laptop", tmp_path, "cpu"))


def test_iconic_forms_and_recognizable_drawings_count_most() -> None:
    pack = Pack.made_up(concepts())
    members = {name: np.zeros(0, int) for name in concepts()} | {"dog": np.arange(4)}
    forms = np.full(len(pack.form), "drawn", dtype="<U10")
    plain, other = concepts()["dog"]["iconic"][0], "1f429"
    forms[:4] = (plain, plain, other, other)
    chosen = favour_iconic(
        replace(pack, members=members, form=forms), np.array([0.9, 0.0, 0.9, 0.0, *[1.0] * 50])[: len(forms)]
    )
    assert chosen.simple[:2].sum() == pytest.approx(1 - REST)
    assert chosen.simple[2:4].sum() == pytest.approx(REST)
    assert chosen.simple[[1, 3]] == pytest.approx(REST * chosen.simple[[0, 2]])
    assert not chosen.simple[4:].any()


def test_dark_drawings_become_light_and_light_ones_stay() -> None:
    pack = Pack.made_up(concepts())
    grey, alpha = np.full_like(pack.grey, 200), np.zeros_like(pack.alpha)
    alpha[:, 20:80, 20:80] = 255
    grey[0, 20:80, 20:80] = np.linspace(0, 120, 60).round()
    bright = brightened(replace(pack, grey=grey, alpha=alpha))
    inside = bright.grey[0, 20:80, 20:80] / 255
    assert inside.mean() == pytest.approx(TONE, abs=0.1)
    assert inside.min() == 0 and (np.diff(inside.mean(0)) >= 0).all()
    np.testing.assert_array_equal(bright.grey[1], grey[1])


def struck(count: int) -> np.ndarray:
    bells = [clips.at_peak(clips.bell(np.random.default_rng(i))) for i in range(count)]
    return pictures_of(np.stack([(32767 * bell).astype(np.int16) for bell in bells]), 28)


DARK = np.zeros((1, HEIGHT, WIDTH), np.uint8)


def test_under_black_a_sound_is_heard_as_it_is_alone_and_under_glare_it_is_not() -> None:
    ear, bells, rng = load_tagger(), struck(4), np.random.default_rng(0)
    alone = np.array(heard_again(ear, bells, sound_concepts()["bell"])) > 0
    assert alone.sum() >= 2
    np.testing.assert_array_equal(
        self_training.heard_under_drawings(ear, bells, "bell", DARK, rng), TRIALS * alone
    )
    assert not self_training.heard_under_drawings(ear, bells, "bell", DARK + 255, rng).any()
    assert self_training.heard_under_drawings(ear, bells[:0], "bell", DARK, rng).shape == (0,)


@pytest.mark.parametrize(("wanted", "tried"), [(4, 8), (100, 16)])
def test_a_concept_is_played_until_enough_is_heard_or_enough_was_tried(
    wanted: int, tried: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.open("further", tmp_path, "cpu")
    run = replace(run, settings=run.settings | {"self_training": {"wanted": wanted, "tries": 16}})
    said, bells = [], struck(8)

    def played(_: Run, prompts: tuple[str, str], seed: int, more: object) -> np.ndarray:
        said.append((prompts[1], seed))
        return bells

    monkeypatch.setattr(self_training, "made", played)
    monkeypatch.setattr(self_training, "drawings", lambda _: DARK)
    self_training.make_sounds(run, ["bell"])
    self_training.make_sounds(run, ["bell"])  # is kept
    found = self_training.self_made(run, "bell")
    assert found is not None
    assert (found.tried, len(said)) == (tried, tried // 8)
    assert len({seed for _, seed in said}) == len(said)
    assert {phrase for phrase, _ in said} <= set(sound_concepts()["bell"].captions)
    assert found.share == pytest.approx(len(found.pictures) / tried)


def test_what_is_heard_beneath_drawings_is_learned_more_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.open("further", tmp_path, "cpu")
    real, made = np.zeros((3, HEIGHT, WIDTH), np.uint8), np.full((20, HEIGHT, WIDTH), 9, np.uint8)
    (tmp_path / "self_training").mkdir()
    np.savez(
        tmp_path / "self_training" / "crow.npz",
        pictures=made,
        under_drawings=np.arange(20) % 3,
        tried=np.array(96),
    )
    np.savez(tmp_path / "self_training" / "crow-recorded.npz", under_drawings=np.array([0, 0, 2]))
    lasting = np.concatenate([real, real]), ["crow"] * 3 + ["rain"] * 3
    monkeypatch.setattr(unet, "lasting", lambda _: lasting)
    known = unet.concept_examples(run)
    crow, rain = known["crow"], known["rain"]
    assert crow.chance.sum() == pytest.approx(1)
    assert crow.chance[:3].sum() == pytest.approx(1 - run["audio"]["self_made_share"])
    assert crow.chance[2] == pytest.approx(5 * crow.chance[0])
    assert crow.chance[5] == pytest.approx(5 * crow.chance[3])
    assert (crow.repeats, rain.repeats) == (2, 1)
    np.testing.assert_allclose(rain.chance, 1 / 3)


def test_what_is_learned_anew_comes_from_recordings_alone_and_more_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.open("further", tmp_path, "cpu")
    name, real = self_training.recordings_only(run)[0], np.zeros((3, HEIGHT, WIDTH), np.uint8)
    (tmp_path / "self_training").mkdir()
    made = np.full((20, HEIGHT, WIDTH), 9, np.uint8)
    np.savez(
        tmp_path / "self_training" / f"{name}.npz",
        pictures=made,
        under_drawings=np.ones(20, int),
        tried=np.array(20),
    )
    monkeypatch.setattr(unet, "lasting", lambda _: (real, [name] * 3))
    (found,) = unet.concept_examples(run).values()
    np.testing.assert_array_equal(found.pictures, real)
    np.testing.assert_allclose(found.chance, 1 / 3)
    assert found.repeats == 2
    assert set(self_training.recordings_only(run)) <= sound_concepts().keys()
