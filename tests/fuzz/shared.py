"""What people pass on besides results: downloads of the Studio, questionnaires, batches with failures."""

import json
import shutil
import sys
from pathlib import Path

from starlette.testclient import TestClient

from eidophone.cli import main as eidophone
from eidophone.studio.app import create_app
from eidophone.studio.settings import Limits, StudioSettings

DOWNLOADS = (
    "result.zip", "thumbnail.jpg", "sound.flac", "picture.png", "sound.wav", "video.mp4", "record.json",
)  # fmt: skip


def downloads(results: Path, out: Path) -> None:
    """Every file that the Studio offers of the first result in a folder."""
    out.mkdir(parents=True)
    settings = StudioSettings(results, limits=Limits(warm_up=False, own_process=False))
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8765") as client:
        for entry in client.get("/api/results").json()["results"]:
            for name in DOWNLOADS:
                answer = client.get(f"/api/results/{entry['id']}/{name}")
                assert answer.status_code == 200, (name, answer.text)
                (out / f"{entry['index']}-{name}").write_bytes(answer.content)
    assert len(list(out.iterdir())) >= len(DOWNLOADS)


def questionnaire(results: Path, out: Path) -> None:
    """A test of the results against themselves; its page goes to everybody, its key to nobody."""
    other = out.parent / "other"
    shutil.copytree(results, other)
    command = ["evaluate", "--questionnaire", str(results), str(other), "--out", str(out)]
    assert eidophone(command) == 0
    shutil.rmtree(other)


def failures(image: Path, audio: Path, out: Path) -> None:
    """A batch of two rows, of which one fails with a message that names a folder."""
    damaged = out.parents[2] / "damaged"
    shutil.copytree(audio, damaged)
    for path in damaged.rglob("*.safetensors"):
        path.write_bytes(b"x")
    row = {
        "image_prompt": "frog", "audio_prompt": "rain", "steps": 2, "preset": "draft", "offline": True,
        "image_model": str(image), "audio_model": str(audio), "device": "cpu", "dtype": "float32",
    }  # fmt: skip
    jobs = out.parents[2] / "failing.jsonl"
    jobs.write_text(json.dumps(row) + "\n" + json.dumps(row | {"audio_model": str(damaged)}) + "\n")
    assert eidophone(["batch", str(jobs), "--out", str(out)]) == 1
    (failure,) = json.loads((out / "failures.json").read_text())
    assert "damaged" in failure["error"] or "safetensors" in failure["error"], failure
    assert (
        eidophone(["evaluate", str(out / "manifest.parquet"), "--judges", "signal", "--out", str(out / "e")])
        == 0
    )


def main() -> None:
    """RESULTS IMAGE-MODEL AUDIO-MODEL OUT: makes all of it below OUT."""
    results, image, audio, out = map(Path, sys.argv[1:])
    downloads(results, out / "downloads")
    questionnaire(results, out / "questionnaire")
    failures(image, audio, out / "failing")


if __name__ == "__main__":
    main()
