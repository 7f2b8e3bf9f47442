"""The program at its edges: closed and full streams, narrow encodings, signals, failures that nobody foresaw."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eidophone.cli import failures, main
from eidophone.cli import program as cli_program

LIST = [sys.executable, "-m", "eidophone", "models", "list"]


def test_r53_a_full_output_is_one_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(LIST, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ran.returncode == 2 and "Traceback" not in ran.stderr
    assert ran.stderr.count("\n") == 1 and "no space left on device" in ran.stderr


def test_r56_ctrl_c_while_modules_load_is_one_line(monkeypatch, capsys) -> None:
    """A press of the keys during the first half second reaches an import, not the program."""

    def _pressed(name: str, *_: object) -> object:
        raise KeyboardInterrupt

    for name in [name for name in sys.modules if name.startswith("eidophone.cli.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [type("Finder", (), {"find_spec": staticmethod(_pressed)})])
    try:
        code = main(["models", "list"])
    except KeyboardInterrupt:  # pytest would take it for its own
        code = -1
    assert code == 130
    assert capsys.readouterr().err == "eidophone: stopped.\n"


@pytest.mark.parametrize("closing", [">&-", "2>&-"])
def test_r54_a_closed_stream_does_not_stop_the_work(closing: str, tmp_path: Path, pair) -> None:
    import numpy as np
    import soundfile

    soundfile.write(tmp_path / "a.wav", 0.3 * np.sin(np.arange(9000) / 5), 8000)
    command = f"{sys.executable} -m eidophone see a.wav --audio-model {pair[1]} --out o {closing}"
    ran = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "o" / "0000" / "record.json").is_file()


def test_r52_a_terminal_without_these_letters_gets_escapes(tmp_path: Path, pair) -> None:
    import numpy as np
    import soundfile

    soundfile.write(tmp_path / "a.wav", 0.3 * np.sin(np.arange(9000) / 5), 8000)
    out = tmp_path / "\u7d50\u679c"
    command = [
        sys.executable,
        "-m",
        "eidophone",
        "see",
        str(tmp_path / "a.wav"),
        "--audio-model",
        str(pair[1]),
    ]
    ran = subprocess.run(
        [*command, "--out", str(out)], capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert ran.returncode == 0, ran.stderr
    assert b"\\u7d50\\u679c" in ran.stdout and (out / "0000").is_dir()


@pytest.mark.slow
def test_r32_sigterm_ends_a_run_as_ctrl_c_does(settings, tmp_path: Path) -> None:
    out = tmp_path / "o"
    models = [
        "--image-model",
        settings["image_model"],
        "--audio-model",
        settings["audio_model"],
        "--device",
        "cpu",
    ]
    command = [sys.executable, "-m", "eidophone", "compose", "a", "b", "--count", "500", "--steps", "3"]
    running = subprocess.Popen([*command, *models, "--out", str(out)], stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while not (out / "0000" / "record.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 143 and "of 500 samples are finished" in said and "Traceback" not in said
    assert not list(out.glob(".part-*"))


def test_what_nobody_foresaw_names_a_log_and_asks_for_a_report(monkeypatch, capsys) -> None:
    def broken(_: object) -> int:
        raise ZeroDivisionError("an \x1b[31munusual\x1b[0m day")

    class Parsed:
        command = staticmethod(broken)

    class Parser:
        def parse_args(self, _: object) -> Parsed:
            return Parsed()

    monkeypatch.setattr(cli_program, "build_parser", lambda _: Parser())
    assert main(["models", "list"]) == 3
    said = capsys.readouterr().err
    assert (
        said.count("\n") == 1
        and "\x1b" not in said
        and "ZeroDivisionError" in said
        and "please report it" in said
    )
    log = Path(said.split("the details are in ")[1].split(";")[0])
    assert "Traceback" in log.read_text() and "eidophone 0." in log.read_text()
    log.unlink()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "Out of memory; use a smaller --width"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "Out of memory; use a smaller --width"),
        (
            OSError(28, "No space left on device", "/x/y"),
            "/x/y: no space left on device; free some disk space",
        ),
        (PermissionError(13, "Permission denied", "/x"), "/x: permission denied; check the permissions"),
        (RecursionError("maximum recursion depth"), "nested too deeply"),
    ],
)
def test_what_the_system_refuses_is_a_sentence(error: Exception, words: str) -> None:
    code, said = failures.explain(error)
    assert code == 2 and words in said


def test_the_nearest_flag_and_verb_are_suggested(capsys) -> None:
    for arguments, words in (
        (["compose", "a", "b", "--stepz", "3"], ["did you mean --steps?", "`eidophone compose --help`"]),
        (["compoze", "a", "b"], ["did you mean compose?"]),
        (["see", "a.wav", "--duration", "3"], ["did you mean --duration-s?"]),
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        said = capsys.readouterr().err
        assert stop.value.code == 2 and said.count("\n") == 1 and all(word in said for word in words), said


def test_the_short_help_fits_a_screen_and_the_long_one_has_all(capsys) -> None:
    helps = []
    for flag in ("--help", "--help-all"):
        with pytest.raises(SystemExit):
            main(["compose", flag])
        helps.append(capsys.readouterr().out)
    assert helps[0].count("\n") <= 50 and "--cutoff" not in helps[0] and "examples:" in helps[0]
    assert "--cutoff" in helps[1] and "--steps" in helps[0]


def test_a_preset_keeps_its_shares_of_the_steps() -> None:
    """Published: the image model begins at step 10 of 100."""
    from eidophone.verbs.compose.options import ComposeOptions

    for given, start in (
        ({}, 10),
        ({"steps": 50}, 5),
        ({"steps": "2"}, 0),
        ({"steps": 50, "image_start_step": 9}, 9),
    ):
        assert ComposeOptions.make(preset="paper", **given).image_start_step == start
