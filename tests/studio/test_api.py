"""The HTTP API: jobs with events, results, inputs, recipes."""

import base64
import io
import json
import random
import shlex
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from eidophone.cli.flags import given_settings
from eidophone.cli.program import build_parser
from eidophone.studio.app import create_app
from eidophone.studio.settings import StudioSettings
from eidophone.verbs import VERBS, verb_of
from eidophone.verbs.forms import LEFT_OUT
from tests.studio.conftest import HOST, LIMITS, QUICK, events


def start(client: TestClient, **options: object) -> dict:
    answer = client.post("/api/jobs", json={"verb": "compose", "options": {**QUICK, **options}})
    assert answer.status_code == 201, answer.text
    return answer.json()


def first_result(client: TestClient) -> str:
    """The first sample of the run that was there before the server."""
    return client.get("/api/results", params={"q": "castle"}).json()["results"][-1]["id"]


def test_a_job_reports_and_its_result_is_in_the_library(client: TestClient, out: Path) -> None:
    job = start(client, judges="tiny", image_prompt="an owl")
    heard = events(client, job["id"])
    kinds = [message["type"] for message in heard]
    assert kinds[0] == "started"
    assert kinds[-1] == "finished"
    assert {"step", "sample"} <= set(kinds)
    sample = next(message["result"] for message in heard if message["type"] == "sample")
    assert sample["image_prompt"] == "an owl"
    assert sample["score"] == min(sample["looks"], sample["sounds"])
    found = client.get("/api/results", params={"q": "OWL bell"}).json()
    assert [entry["id"] for entry in found["results"]] == [sample["id"]]
    assert client.get(f"/api/jobs/{job['id']}").json()["state"] == "finished"
    # a page that comes late hears the same ending, without previews of what is finished
    assert events(client, job["id"])[-1] == heard[-1]
    assert "preview" not in {message["type"] for message in events(client, job["id"])}


