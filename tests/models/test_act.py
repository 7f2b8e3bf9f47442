"""ACT: the published layout, key by key, and the published numbers."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from eidophone.core.errors import BadInput
from eidophone.models.captioners.act import RATE_HZ, Act, best_first, features, load_act
from eidophone.models.captioners.load import load_captioner
from eidophone.models.captioners.vocabulary import read_vocabulary

CPU = torch.device("cpu")
WORDS = ("<sos>", "a", "dog", "barks", "<eos>")


def test_keys_and_shapes_are_the_published_ones(golden: Path) -> None:
    with torch.device("meta"):
        ours = {key: list(value.shape) for key, value in Act(500).state_dict().items()}
    assert ours == json.loads((golden / "act-keys.json").read_text())


@pytest.mark.parametrize("seconds", [3, 10, 12])
def test_features_are_those_of_librosa(seconds: int) -> None:
    sound = 0.1 * np.random.default_rng(0).standard_normal(seconds * RATE_HZ).astype(np.float32)
    whole = np.pad(sound, (0, 10 * RATE_HZ))[: 10 * RATE_HZ]
    mel = librosa.feature.melspectrogram(y=whole, sr=RATE_HZ, n_fft=1024, hop_length=640, n_mels=64)
    theirs = librosa.power_to_db(mel)[:, :-1].T
    ours = features(torch.from_numpy(sound)[None])[0].numpy()
    assert np.abs(ours - theirs).max() < 1e-3 * theirs.std()


@pytest.mark.slow
def test_features_words_and_probabilities_are_the_published_ones(golden: Path, fill) -> None:
    with np.load(golden / "act-a.npz") as stored:
        theirs = dict(stored)
    network = Act(int(theirs["ntoken"])).eval()
    network.load_state_dict(fill(network.state_dict()))
    ours = features(torch.from_numpy(theirs["wave"]))
    with torch.inference_mode():
        heard = network.encode(torch.from_numpy(theirs["features"]))
        words, sure = network.greedy(heard, start=0, end=9)
    for name, found in (("features", ours), ("encoded", heard), ("probabilities", sure)):
        off = np.abs(found.numpy() - theirs[name]).max() / theirs[name].std()
        assert off < 1e-3, name
    assert np.array_equal(words.numpy(), theirs["tokens"])


def checkpoint(folder: Path, **change: object) -> Path:
    """A file in the published layout; one number stands for all of a tensor, so that it stays small."""
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in Act(len(WORDS)).state_dict().items()}
    state = {key: torch.zeros(()).expand(shape) for key, shape in shapes.items()} | change
    torch.save({"model": {k: v for k, v in state.items() if v is not None}}, folder / "ACTm.pth")
    return folder / "ACTm.pth"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dec_fc.bias": None}, r"1 keys are missing \(dec_fc\.bias\)"),
        ({"more": torch.zeros(1)}, r"1 keys are unknown \(more\)"),
        ({"dec_fc.bias": torch.zeros(3)}, r"have another shape \(dec_fc\.bias\)"),
    ],
)
def test_another_layout_is_named(change: dict, said: str, tmp_path: Path) -> None:
    (tmp_path / "words_list.txt").write_text("\n".join(WORDS))
    with pytest.raises(BadInput, match=said):
        load_act("act", checkpoint(tmp_path, **change), CPU)


def test_a_missing_vocabulary_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"words_list\.txt"):
        load_act("act", checkpoint(tmp_path), CPU)


@pytest.mark.parametrize(
    "given", [list(WORDS), tuple(WORDS), {word: i for i, word in reversed(list(enumerate(WORDS)))}]
)
def test_pickled_and_written_words_are_the_same(given: object, tmp_path: Path) -> None:
    (tmp_path / "words_list.p").write_bytes(pickle.dumps(given))
    (tmp_path / "words_list.txt").write_text("\n".join(WORDS) + "\n")
    assert read_vocabulary(tmp_path / "words_list.p") == read_vocabulary(tmp_path / "words_list.txt") == WORDS


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return Path.touch, (self.mark,)


def test_a_pickle_that_would_run_code_does_not(tmp_path: Path) -> None:
    (tmp_path / "words_list.p").write_bytes(pickle.dumps([Evil(tmp_path / "ran")]))
    with pytest.raises(BadInput, match="could run code"):
        read_vocabulary(tmp_path / "words_list.p")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("raw", [b"", b"\x80\x04junk", pickle.dumps(3), pickle.dumps([1, 2])])
def test_a_damaged_vocabulary_is_named(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "words_list.p").write_bytes(raw)
    with pytest.raises(BadInput, match=r"words_list\.p"):
        read_vocabulary(tmp_path / "words_list.p")


def chain(table: dict[int, dict[int, float]]) -> Callable[[list[int]], torch.Tensor]:
    """Words that depend on the word before only."""
    rows = torch.zeros(6, 6)
    for word, following in table.items():
        for next_word, chance in following.items():
            rows[word, next_word] = chance
    return lambda said: rows[said[-1]]


# 0 starts, 5 ends; the likeliest first word, 1, leads to a less likely caption than 2
TABLE = {0: {1: 0.55, 2: 0.45}, 1: {3: 0.33, 4: 0.33, 5: 0.34}, 2: {5: 1.0}, 3: {5: 1.0}, 4: {5: 1.0}}


def test_a_search_with_more_beams_finds_the_caption_that_greed_misses() -> None:
    greedy = best_first(chain(TABLE), 0, 5, 1)
    assert [word for word, _ in greedy] == [1]
    found = best_first(chain(TABLE), 0, 5, 2)
    assert [word for word, _ in found] == [2] and found[0][1] == pytest.approx(0.45)


def test_one_beam_is_greedy(tmp_path: Path) -> None:
    torch.manual_seed(0)
    rows = torch.rand(9, 9).softmax(1)
    greedy, word = [], 0
    while len(greedy) < 30 and word != 8:
        word = int(rows[word].argmax())
        greedy.append(word)
    found = [word for word, _ in best_first(lambda said: rows[said[-1]], 0, 8, 1)]
    assert found == [word for word in greedy if word != 8]


@pytest.mark.parametrize("name", ["act-beam-2", "act-beam-3"])
def test_beam_search_is_a_captioner_by_name(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words_list.txt").write_text("\n".join(WORDS))
    favoured = torch.tensor([-9.0, 0.0, 2.0, 1.0, 1.5])
    checkpoint(tmp_path, **{"dec_fc.bias": favoured})
    captioner = load_captioner(name, CPU, offline=True)
    said = captioner.caption([0.1 * np.random.default_rng(0).standard_normal(32_000).astype(np.float32)])
    assert captioner.name == name and set(said.text.split()) <= {"a", "dog", "barks"}
