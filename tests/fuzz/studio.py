"""Requests to the Studio as no page would send them, and what every answer must hold."""

import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.case import Request
from tests.fuzz.damage import damaged_bytes, damaged_json
from tests.fuzz.materials import Materials

HOST = "http://127.0.0.1:8765"
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_IDS = (
    "x",
    "..",
    "%2e%2e",
    "..%2f..%2fbait",
    "%00",
    "0" * 300,
    "first-run",
    "%1b[31m",
    "ü",
    "-1",
    "a/b",
    "%ff",
    ".studio",
)
_FILES = (
    "picture.png",
    "record.json",
    "sound.wav",
    "../record.json",
    "..%2f..%2fx",
    "arrays.npz",
    ".part-x",
    "%00",
    "x" * 300,
)
_VERBS = ("compose", "hear", "see", "imprint", "paint", "colorize", "distill", "x", "", "../x", "\x1b[31m")
_VALUES = (
    "x", "", "-1", "5", "nan", "1e400", "9" * 4500, "%00", "%1b[31m", "a" * 3000, "true", "[]", "ü", "{}", "0x1", "1_0",
)  # fmt: skip
_HEADERS: tuple[dict[str, str | bytes], ...] = (
    {}, {}, {}, {}, {"origin": "null"}, {"origin": "http://evil.example"}, {"host": "evil.example"}, {"host": ""},
    {"host": "[::1"}, {"host": "127.0.0.1:99999999"}, {"content-type": "text/plain"}, {"content-type": "x" * 9000},
    {"cookie": b"eidophone-token=\xff;;="}, {"last-event-id": "9" * 400}, {"range": "bytes=9-1"}, {"range": "bytes=-"},
    {"sec-fetch-site": "cross-site"}, {"authorization": "Bearer \xff".encode("latin-1")}, {"transfer-encoding": "x"},
    {"content-length": "-1"}, {"content-length": "99999999999"}, {"range": "bytes=" + "0-1," * 500 + "0-1"},
    {"if-none-match": "\\"}, {"if-modified-since": "yesterday"}, {"accept-encoding": "x" * 5000},
)  # fmt: skip


def odd_requests(dice: random.Random, good: Materials) -> tuple[Request, ...]:
    """One to three requests."""
    return tuple(_request(dice, good) for _ in range(dice.choice((1, 1, 2, 3))))


def _request(dice: random.Random, good: Materials) -> Request:
    headers = dict(dice.choice(_HEADERS))
    return dice.choice((_job, _job, _job, _upload, _upload, _recipe, _result, _result, _listing, _form))(
        dice, good, headers
    )


def _job(dice: random.Random, good: Materials, headers: dict) -> Request:
    body = {
        "verb": dice.choice(_VERBS[:7]),
        "options": {
            "image_prompt": "frog", "audio_prompt": "rain", "steps": 2, "count": 1, "image_model": "tiny", "seed": 1,
            "picture": {"input": "x"}, "sound": {"result": dice.choice(_IDS)}, "judges": "none",
        },
    }  # fmt: skip
    for name in dice.sample(list(body["options"]), dice.randrange(9)):
        del body["options"][name]
    text = damaged_json(dice, body).encode("utf-8", "surrogatepass")
    content = damaged_bytes(dice, text) if dice.random() < 0.2 else text
    return Request("POST", "/api/jobs", {"content-type": "application/json", **headers}, content)


def _upload(dice: random.Random, good: Materials, headers: dict) -> Request:
    whole = dice.choice((*good.pictures, *good.sounds)).read_bytes()
    return Request("POST", "/api/inputs", headers, damaged_bytes(dice, whole))


def _recipe(dice: random.Random, good: Materials, headers: dict) -> Request:
    folder = dice.choice(list(good.results.values()))
    whole = (folder / dice.choice(("picture.png", "sound.wav"))).read_bytes()
    return Request("POST", "/api/recipe", headers, damaged_bytes(dice, whole))