def test_previews_are_pictures(client: TestClient) -> None:
    job = start(client, steps=60)
    deadline = time.monotonic() + 120
    previews: list[dict] = []
    while not previews and time.monotonic() < deadline:
        messages = [message for _, message in client.app.state.studio.worker[job["id"]].since(0)]
        previews = [message for message in messages if message["type"] == "preview"]
    kind, _, content = previews[0]["picture"].partition(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        assert image.size == (448, 128)
    assert events(client, job["id"])[-1]["type"] == "finished"


def test_cancel(client: TestClient) -> None:
    running, waiting = start(client, steps=500), start(client)
    deadline = time.monotonic() + 120
    while client.get(f"/api/jobs/{running['id']}").json()["step"] is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert client.delete(f"/api/jobs/{waiting['id']}").json()["state"] == "cancelled"
    client.delete(f"/api/jobs/{running['id']}")
    assert events(client, running["id"])[-1]["type"] == "cancelled"
    assert events(client, waiting["id"]) == [{"type": "cancelled"}]


def test_a_full_queue_says_so(client: TestClient) -> None:
    jobs = [start(client, steps=500)]
    while client.get(f"/api/jobs/{jobs[0]['id']}").json()["state"] == "waiting":
        time.sleep(0.02)
    jobs += [start(client) for _ in range(LIMITS.waiting)]
    answer = client.post("/api/jobs", json={"verb": "compose", "options": QUICK})
    assert answer.status_code == 503
    assert answer.json()["message"].startswith("The queue is full: 3 jobs wait.")
    for job in jobs:
        client.delete(f"/api/jobs/{job['id']}")
    assert events(client, jobs[0]["id"])[-1]["type"] == "cancelled"


@pytest.mark.parametrize(
    ("verb", "options", "says"),
    [
        ("compose", {"image_prompt": "a", "audio_prompt": "b", "steps": 0}, "--steps"),
        ("compose", {"image_prompt": "a", "audio_prompt": "b", "stepps": 3}, "did you mean 'steps'"),
        ("compose", {"image_prompt": "a"}, "needs the audio prompt"),
        ("compose", {"image_prompt": "a", "audio_prompt": "b", "count": 257}, "at most 256"),
        ("compose", {"image_prompt": "a", "audio_prompt": "b", "image_model": "/etc"}, "name of a card"),
        ("compose", {"image_prompt": "a", "audio_prompt": "b", "judges": "tiny,/etc/passwd"}, "--judges"),
        ("compose", {"image_prompt": "a", "audio_prompt": "b", "resume": True}, "--resume"),
        ("compose", {"image_prompt": "a" * 2001, "audio_prompt": "b"}, "at most 2,000"),
        ("imprint", {"picture": "/etc/passwd", "audio_prompt": "b"}, '{"input": ID}'),
        ("imprint", {"picture": {"input": "../../etc/passwd"}, "audio_prompt": "b"}, "no longer here"),
        ("paint", {"sound": {"path": "/etc/passwd"}}, '{"input": ID}'),
        ("colorize", {"picture": {"result": "x"}, "image_prompt": "a"}, "no such result"),
        ("sing", {}, "sing"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(
    client: TestClient, verb: str, options: dict, says: str
) -> None:
    answer = client.post("/api/jobs", json={"verb": verb, "options": options})
    assert answer.status_code == 400
    assert says in answer.json()["message"]


def test_files_of_a_result(client: TestClient, out: Path) -> None:
    result = first_result(client)
    folder = next(out.glob("first-run/*/record.json")).parent
    for name in ("picture.png", "spectrogram.png", "sound.wav", "video.mp4", "record.json"):
        answer = client.get(f"/api/results/{result}/{name}")
        assert answer.status_code == 200
        assert len(answer.content) > 100
    part = client.get(f"/api/results/{result}/sound.wav", headers={"range": "bytes=4-11"})
    assert (part.status_code, len(part.content)) == (206, 8)  # so that a browser can seek
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"/api/results/{result}/result.zip").content))
    assert {"picture.png", "sound.wav"} <= set(archive.namelist())
    assert client.get(f"/api/results/{result}/sound.flac").content[:4] == b"fLaC"
    assert client.get(f"/api/results/{result}/thumbnail.jpg").content[:2] == b"\xff\xd8"
    for name in ("arrays.npz", "..%2f..%2fsecret", "%2e%2e/secret", ".studio"):
        assert client.get(f"/api/results/{result}/{name}").status_code == 404
    (folder / "spectrogram.png").rename(folder / "kept")
    try:
        (folder / "spectrogram.png").symlink_to("/etc/passwd")
        answers = [
            client.get(f"/api/results/{entry['id']}/spectrogram.png")
            for entry in client.get("/api/results").json()["results"]
        ]
        assert 404 in {answer.status_code for answer in answers}
        assert not any(b"root:" in answer.content for answer in answers)
    finally:
        (folder / "spectrogram.png").unlink()
        (folder / "kept").rename(folder / "spectrogram.png")


def test_a_thumbnail_is_sent_once(client: TestClient) -> None:
    path = f"/api/results/{first_result(client)}/thumbnail.jpg"
    tag = client.get(path).headers["etag"]
    again = client.get(path, headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(path, headers={"if-none-match": '"other"'}).status_code == 200


def test_words_of_a_caption_are_weighed(client: TestClient) -> None:
    words = client.post("/api/words", json={"text": "a dog barking"}).json()["words"]
    assert [word["text"] for word in words] == ["a", "dog", "barking"]
    assert max(words, key=lambda word: word["weight"])["text"] == "dog"
    assert client.post("/api/words", json={"text": " "}).json()["words"] == []
    for sound in ({"path": "/etc/passwd"}, {"input": "../../etc/passwd"}, {}):
        assert client.post("/api/captions", json={"sound": sound}).status_code == 400


def test_stars_outlive_the_server(client: TestClient, out: Path) -> None:
    result = first_result(client)
    assert client.put(f"/api/results/{result}/stars", json={"stars": 4}).json()["stars"] == 4
    assert client.put(f"/api/results/{result}/stars", json={"stars": 6}).status_code == 422
    with TestClient(create_app(StudioSettings(out, limits=LIMITS)), base_url=HOST) as other:
        best = other.get("/api/results", params={"stars": 4}).json()
        assert [entry["id"] for entry in best["results"]] == [result]


def test_a_damaged_record_hides_one_result_only(client: TestClient, out: Path) -> None:
    before = client.get("/api/results").json()["total"]
    broken = out / "broken" / "0000"
    broken.mkdir(parents=True)
    (broken / "record.json").write_text("{")
    client.app.state.studio.library.scan()
    assert client.get("/api/results").json()["total"] == before


def test_settings_come_back_from_the_files(client: TestClient) -> None:
    result = first_result(client)
    details = client.get(f"/api/results/{result}").json()
    for name in ("picture.png", "sound.wav"):
        content = client.get(f"/api/results/{result}/{name}").content
        found = client.post("/api/recipe", content=content).json()
        assert found == details["settings"]
        assert found["options"]["steps"] == 2
    refused = client.post("/api/recipe", content=client.get(f"/api/results/{result}/video.mp4").content)
    assert refused.status_code == 400
    assert str(client.app.state.studio.settings.out) not in refused.text


def test_the_copied_command_makes_the_same(client: TestClient) -> None:
    result = first_result(client)
    details = client.get(f"/api/results/{result}").json()
    program, *words = shlex.split(details["command"])
    assert program == "eidophone"
    arguments = build_parser().parse_args(words)
    verb = verb_of(arguments.verb)
    prompts = dict(zip((argument.field for argument in verb.arguments), arguments.values, strict=True))
    options = verb.options.make(**prompts, **given_settings(arguments, verb.options)).plain()
    wanted = details["settings"]["options"]
    assert {name: options[name] for name in wanted} == wanted
    compile(details["python"], "copied", "exec")


def test_uploads_are_decoded_and_can_be_used(client: TestClient) -> None:
    result = first_result(client)
    picture = client.get(f"/api/results/{result}/picture.png").content
    sound = client.get(f"/api/results/{result}/sound.wav").content
    kept = client.post("/api/inputs", content=picture).json()
    assert (kept["kind"], kept["height"], kept["width"]) == ("picture", 128, 448)
    heard = client.post("/api/inputs", content=sound).json()
    assert heard["kind"] == "sound"
    options = {"picture": {"input": kept["id"]}, "sound": {"input": heard["id"]}}
    job = client.post("/api/jobs", json={"verb": "imprint", "options": options}).json()
    assert events(client, job["id"])[-1]["type"] == "finished"
    for junk in (
        b"",
        b"junk",
        b"\x89PNG\r\n\x1a\n junk",
        b"RIFF\xff\xff\xff\xffWAVE",
        b"<svg onload=alert(1)>",
    ):
        answer = client.post("/api/inputs", content=junk)
        assert answer.status_code == 400
        assert "message" in answer.json()
    assert client.post("/api/inputs", content=bytes(LIMITS.upload_bytes + 1)).status_code == 413
    blocks = (bytes(100_000) for _ in range(40))  # no length is declared
    assert client.post("/api/inputs", content=blocks).status_code == 413
    left = [path.name for path in (client.app.state.studio.settings.private / "inputs").iterdir()]
    assert not [name for name in left if name.startswith(".part")]


def test_a_result_is_coloured_and_a_sound_is_painted(client: TestClient) -> None:
    result = first_result(client)
    sound = client.post("/api/inputs", content=client.get(f"/api/results/{result}/sound.wav").content).json()[
        "id"
    ]
    colours = {"picture": {"result": result}, "image_prompt": "a red castle", "steps": 1, "upscale_steps": 1}
    painted = {"sound": {"input": sound}, "caption": "a bell", "preset": "draft", "steps": 2}
    for verb, options in (("colorize", colours), ("paint", painted)):
        job = client.post("/api/jobs", json={"verb": verb, "options": options}).json()
        heard = events(client, job["id"])
        assert heard[-1]["type"] == "finished", heard[-1]
        (sample,) = (message["result"] for message in heard if message["type"] == "sample")
        assert client.get(f"/api/results/{sample['id']}").json()["settings"]["left_out"]


def test_the_form_describes_every_option(client: TestClient) -> None:
    for verb in client.get("/api/verbs").json()["verbs"]:
        form = client.get(f"/api/options/{verb['name']}").json()
        described = {option["name"] for group in form["groups"] for option in group["options"]}
        described |= {argument["name"] for argument in form["arguments"]}
        assert described == VERBS[verb["name"]].options.model_fields.keys() - LEFT_OUT
        assert all(option["help"] for group in form["groups"] for option in group["options"])
    options = {
        o["name"]: o for g in client.get("/api/options/compose").json()["groups"] for o in g["options"]
    }
    assert options["steps"] | {"help": ""} == {
        "name": "steps", "flag": "--steps", "help": "", "kind": "integer", "accepts": None, "choices": None,
        "default": 12, "optional": False, "required": False, "common": True, "minimum": 1, "maximum": 1000,
    }  # fmt: skip
    assert options["sampler"]["choices"] == ["ddim", "plms", "dpm++2m", "unipc", "lcm"]
    assert (options["blend"]["kind"], options["blend"]["optional"]) == ("choice", True)
    assert options["image_model"]["kind"] == "model"
    assert (options["audio_weight"]["minimum"], options["audio_weight"]["maximum"]) == (0, 1)


def test_the_server_never_records(client: TestClient) -> None:
    answer = client.post("/api/jobs", json={"verb": "see", "options": {"record": 5}})
    assert (answer.status_code, answer.json()["message"][:8]) == (400, "--record")
    answer = client.post("/api/jobs", json={"verb": "see", "options": {}})
    assert answer.status_code == 400


def test_openapi(client: TestClient) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    assert {
        "/api/jobs",
        "/api/jobs/{job_id}/events",
        "/api/results",
        "/api/inputs",
        "/api/recipe",
    } <= paths.keys()


def test_a_thousand_bad_requests(client: TestClient, out: Path) -> None:
    random_ = random.Random(22)
    before = {path for path in out.parent.rglob("*") if ".studio" not in path.parts}
    values = [
        *(None, True, -1, 10**30, 1e308, "", "x" * 5000, "\ud800", "../..", "/etc/passwd", "NaN", "\u202e"),
        *([], [[]], {}, {"input": 3}, {"result": "../x"}, {"input": "\x00"}),
    ]
    fields = [*verb_of("compose").options.model_fields, *verb_of("imprint").options.model_fields, "", "x"]
    paths = [
        *("/api/jobs", "/api/inputs", "/api/recipe", "/api/results/%00/picture.png", "/api/results"),
        *("/api/%ff", "/..%2f..%2fetc", "/api/options/%0a", "/api/jobs/x/events", "/api/results/x/stars"),
    ]
    words = [b"\xff", "x" * 500, "%"]
    codes = set()
    for number in range(1000):
        if number % 2:
            options = {random_.choice(fields): random_.choice(values) for _ in range(random_.randint(0, 4))}
            verb = random_.choice(
                ["compose", "imprint", "colorize", "paint", "see", "hear", "distill", "\ud800", 5]
            )
            body = json.dumps({"verb": verb, "options": options}).encode()
            answer = client.post("/api/jobs", content=body, headers={"content-type": "application/json"})
            assert answer.status_code != 201, body
        else:
            method = random_.choice(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
            content = random_.randbytes(random_.randint(0, 200)) if method != "GET" else None
            params = {
                "q": random_.choice(words),
                "offset": random_.choice([-1, "x", 10**20]),
                "limit": random_.choice([0, 10**9, "x"]),
            }
            headers = {"last-event-id": random_.choice(["-1", "x", "9" * 400])}
            answer = client.request(
                method, random_.choice(paths), params=params, content=content, headers=headers
            )
        codes.add(answer.status_code)
        assert answer.status_code < 500, (number, answer.text)
    assert codes <= {200, 400, 404, 405, 413, 422}
    assert {path for path in out.parent.rglob("*") if ".studio" not in path.parts} == before
