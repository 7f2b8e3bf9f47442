"""Training of the embedder and of the picture judge, without packs; what the benchmark asks for."""

import re
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

pytest.importorskip("mido", reason="needs the extra `training`")

from benchmarks.judging import Ledger
from benchmarks.pairs import PAIRS, SYNONYMS, picture_side, sound_side
from eidophone.models.embedders.tiny import ImageEncoder, load_tiny
from training.config import Run
from training.data.drawings import HALVES, slugs, table
from training.data.pictures import concepts
from training.data.repainted import repainted
from training.data.scenes import COLUMNS, HEIGHT, ROWS, WIDTH, Shown, halved
from training.data.sounds import concepts as sound_concepts
from training.networks import backbone, embedder, judge


@pytest.mark.slow
def test_training_leaves_an_embedder_that_loads(smoke: Path) -> None:
    found = load_tiny(smoke / "tiny" / "embedder", torch.device("cpu"))
    assert found.picture(torch.rand(2, 3, 128, 288)).shape == found.text(["a dog", "rain"]).shape


@pytest.mark.slow
def test_a_repainted_scene_keeps_its_drawing_and_comes_out_the_same_again() -> None:
    drawn = np.zeros((2, 128, 288), np.uint8)
    drawn[0, 30:100, 90:190] = 220
    drawn[1, 20:110, 30:90] = 220
    first, second = (repainted(drawn, 3, torch.device("cpu")) for _ in range(2))
    assert np.array_equal(first, second) and first.dtype == np.uint8
    assert not np.array_equal(first, drawn)
    for before, after, stranger in zip(drawn, first, first[::-1], strict=True):
        alike, unlike = (np.corrcoef(before.ravel(), x.ravel())[0, 1] for x in (after, stranger))
        assert alike > 0.6 > unlike


@pytest.mark.slow
@pytest.mark.parametrize("network", [embedder, judge], ids=["embedder", "judge"])
def test_a_stopped_run_ends_where_an_unbroken_one_does(
    smoke: Path, network: ModuleType, tmp_path: Path
) -> None:
    name = network.__name__.split(".")[-1]
    shutil.copytree(smoke, tmp_path, dirs_exist_ok=True)
    (tmp_path / f"{name}.pt").unlink()
    run = Run.open("smoke", tmp_path, "cpu")
    torch.set_num_threads(run["threads"])  # as the script has it; sums depend on it
    network.train(run, stop_after=1)
    network.train(run)
    ours, theirs = (torch.load(f / f"{name}.pt", weights_only=True)["mean"] for f in (tmp_path, smoke))
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())


@pytest.mark.slow
def test_edges_and_corners_stay_as_they_were_while_the_rest_learns(smoke: Path) -> None:
    run = Run.open("smoke", smoke, "cpu")
    sight = ImageEncoder(backbone.blocks_of(run, "lite1"), 128, 40)
    backbone.teach(run, "lite1", sight)
    learns = [any(p.requires_grad for p in layer.parameters()) for layer in sight.network.layers]
    assert learns == [n > backbone.SETTLED for n in range(len(learns))]


def test_no_set_of_drawings_is_in_both_halves() -> None:
    sets = [set(table()[half]) for half in HALVES]
    assert sets[0].isdisjoint(sets[1])
    generators = {"fluent3d", "fluent", "noto", "clipart", "drawn"}
    assert generators.isdisjoint(sets[0] | sets[1])


def test_every_named_drawing_belongs_to_a_concept() -> None:
    for which in ("fxemoji", "game-icons"):
        assert set(table()[which]) <= set(concepts())


def test_a_label_is_spelt_as_icon_sets_do() -> None:
    assert slugs("Steam locomotive: old")[0] == "steam-locomotive-old"


def test_rows_of_one_label_attract_and_others_repel() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    together = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    apart = together[[0, 2, 1, 3]]
    assert embedder.contrast(together, labels) < embedder.contrast(apart, labels)
    # two equal rows and two orthogonal ones: the share of the positive is 1 / (1 + 2 exp(-1 / T))
    expected = np.log1p(2 * np.exp(-1 / embedder.TEMPERATURE))
    assert float(embedder.contrast(together, labels)) == pytest.approx(expected, rel=1e-3)


def test_batches_favour_no_label() -> None:
    labels = torch.tensor([0] * 990 + [1] * 10)
    rows = embedder.balanced(np.random.default_rng(0), labels, 400)
    assert 150 < int(labels[rows].sum()) < 250


def test_scenes_are_halved_by_means_and_varied_within_range() -> None:
    picture = np.zeros((1, 2 * ROWS, 2 * COLUMNS), np.uint8)
    picture[0, :2, :2] = [[0, 255], [255, 0]]
    assert halved(picture)[0, 0, 0] == 128 and halved(picture).shape == (1, ROWS, COLUMNS)
    given = np.random.default_rng(0).integers(0, 256, (12, HEIGHT, WIDTH), np.uint8)
    shown = Shown(given, ["dog"] * 12, np.linspace(0, 1, 12))
    rows = torch.arange(12)
    seen = [shown.varied(np.random.default_rng(7), rows, given[::-1]) for _ in range(2)]
    assert torch.equal(*seen)
    assert seen[0].shape == given.shape and seen[0].min() >= 0 and seen[0].max() <= 1


def test_the_benchmark_asks_for_what_the_issue_counts() -> None:
    assert (len(sound_side()), len(picture_side()), len(PAIRS)) == (30, 40, 20)
    assert sum(len(words) for words in SYNONYMS.values()) == 20
    assert {seen for seen, _ in PAIRS} <= set(picture_side())
    assert {heard for _, heard in PAIRS} <= set(sound_concepts())


def test_unseen_words_stand_in_no_caption() -> None:
    drawn = " ".join(" ".join([*t["one"], *t["many"], *t["doing"]]) for t in concepts().values())
    played = " ".join(phrase for concept in sound_concepts().values() for phrase in concept.captions)
    for side, said in (("seen", drawn), ("heard", played)):
        known = set(re.findall(r"\w+", said)) | {"a", "at"}
        for words, _ in SYNONYMS[side]:
            assert known.isdisjoint(set(re.findall(r"\w+", words)) - {"a", "at"}), words


def test_a_ledger_goes_on_where_it_stopped(tmp_path: Path) -> None:
    file = tmp_path / "kept" / "rows.jsonl"
    Ledger(file).add("sound/dog/0", {"heard": True})
    again = Ledger(file)
    again.add("sound/dog/1", {"heard": False})
    assert dict(Ledger(file).of("sound")) == {"sound/dog/0": {"heard": True}, "sound/dog/1": {"heard": False}}
    assert not dict(again.of("picture"))
