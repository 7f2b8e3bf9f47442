"""Who may ask: hosts, origins, tokens."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from eidophone.core.errors import BadInput
from eidophone.studio.app import create_app
from eidophone.studio.serve import address_of
from eidophone.studio.settings import Limits, StudioSettings
from eidophone.verbs import VERBS
from eidophone.verbs.forms import form_of
from tests.studio.conftest import HOST

QUIET = Limits(warm_up=False, own_process=False)


def asked(tmp_path: Path, base_url: str = HOST, token: str = "", **more: object) -> TestClient:
    settings = StudioSettings(tmp_path / "out", token=token, limits=QUIET)
    return TestClient(create_app(settings), base_url=base_url, follow_redirects=False, **more)


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "[::1]:8765"])
def test_this_computer_may(tmp_path: Path, host: str) -> None:
    assert asked(tmp_path, f"http://{host}").get("/api/jobs").status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8765", "localhost.evil"]
)
def test_a_rebound_name_may_not(tmp_path: Path, host: str) -> None:
    answer = asked(tmp_path, f"http://{host}").get("/api/jobs")
    assert answer.status_code == 403
    assert "host name" in answer.json()["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_other_sites_may_not(tmp_path: Path, headers: dict[str, str]) -> None:
    client = asked(tmp_path)
    assert client.post("/api/jobs", json={}, headers=headers).status_code == 403
    assert client.get("/api/results", headers=headers).status_code == 403
    assert (
        client.get("/api/jobs", headers={"origin": HOST, "sec-fetch-site": "same-origin"}).status_code == 200
    )


def test_a_link_from_elsewhere_may_open_the_page(tmp_path: Path) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert asked(tmp_path).get("/", headers=headers).status_code == 200
    assert asked(tmp_path).get("/api/jobs", headers=headers).status_code == 403


def test_a_token_is_needed_where_there_is_one(tmp_path: Path) -> None:
    client = asked(tmp_path, "http://studio.example", token="open-sesame")
    assert client.get("/").status_code == 401
    assert client.get("/?token=wrong").status_code == 401
    assert client.get("/api/jobs", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert (
        client.get("/api/jobs", headers={"cookie": "eidophone-token=\xff;;=".encode("latin-1")}).status_code
        == 401
    )
    assert client.get("/api/jobs", headers={"authorization": "Bearer open-sesame"}).status_code == 200
    signed_in = client.get("/?token=open-sesame")
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=Strict"} <= set(signed_in.headers["set-cookie"].split("; "))
    assert client.get("/api/jobs").status_code == 200  # by the cookie


def test_hosts_that_others_reach_get_a_token(tmp_path: Path) -> None:
    assert StudioSettings.make(tmp_path).token == ""
    first, second = (StudioSettings.make(tmp_path, "0.0.0.0").token for _ in range(2))
    assert len(first) >= 32
    assert first != second
    assert address_of(StudioSettings.make(tmp_path, "::1"), 80) == "http://[::1]:80/"
    with pytest.raises(BadInput, match="--port"):
        StudioSettings.make(tmp_path, port=70_000)
    with pytest.raises(BadInput, match="--token"):
        StudioSettings.make(tmp_path, token="two words")


def test_every_answer_is_guarded(tmp_path: Path) -> None:
    for path in ("/", "/js/main.js", "/api/jobs", "/nothing"):
        headers = asked(tmp_path).get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_is_small_and_asks_no_other_host() -> None:
    page = Path(__file__).parents[2] / "src" / "eidophone" / "studio" / "page"
    files = [path for path in page.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 200_000
    for path in files:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, path
        assert "https://" not in text, path
    html = (page / "index.html").read_text(encoding="utf-8")
    assert "<script>" not in html
    assert "style=" not in html
    assert " on" not in html.replace(" one", "")


def test_the_browser_is_told_of_every_module_at_once() -> None:
    page = Path(__file__).parents[2] / "src" / "eidophone" / "studio" / "page"
    named = set(re.findall(r'href="js/(\w+)\.js"', (page / "index.html").read_text(encoding="utf-8")))
    assert named == {path.stem for path in (page / "js").glob("*.js")} - {"main"}


def test_every_group_of_options_has_a_title() -> None:
    page = Path(__file__).parents[2] / "src" / "eidophone" / "studio" / "page"
    texts = (page / "js" / "texts.js").read_text(encoding="utf-8")
    titles = set(re.findall(r'(\w+): "', texts[texts.index("groups: {") :].split("}", 1)[0]))
    assert {group["name"] for verb in VERBS.names() for group in form_of(VERBS[verb])["groups"]} <= titles


def test_json_is_limited(tmp_path: Path) -> None:
    answer = asked(tmp_path).post("/api/jobs", content=b"[" * (QUIET.json_bytes + 1))
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nothing", 404), ("GET", "/api/results/..%2f..%2fx", 404), ("TRACE", "/api/openapi.json", 405),
        ("POST", "/api/nothing", 405), ("DELETE", "/api/jobs", 405),
    ],
)  # fmt: skip
def test_the_router_refuses_with_a_sentence_too(tmp_path: Path, method: str, path: str, status: int) -> None:
    answer = asked(tmp_path).request(method, path)
    assert answer.status_code == status
    assert answer.json()["message"].endswith(".")


def test_a_body_that_cannot_be_read_is_refused_with_a_sentence(tmp_path: Path) -> None:
    headers = {"content-type": "application/json"}
    for body in (b"\xff{", b"{", b"[" * 100_000, b""):
        answer = asked(tmp_path).post("/api/jobs", content=body, headers=headers)
        assert answer.status_code in (400, 413, 422)
        assert answer.json()["message"].endswith(".")
