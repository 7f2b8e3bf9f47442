"""The registry: every network is read once, given back when memory runs short, read again when its files change."""

import gc
import json
import os
import shutil
from pathlib import Path
from threading import Thread

import pytest
import torch
from safetensors.torch import load_file, save_file

import eidophone.models.parts as parts_module
from eidophone.core.errors import BadInput
from eidophone.models.load import Loader
from eidophone.models.parts import size_of
from eidophone.models.registry import Registry
from eidophone.models.weights import digest_of
from tests.conftest import make_model

CPU = torch.device("cpu")
WEIGHTS = "diffusion_pytorch_model.safetensors"


def loader(registry: Registry, dtype: torch.dtype = torch.float32) -> Loader:
    return registry.loader(CPU, dtype, offline=True)


def names(pair: tuple[Path, Path]) -> tuple[str, str]:
    return str(pair[0]), str(pair[1])


def test_twenty_loads_of_a_pair_read_each_network_once(pair: tuple[Path, Path]) -> None:
    registry = Registry()
    first = loader(registry).pair(*names(pair))
    for _ in range(19):
        again = loader(registry).pair(*names(pair))
        assert [a.network for a in again] == [f.network for f in first]
        assert again[0].vae is first[0].vae and again[1].text is first[1].text
    image, audio = f"{pair[0]}.image", f"{pair[1]}.audio"
    # the copies of VAE and text encoder lie in other files, so they are read once to be compared
    assert registry.loads == {
        (part, name): 1 for part in ("unet", "vae", "text_encoder") for name in (image, audio)
    }


def test_each_call_counts_its_own_evaluations(pair: tuple[Path, Path]) -> None:
    registry = Registry()
    one, two = (loader(registry).model(str(pair[0]), "image") for _ in range(2))
    one.noise_of(torch.zeros(2, 4, 4, 8), torch.tensor(5), torch.zeros(1, 77, 32))
    assert (one.evaluations, two.evaluations) == (2, 0)


def test_number_formats_do_not_share_a_network(pair: tuple[Path, Path]) -> None:
    registry = Registry()
    for dtype in (torch.float32, torch.bfloat16, torch.float32):
        assert loader(registry, dtype).model(str(pair[0]), "image").dtype == dtype
    assert registry.loads["unet", f"{pair[0]}.image"] == 2


def test_used_bytes_are_those_of_the_weights(pair: tuple[Path, Path]) -> None:
    registry = Registry()
    image, audio = loader(registry).pair(*names(pair))
    networks = (image.network, audio.network, image.vae, image.text.network)
    assert registry.used_bytes == sum(size_of(network) for network in networks)
    assert size_of(image.network) == 4 * sum(p.numel() for p in image.network.parameters())


def test_the_least_recently_used_network_is_given_back(tmp_path: Path) -> None:
    folders = [str(make_model(tmp_path / str(i), i)) for i in range(3)]
    registry = Registry()
    one = loader(registry).model(folders[0], "image")
    whole, unet = registry.used_bytes, size_of(one.network)
    del one
    registry.memory_limit = whole + unet + 100_000  # room for two U-Nets, VAE and text encoder

    def load(*order: int) -> None:
        for i in order:
            loader(registry).model(folders[i], "image")

    load(1, 0, 2, 0)  # 2 replaces 1, which was used longest ago
    assert [registry.loads["unet", f"{f}.image"] for f in folders] == [1, 1, 1]
    load(1)
    assert [registry.loads["unet", f"{f}.image"] for f in folders] == [1, 2, 1]
    assert registry.used_bytes <= registry.memory_limit


def test_a_network_in_use_is_never_given_back(tmp_path: Path) -> None:
    folders = [str(make_model(tmp_path / str(i), i)) for i in range(2)]
    registry = Registry(memory_limit=1)
    first = loader(registry).model(folders[0], "image")
    loader(registry).model(folders[1], "image")
    assert loader(registry).model(folders[0], "image").network is first.network
    assert registry.loads["unet", f"{folders[0]}.image"] == 1
    del first
    loader(registry).model(folders[1], "image")
    loader(registry).model(folders[0], "image")
    assert registry.loads["unet", f"{folders[0]}.image"] == 2


def test_a_call_keeps_what_it_took_even_before_its_models_are_whole(pair: tuple[Path, Path]) -> None:
    registry = Registry(memory_limit=1)
    image, audio = loader(registry).pair(*names(pair))
    assert image.vae is audio.vae
    assert not torch.isnan(image.decode(torch.zeros(1, 4, 4, 8))).any()


