"""What further prompts show and play is in the library, and nothing else becomes reachable by it."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from eidophone.core.values import Result
from eidophone.session import Session
from tests.studio.conftest import QUICK


@pytest.fixture(scope="module")
def turned(out: Path) -> Result:
    """A result with further views; it is there before the server looks."""
    more = {"also_image": ["flip: a ship"], "also_audio": ["mirror: a dog barking"]}
    with Session(threads=1) as session:
        (made,) = session.compose(**QUICK, **more, seed=9, out=out / "turned")
    (made.folder / "view-notes.txt").write_text("not a view")
    return made


def test_further_views_are_listed_and_served(turned: Result, client: TestClient) -> None:
    (entry,) = client.get("/api/results", params={"q": "ship"}).json()["results"]
    assert entry["further"] == ["sound-1.wav", "spectrogram-1.png", "view-1.png"]
    assert entry["captions"][-2:] == ["flip: a ship", "mirror: a dog barking"]
    for name in entry["further"]:
        answer = client.get(f"/api/results/{entry['id']}/{name}")
        assert answer.status_code == 200 and answer.content == (turned.folder / name).read_bytes()
        assert answer.headers["content-type"] == ("audio/wav" if name.endswith("wav") else "image/png")
    for name in ("view-2.png", "view-notes.txt", "sound-1.mp3", "view-1.png.txt"):
        assert client.get(f"/api/results/{entry['id']}/{name}").status_code == 404
