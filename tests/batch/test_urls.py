"""Evaluations of batches behind URLs, and of manifests that come from strangers."""

import csv
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from eidophone.batch.manifest import COLUMNS, write_manifest
from eidophone.batch.places import place_of, root_of
from eidophone.batch.remote import RemotePlace
from eidophone.cli import main
from eidophone.evaluation.found import found_below
from eidophone.evaluation.journal import Row
from eidophone.evaluation.selection import select
from tests.batch.test_strangers import run_of, sample

__all__ = ["sample"]
MORE = ["--judges", "signal", "--device", "cpu", "--threads", "1"]


@pytest.fixture
def url() -> Iterator[str]:
    """A place that lives in the memory of this process."""
    yield "memory://shelf/runs"
    files = fsspec.filesystem("memory")
    if files.exists("/shelf"):
        files.rm("/shelf", recursive=True)


def put(sample: Path, root: str, count: int = 3) -> RemotePlace:
    place = place_of(root)
    assert isinstance(place, RemotePlace)
    record = json.loads((sample / "record.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        for index in range(count):
            copy = run_of(sample, Path(folder, f"{index}")).rename(Path(folder, f"{index:04d}"))
            changed = record | {"index": index, "recipe": record["recipe"] | {"index": index}}
            (copy / "record.json").write_text(json.dumps(changed))
            place.put_sample("0123456789abcdef", copy)
    write_manifest(place)
    return place


def numbers(out: Path) -> list[dict[str, Any]]:
    rows = list(csv.DictReader((out / "samples.csv").open()))
    return [{name: value for name, value in row.items() if name != "folder"} for row in rows]


def test_a_batch_behind_a_url_is_judged_as_the_same_batch_on_disk(
    sample: Path, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(sample, url)
    local = tmp_path / "copy" / "runs"
    fsspec.filesystem("memory").get("/shelf/runs", str(local), recursive=True)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    outs = {}
    for name, named in {
        "disk": str(local / "manifest.parquet"), "manifest": f"{url}/manifest.parquet", "root": f"{url}/",
        "file": f"file://{local}/manifest.parquet",
    }.items():  # fmt: skip
        outs[name] = tmp_path / f"out-{name}"
        more = ["--consistency"] if name in ("disk", "manifest") else []
        assert main(["evaluate", named, *MORE, *more, "--out", str(outs[name])]) == 0
        assert not list(temporary.iterdir()), "a copy was left behind"
    assert len(numbers(outs["disk"])) == 3
    for out in outs.values():
        assert numbers(out) == numbers(outs["disk"])
    names = [row["folder"] for row in csv.DictReader((outs["manifest"] / "samples.csv").open())]
    assert names == [f"runs/0123456789abcdef/{index:04d}" for index in range(3)]


def test_selected_samples_are_copied_whole(sample: Path, url: str, tmp_path: Path) -> None:
    put(sample, url, 2)
    samples = found_below([f"{url}/manifest.parquet"], tmp_path)
    rows = [Row(name, numbers={"j.looks": 0.5, "j.sounds": 0.5}, method="hear") for name in samples]
    for one in select(rows, 1.0, samples, tmp_path):
        copied = {path.name: path.read_bytes() for path in (tmp_path / one.copy).iterdir()}
        assert copied.keys() == {path.name for path in sample.iterdir()}
        assert copied["video.mp4"] == (sample / "video.mp4").read_bytes()
    assert len(list(tmp_path.glob("selected/*/*"))) == 2


def test_one_sample_at_a_time_is_on_the_disk(
    sample: Path, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(sample, url, 5)
    temporary, most = tmp_path / "tmp", []
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    fetch = RemotePlace._fetch

    def _watched(self: RemotePlace, *arguments: Any) -> None:
        fetch(self, *arguments)
        most.append(len(list(temporary.rglob("record.json"))))

    monkeypatch.setattr(RemotePlace, "_fetch", _watched)
    assert main(["evaluate", f"{url}/manifest.parquet", *MORE, "--out", str(tmp_path / "out")]) == 0
    assert max(most) == 1 and len(most) >= 5


def test_a_sample_that_changed_or_went_is_named(sample: Path, url: str, tmp_path: Path, capsys) -> None:
    put(sample, url, 3)
    files = fsspec.filesystem("memory")
    base = "/shelf/runs/0123456789abcdef"
    files.rm_file(f"{base}/0000/sound.wav")
    files.pipe_file(f"{base}/0001/record.json", files.cat_file(f"{base}/0001/record.json") + b" ")
    command = ["evaluate", f"{url}/manifest.parquet", *MORE, "--out", str(tmp_path / "out")]
    assert main(command) == 1
    said = capsys.readouterr().err
    assert "runs/0123456789abcdef/0000: cannot be fetched (it is not there)" in said
    assert "runs/0123456789abcdef/0001: its record is not the one that was listed" in said
    assert (
        "2 samples could not be read" in said
        and "Traceback" not in said
        and tempfile.gettempdir() not in said
    )
    assert main(["batch", "--rebuild", "--out", url]) == 0
    files.pipe_file(f"{base}/0000/sound.wav", (sample / "sound.wav").read_bytes())
    assert main(command) == 0, "what could not be read is judged by the next run"


@pytest.mark.parametrize("named", ["memory://nowhere/manifest.parquet", "memory://nowhere", "nothing://x/y"])
def test_an_address_that_holds_nothing(named: str, tmp_path: Path, capsys) -> None:
    assert main(["evaluate", named, *MORE, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("eidophone: ") and "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_a_url_names_two_sides_of_a_questionnaire(sample: Path, url: str, tmp_path: Path, capsys) -> None:
    for side in ("first", "second"):
        put(sample, f"{url}/{side}", 2)
    command = ["evaluate", "--questionnaire", f"{url}/first", f"{url}/second/manifest.parquet"]
    assert (
        main([*command, "--pairs", "2", "--repeats", "0", "--catches", "0", "--out", str(tmp_path / "out")])
        == 0
    )
    key = json.loads((tmp_path / "out" / "key.json").read_text())
    assert key["methods"] == ["first", "second"]


# --- manifests of strangers --------------------------------------------------------------------------


def manifest_of_a_stranger(root: Path, **changed: Any) -> Path:
    """One with a single line."""
    root.mkdir(parents=True, exist_ok=True)
    row = dict.fromkeys(COLUMNS, "") | {"key": "key", "index": 0, "record_sha256": "0" * 64} | changed
    with (root / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    return root / "manifest.csv"


@pytest.mark.parametrize(
    "changed",
    [
        *({"key": key} for key in ("../private", "..", "a/b", "a\\b", "C:", "", "k*", "s3://b", "ä", "x" * 101)),
        {"index": -1}, {"index": 10**30}, {"index": "x"}, {"record_sha256": "../x"},
    ],
)  # fmt: skip
def test_a_manifest_that_leads_out_of_its_folder_is_refused(
    changed: dict[str, Any], sample: Path, tmp_path: Path, capsys
) -> None:
    run_of(sample, tmp_path / "private")
    path = manifest_of_a_stranger(tmp_path / "theirs", **changed)
    assert main(["evaluate", str(path), *MORE, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert f"{path}: is not the manifest of a batch" in said and "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_the_column_folder_is_not_followed(sample: Path, tmp_path: Path) -> None:
    private = run_of(sample, tmp_path / "private")
    path = manifest_of_a_stranger(tmp_path / "theirs", folder=str(private))
    (one,) = found_below([path], tmp_path / "out").values()
    assert one.checksum == ""
    assert main(["evaluate", str(path), *MORE, "--out", str(tmp_path / "out")]) == 1
    assert numbers(tmp_path / "out") == [] or not numbers(tmp_path / "out")[0].get("method")


@pytest.mark.parametrize("link", ["key", "key/0000"])
def test_links_in_a_batch_are_not_followed(link: str, sample: Path, tmp_path: Path, capsys) -> None:
    private = run_of(sample, tmp_path / "private")
    theirs = tmp_path / "theirs"
    path = manifest_of_a_stranger(theirs)
    (theirs / link).parent.mkdir(exist_ok=True)
    (theirs / link).symlink_to(private.parent if link == "key" else private)
    assert main(["evaluate", str(path), *MORE, "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "is a link" in said and "1 sample could not be read" in said


def test_file_urls_are_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a b").mkdir()
    assert root_of(f"file://{tmp_path}/a%20b") == str(tmp_path / "a b")
    assert root_of("s3://bucket/runs") == "s3://bucket/runs"
    monkeypatch.chdir(tmp_path)
    assert root_of("runs") == str(tmp_path / "runs")