def test_without_a_limit_networks_leave_when_memory_is_short(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry()
    loader(registry).model(str(pair[0]), "image")
    monkeypatch.setattr(parts_module, "free_bytes", lambda _: 0)
    loader(registry).model(str(pair[1]), "audio")
    loader(registry).model(str(pair[0]), "image")
    assert registry.loads["unet", f"{pair[0]}.image"] == 2


def test_changed_files_are_read_again(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model", 1)
    registry = Registry()
    before = loader(registry).model(str(folder), "image")
    digest = before.source.weights
    state = load_file(folder / "unet" / WEIGHTS)
    save_file({k: v + 1 for k, v in state.items()}, folder / "unet" / WEIGHTS, {"format": "pt"})
    after = loader(registry).model(str(folder), "image")
    key = next(iter(state))
    assert torch.equal(after.network.state_dict()[key], state[key] + 1)
    assert after.vae is before.vae
    assert registry.loads["unet", f"{folder}.image"] == 2
    assert after.source.weights != digest


def test_clear_gives_all_memory_back(pair: tuple[Path, Path]) -> None:
    import weakref

    registry = Registry()
    unet = weakref.ref(loader(registry).model(str(pair[0]), "image").network)
    assert unet() is not None and registry.used_bytes > 0
    registry.clear()
    gc.collect()
    assert unet() is None and registry.used_bytes == 0


def test_judges_and_listeners_are_kept_too() -> None:
    registry = Registry()
    for _ in range(3):
        one = loader(registry)
        embedder, captioner, tagger = one.embedder("tiny"), one.captioner("tiny"), one.tagger()
    assert {part: n for (part, name), n in registry.loads.items() if name == "tiny"} == {
        "embedder": 1, "captioner": 1, "tagger": 1,
    }  # fmt: skip
    assert embedder.text(["a dog"]).shape[0] == 1 and captioner.rate_hz > 0 and len(tagger.classes) == 521


def test_the_embedded_family_shares_its_vae_and_text_encoder_by_file() -> None:
    registry = Registry()
    loader(registry).pair("tiny", "tiny")
    assert sum(registry.loads.values()) == 4


def test_threads_that_start_together_read_a_network_once(pair: tuple[Path, Path]) -> None:
    registry = Registry()
    models = []
    threads = [
        Thread(target=lambda: models.append(loader(registry).model(str(pair[0]), "image"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(models) == 4 and len({id(model.network) for model in models}) == 1
    assert registry.loads["unet", f"{pair[0]}.image"] == 1


def test_files_are_not_read_again_for_their_digest(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(pair[0], tmp_path / "old")
    for file in folder.rglob("*"):
        os.utime(file, (1e9, 1e9))
    source = loader(Registry()).source(str(folder), "image")
    first = source.describe()

    def unreadable(*_: object, **__: object) -> None:
        raise AssertionError("a file was read again")

    monkeypatch.setattr("eidophone.models.weights._digest", unreadable)
    assert loader(Registry()).source(str(folder), "image").describe() == first


def test_a_digest_sees_a_change_that_keeps_the_size(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"a" * 100)
    before = digest_of([("w", file)])
    file.write_bytes(b"b" * 100)
    os.utime(file, ns=(1, 1))
    assert digest_of([("w", file)]) != before


@pytest.mark.parametrize("kind", ["folder", "dangling link", "pipe", "device"])
def test_only_plain_files_are_read(kind: str, pair: tuple[Path, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(pair[0], tmp_path / "model")
    odd = folder / "unet" / "odd.json"
    if kind == "folder":
        odd.mkdir()
    elif kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to("/dev/zero" if kind == "device" else tmp_path / "gone")
    reason = "link to a file that is missing" if kind == "dangling link" else "not a plain file"
    with pytest.raises(BadInput, match=reason):
        loader(Registry()).model(str(folder), "image")
    with pytest.raises(BadInput, match=reason):
        loader(Registry()).source(str(folder), "image").describe()


def test_a_table_of_words_is_no_reason_to_read_a_text_encoder_twice(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(pair[0], tmp_path / "model")
    (folder / "words.txt").write_text("dog: pooch\n")
    (folder / "eidophone.json").write_text(json.dumps({}))
    registry = Registry()
    for _ in range(2):
        assert loader(registry).model(str(folder), "image").text.synonyms.near == {"pooch": "dog"}
    assert registry.loads["text_encoder", f"{folder}.image"] == 1
