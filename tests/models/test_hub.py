"""Weights from a hub: fetched once, found again without a network. The hub is a small one on this machine."""

import errno
import hashlib
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from eidophone.cli import main
from eidophone.core.errors import EidophoneError, UnknownModel, WeightsAbsent
from eidophone.models.source import find
from eidophone.models.weights import wanted_files

REPO = "stable-diffusion-v1-5/stable-diffusion-v1-5"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """The endpoints of a hub that its client asks for one repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.status = 200

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_HEAD(answer) -> None:
                self.answer(answer)

            def do_GET(answer) -> None:
                self.answer(answer)

            def log_message(answer, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def files(self) -> dict[str, Path]:
        found = (p for p in self.folder.rglob("*") if p.is_file())
        return {str(p.relative_to(self.folder)): p for p in sorted(found)}

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0].strip("/")
        self.asked.append(path)
        body, more = b"{}", {}
        status = self.status
        if status == 200 and path == f"api/models/{REPO}/revision/main":
            listed = [{"rfilename": name} for name in self.files()]
            body = json.dumps({"id": REPO, "sha": COMMIT, "siblings": listed}).encode()
        elif status == 200 and path == f"api/models/{REPO}/tree/{COMMIT}":
            tree = [
                {"type": "file", "path": name, "size": p.stat().st_size, "oid": self.tag(p)}
                for name, p in self.files().items()
            ]
            body = json.dumps(tree).encode()
        elif status == 200 and (file := self.files().get(path.partition(f"resolve/{COMMIT}/")[2])):
            body, more = file.read_bytes(), {"ETag": f'"{self.tag(file)}"', "X-Repo-Commit": COMMIT}
        elif status == 200:
            status, more = 404, {"X-Error-Code": "RepoNotFound"}
        request.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | more).items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(body)

    @staticmethod
    def tag(path: Path) -> str:
        return hashlib.sha1(path.read_bytes()).hexdigest()


@pytest.fixture
def hub(pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    folder = shutil.copytree(pair[0], tmp_path / "repository")
    for more in (
        "README.md",
        "unet/model.onnx",
        "unet/openvino_model.bin",
        "safety_checker/model.safetensors",
    ):
        (folder / more).parent.mkdir(exist_ok=True)
        (folder / more).write_text("not needed")
    found = Hub(folder)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", found.address)
    pattern = found.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", pattern)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    yield found
    found.stop()


def test_what_was_pulled_is_found_without_a_network(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "pull", "sd15"]) == 0
    assert COMMIT in capsys.readouterr().out
    assert not any("onnx" in path or "openvino" in path or "safety" in path for path in hub.asked)
    fetched = find("sd15", "image")
    assert fetched.revision == COMMIT
    hub.status = 503
    assert find("sd15", "image") == fetched
    hub.stop()
    assert find("sd15", "image") == fetched
    assert find("sd15", "image", offline=True) == fetched
    assert find("sd15", "image", offline=True).describe() == fetched.describe()
    assert main(["models", "check", "sd15"]) == 0
    assert "sd15 (image): works" in capsys.readouterr().out
    assert main(["models", "list", "--json"]) == 0
    here = {row["name"]: row["here"] for row in json.loads(capsys.readouterr().out)}
    assert here["sd15"] and not here["sd14"]


def test_a_hub_id_is_found_again_too(hub: Hub) -> None:
    fetched = find(REPO, "image")
    hub.stop()
    assert find(REPO, "image").path == find(REPO, "image", offline=True).path == fetched.path


@pytest.mark.parametrize("part", ["unet", "vae", "tokenizer"])
def test_a_download_that_was_broken_off_is_not_a_model(part: str, hub: Hub) -> None:
    shutil.rmtree(find("sd15", "image").path / part)
    with pytest.raises(WeightsAbsent, match=r"only a part was downloaded.*models pull sd15"):
        find("sd15", "image", offline=True)
    assert (find("sd15", "image").path / part).is_dir()


def test_what_never_was_here_says_why(hub: Hub) -> None:
    with pytest.raises(WeightsAbsent, match=r"no such repository.*pull sd14"):
        find("sd14", "image")
    hub.stop()
    with pytest.raises(WeightsAbsent, match=r"the hub cannot be reached.*pull sd15"):
        find("sd15", "image")


def test_a_full_disk_is_named(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, local_files_only: bool = False, **__: object) -> str:
        raise FileNotFoundError if local_files_only else OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("huggingface_hub.snapshot_download", full)
    with pytest.raises(WeightsAbsent, match="the disk is full"):
        find("sd15", "image")


@pytest.mark.parametrize("verb", ["check", "pull"])
def test_an_unknown_name_lists_all_that_are_known(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", verb, "no\nsuch"]) == 2
    said = capsys.readouterr()
    lines = (said.out + said.err).strip().splitlines()
    assert len(lines) == 1 and r"'no\nsuch'" in lines[0]
    assert all(name in lines[0] for name in ("tiny", "sd15", "sd14", "auffusion"))


@pytest.mark.parametrize(
    "name", ["~nobody123/x", "x" * 300, "a/" + "x" * 300, "a\nb", "a\n/b", "a/b\n", "./a\nb", "a\0b", "", " "]
)
def test_a_name_that_no_system_takes_is_one_sentence(name: str) -> None:
    with pytest.raises(EidophoneError) as refused:
        find(name, "image", offline=True)
    assert len(str(refused.value).splitlines()) == 1 and len(str(refused.value)) < 500


def test_a_folder_that_may_not_be_read_is_one_sentence(
    pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(EidophoneError, match=r"cannot be read as a path \(Permission denied\)"):
        find(str(pair[0]), "image")


def test_a_name_in_the_other_role_is_refused() -> None:
    with pytest.raises(UnknownModel, match="it cannot take the audio role"):
        find("sd15", "audio")


def test_only_what_a_loading_reads_is_fetched() -> None:
    wanted = [
        "eidophone.json", "model_index.json", "text_encoder/config.json", "text_encoder/pytorch_model.bin",
        "tokenizer/merges.txt", "tokenizer/vocab.json",
        "unet/diffusion_pytorch_model.fp16-00001-of-00002.safetensors",
        "unet/diffusion_pytorch_model.fp16-00002-of-00002.safetensors",
        "unet/diffusion_pytorch_model.safetensors.index.fp16.json",
        "vae/diffusion_pytorch_model-00001-of-00001.safetensors", "vocoder/vocoder.pt",
    ]  # fmt: skip
    other = [
        "README.md", "text_encoder/openvino_model.bin", "text_encoder/flax_model.msgpack",
        "text_encoder/model.onnx", "text_encoder/tf_model.h5",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "unet/diffusion_pytorch_model.bin", "vae/diffusion_pytorch_model.fp16.safetensors", "vae/notes.md",
        "unet/deeper/config.json", "v1-5-pruned.ckpt", "vae/training_args.bin", "vae/optimizer.pt",
    ]  # fmt: skip
    assert wanted_files(sorted(wanted + other)) == sorted(wanted)