def _result(dice: random.Random, good: Materials, headers: dict) -> Request:
    place = f"/api/results/{dice.choice((*_IDS, *_known(good)))}"
    way = dice.random()
    if way < 0.2:
        body = damaged_json(dice, {"stars": 3}).encode("utf-8", "surrogatepass")
        return Request("PUT", f"{place}/stars", {"content-type": "application/json", **headers}, body)
    if way < 0.6:
        name = dice.choice((*_FILES, "thumbnail.jpg", "sound.flac", "result.zip"))
        return Request(
            dice.choice(("GET", "GET", "GET", "HEAD", "DELETE", "PUT")), f"{place}/{name}", headers
        )
    return Request("GET", place, headers)


def _known(good: Materials) -> list[str]:
    return [f"{folder.parent.name}.{folder.name}" for folder in good.results.values()]


def _listing(dice: random.Random, _: Materials, headers: dict) -> Request:
    names = ("q", "sort", "stars", "offset", "limit", "token", "x")
    query = "&".join(f"{dice.choice(names)}={dice.choice(_VALUES)}" for _ in range(dice.choice((1, 2, 5))))
    return Request("GET", f"/api/results?{query}", headers)


def _form(dice: random.Random, _: Materials, headers: dict) -> Request:
    verb, junk = dice.choice(_VERBS).replace("\x1b", "%1b"), dice.choice(_IDS)
    places = (
        f"/api/options/{verb}",
        f"/{junk}",
        f"/api/{junk}",
        f"/api/jobs/{junk}",
        f"/api/jobs/{junk}/events",
        "//",
        "/api/openapi.json",
    )
    return Request(
        dice.choice(("GET", "GET", "POST", "DELETE", "PATCH", "TRACE")), dice.choice(places), headers
    )


class StudioUnderTest:
    """A Studio over the good results whose jobs wait for ever."""

    def __init__(self, root: Path, good: Materials) -> None:
        from starlette.testclient import TestClient

        from eidophone.studio.app import create_app
        from eidophone.studio.settings import Limits, StudioSettings

        self.root = root
        for verb, folder in good.results.items():
            shutil.copytree(folder, root / verb / folder.name)
        limits = Limits(waiting=1000, upload_bytes=3_000_000, warm_up=False)
        app = create_app(StudioSettings(root, limits=limits))
        app.state.studio.library.scan()
        self._worker = app.state.studio.worker
        self._client = TestClient(app, base_url=HOST, follow_redirects=False)

    def ask(self, requests: tuple[Request, ...]) -> Iterator[str]:
        """Sends requests; yields what is wrong with the answers."""
        for request in requests:
            try:
                answer = self._client.request(
                    request.method, request.path, headers=request.headers, content=request.content
                )
            except (UnicodeError, ValueError) as error:
                if "httpx" in type(error).__module__ or isinstance(error, UnicodeEncodeError):
                    continue  # the client itself refuses to send it
                raise
            yield from self._wrong(request, answer)
        for job in list(self._worker):
            self._worker.cancel(job)

    def _wrong(self, request: Request, answer) -> Iterator[str]:
        where = f"{request.method} {request.path[:80]!r}"
        if answer.status_code >= 500 and answer.status_code != 503:
            yield f"{where}: status {answer.status_code}"
        if "content-security-policy" not in answer.headers:
            yield f"{where}: an answer without the headers that every one needs"
        if str(self.root).encode() in answer.content:
            yield f"{where}: the answer names a folder of this machine"
        if answer.status_code >= 400 and request.method != "HEAD":
            plain = answer.headers["content-type"].startswith("text/plain")  # about ranges, by the server
            message = answer.text if plain else json.loads(answer.content or b"{}").get("message")
            if not message or _CONTROL.search(message):
                yield f"{where}: {answer.status_code} without a sentence: {answer.content[:200]!r}"
