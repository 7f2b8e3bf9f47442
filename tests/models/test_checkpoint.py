"""The files of single networks: embedders, captioners and taggers by card, folder, file and hub."""

import json
from pathlib import Path

import pytest

from eidophone.cli import main
from eidophone.core.errors import BadInput, UnknownModel, WeightsAbsent
from eidophone.models.cards import ROLES, cards
from eidophone.models.checkpoint import find_network


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A folder in the hub's cache layout of CLIP ViT-B/16, with a second copy of the weights."""
    repo = tmp_path / "hub" / "models--openai--clip-vit-base-patch16"
    folder = repo / "snapshots" / "abc123"
    folder.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("abc123")
    (folder / "config.json").write_text(json.dumps({"model_type": "clip"}))
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "pytorch_model.bin").write_bytes(b"again")
    return folder


def test_a_card_is_found_in_the_hubs_cache(network: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    found = find_network("clip-b16", "embedder", offline=True)
    assert (found.kind, found.path, found.revision) == ("clip", network, "abc123")
    assert [name for name, _ in found.files()] == ["config.json", "model.safetensors"]
    before = found.weights
    (network / "model.safetensors").write_bytes(b"changed")
    assert find_network("clip-b16", "embedder", offline=True).weights != before
    (network / "model.safetensors").unlink()
    (network / "pytorch_model.bin").unlink()
    with pytest.raises(WeightsAbsent, match=r"only a part was downloaded.*models pull clip-b16"):
        find_network("clip-b16", "embedder", offline=True)


def test_a_folder_tells_its_kind(network: Path, tmp_path: Path) -> None:
    found = find_network(str(network), "embedder")
    assert (found.kind, found.revision, found.licence) == ("clip", "local", "")
    (network / "config.json").write_text("[]")
    with pytest.raises(BadInput, match=r"config\.json names no model_type"):
        find_network(str(network), "embedder")
    with pytest.raises(BadInput, match="no such model folder"):
        find_network(str(tmp_path / "gone"), "captioner")


def test_a_file_that_no_hub_has_says_where_it_is_published(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    said = r"fetch AudioCLIP-Full-Training\.pt from https://github\.com/\S+ and put it under that name into"
    with pytest.raises(WeightsAbsent, match=said):
        find_network("audioclip", "embedder")
    kept = tmp_path / "cache" / "eidophone" / "AudioCLIP-Full-Training.pt"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"weights")
    assert find_network("audioclip", "embedder").path == kept
    assert find_network(str(kept), "embedder").kind == "audioclip"
    with pytest.raises(BadInput, match="the tagger must be a folder"):
        find_network(str(kept), "tagger")


def test_a_name_in_another_role_is_refused() -> None:
    with pytest.raises(UnknownModel, match=r"cannot take the embedder role.*clip-b16"):
        find_network("sd15", "embedder")


def test_every_card_says_where_its_weights_come_from() -> None:
    for card in cards().values():
        assert card.role in ROLES and card.about and card.licence
        assert sum(map(bool, (card.package, card.file, card.hub))) == 1
        assert card.more.startswith("https://") or card.package


def test_list_and_check_know_the_roles(network: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert main(["models", "list", "--json"]) == 0
    rows = {(row["name"], row["role"]): row for row in json.loads(capsys.readouterr().out)}
    assert rows["clip-b16", "embedder"]["here"] and not rows["clip-b32", "embedder"]["here"]
    assert not rows["audioclip", "embedder"]["here"]
    assert "AudioCLIP-Full-Training.pt" in rows["audioclip", "embedder"]["source"]
    assert main(["models", "check", "act"]) == 2
    assert "ACTm.pth" in capsys.readouterr().out


@pytest.mark.parametrize("role", ["captioner", "tagger"])
def test_what_ships_works(role: str, capsys) -> None:
    from eidophone.cli.models import _check_group

    assert _check_group([("tiny", role)]) == 0
    said = capsys.readouterr().out
    assert f"tiny ({role}): works" in said and ("16000 Hz" in said or "521 classes" in said)
