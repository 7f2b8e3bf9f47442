"""Laws of the sound recipe; no network, no soundfont, no weights."""

import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

mido = pytest.importorskip("mido", reason="needs the extra `training`")

from training.config import Run  # noqa: E402
from training.data import clips, fetch, soundfont, sounds  # noqa: E402
from training.data.clips import DEV, FRAMES, TRAIN, Clip  # noqa: E402
from training.mel import SPEC  # noqa: E402
from training.networks import tagger  # noqa: E402

RNG = np.random.default_rng


def tone(hz: float, seconds: float, rate_hz: int) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hz * torch.arange(round(seconds * rate_hz)) / rate_hz)


def test_protobuf_and_varints_read_known_bytes() -> None:
    assert tagger.protobuf(b"\x08\x96\x01\x12\x02hi") == {1: [150], 2: [b"hi"]}
    assert list(tagger.varints(b"\x01\xac\x02")) == [1, 300]


def test_a_block_shares_the_beginnings_of_keys() -> None:
    entries = b"\x00\x03\x01abcX" + b"\x02\x01\x01zY"
    block = entries + (0).to_bytes(4, "little") + (1).to_bytes(4, "little")
    assert list(tagger.block_entries(block + b"\x00", 0, len(block))) == [(b"abc", b"X"), (b"abz", b"Y")]


@pytest.mark.parametrize("pattern", sorted(soundfont.PATTERNS))
@pytest.mark.parametrize("seed", range(5))
def test_every_pattern_plays_within_the_window_and_ends(pattern: str, seed: int) -> None:
    preset = soundfont.Preset(0, 14, (60, 84), (pattern,))
    messages = soundfont.score(preset, RNG(seed), 3.3)
    times = [message.time for message in messages]
    assert times == sorted(times) and times[-1] <= soundfont.LEAD_S + 3.3 + soundfont.GAP_S
    ons = [message for message in messages if message.type == "note_on"]
    offs = [message for message in messages if message.type == "note_off"]
    assert len(ons) == len(offs) > 0
    assert all(0 <= message.note <= 127 for message in ons)


def test_an_unknown_pattern_is_named() -> None:
    with pytest.raises(ValueError, match="yodel"):
        soundfont.Preset(0, 0, (60, 61), ("yodel",))


def test_variations_keep_length_split_and_peak() -> None:
    pool = [Clip(clips.at_peak(RNG(i).normal(size=FRAMES)), f"noise/{i}@0", DEV) for i in range(3)]
    for i in range(5):
        clip = clips.varied(pool, RNG(i))
        assert clip.samples.shape == (FRAMES,) and clip.samples.dtype == np.float32 and clip.split == DEV
        assert np.abs(clip.samples).max() <= clips.PEAK + 1e-6


def test_repitching_moves_a_tone_by_semitones() -> None:
    hz = 440.0
    moved = clips.repitched(tone(hz, 3.4, SPEC.rate_hz)[:FRAMES].numpy(), 2)
    peak = np.abs(np.fft.rfft(moved[:32768])).argmax() * SPEC.rate_hz / 32768
    assert peak == pytest.approx(hz * 2 ** (2 / 12), abs=2)


def test_the_loudest_window_holds_the_burst() -> None:
    sound = np.zeros(3 * FRAMES, np.float32)
    sound[2 * FRAMES - 100 : 2 * FRAMES + 100] = 1
    start = clips.loudest(sound)
    assert start <= 2 * FRAMES - 100 and start + FRAMES >= 2 * FRAMES + 100


def test_calls_follow_each_other_after_short_rests(tmp_path: Path) -> None:
    sound = np.zeros(12 * SPEC.rate_hz, np.float32)
    for begin_s in (1, 9):
        sound[begin_s * SPEC.rate_hz :][: SPEC.rate_hz] = tone(500, 1, SPEC.rate_hz)
    soundfile.write(tmp_path / "calls.wav", sound, SPEC.rate_hz)
    near = clips.called(tmp_path / "calls.wav")
    loud = np.abs(near) > 0.1
    assert loud.sum() == pytest.approx((np.abs(sound) > 0.1).sum(), rel=0.02)
    pauses = np.diff(np.flatnonzero(loud)).max() / SPEC.rate_hz
    assert clips.REST_S < pauses < clips.REST_S + 3 * clips.AROUND_S


def test_an_instrument_keeps_to_its_key() -> None:
    for seed in range(5):
        horn = soundfont.fanfare(RNG(seed), (58, 70), 3.3)
        assert {note.key for note in horn} <= {58, 62, 65, 70}
        strings = soundfont.strum(RNG(seed), (40, 72), 3.3)
        assert {note.key for note in strings} <= {
            root + step for root in (40, 45, 47) for step in (0, 7, 12, 16, 19, 24)
        }


def test_origins_take_turns() -> None:
    one = np.zeros(FRAMES, np.float32)
    found = [Clip(one, f"a@{i}", TRAIN) for i in range(5)] + [Clip(one, "b@0", TRAIN)]
    assert [t.origin for t in sounds.in_turns(found, [0.9, 0.8, 0.7, 0.6, 0.5, 0.1], 3)] == ["a", "b", "a"]


class Ear:
    """Hears a bell in what is loud."""

    classes = ("Bell", *"abcdefgh")

    def scores(self, sounds: torch.Tensor) -> torch.Tensor:
        loud = sounds.square().mean(1).sqrt()
        others = torch.linspace(0.1, 0.2, len(self.classes) - 1).expand(len(sounds), -1)
        return torch.cat([loud[:, None], others], 1)[:, None]


def test_a_take_counts_only_if_it_is_heard_when_drawn_and_played_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def player(logs: torch.Tensor) -> torch.Tensor:
        """Plays nothing of what is low."""
        return sounds_of(logs) * (logs.exp().sum(-1).argmax(-1) > SPEC.n_mels // 2)[:, None]

    sounds_of = sounds.PLAYER
    monkeypatch.setattr(sounds, "PLAYER", player)
    bell = sounds.Concept(("Bell",), ())
    by = sounds.Listener(Ear(), bell, levels=28)  # type: ignore[arg-type]
    hertz = (4000.0, 300.0, 0.0)
    found = [Clip(tone(hz, 4, SPEC.rate_hz)[:FRAMES].numpy(), f"tone/{hz}", TRAIN) for hz in hertz]
    plain, sure = by.plain(found), by.sure(found)
    assert [c > 0 for c in plain] == [True, True, False]
    assert [c > 0 for c in sure] == [True, False, False]
    assert all(both <= alone for both, alone in zip(sure, plain, strict=True))


def test_what_is_missing_is_filled_up_with_variations_that_are_heard() -> None:
    by = sounds.Listener(Ear(), sounds.Concept(("Bell",), ()), levels=28)  # type: ignore[arg-type]
    found = [
        Clip(clips.at_peak(tone(hz, 4, SPEC.rate_hz)[:FRAMES].numpy()), f"tone/{hz}@0", split)
        for hz, split in ((700, TRAIN), (0, TRAIN), (800, DEV))
    ]
    windows = sounds.listened(found, by, sounds.Settings(train=5, dev=2), RNG(0))
    assert windows.split == (TRAIN,) * 5 + (DEV,) * 2
    assert (windows.kept, windows.dropped) == (2, 1)
    assert windows.source[0] == "tone/700@0" and windows.source[1].endswith("+varied")


def test_the_smoke_pack_has_what_it_says(tmp_path: Path) -> None:
    sounds.make(Run.open("smoke", tmp_path, "cpu"), ["bell", "rain"])
    with np.load(tmp_path / "sounds.npz") as pack:
        pictures, concept = pack["pictures"], pack["concept"]
        assert pictures.shape == (len(concept), SPEC.n_mels, clips.COLUMNS) and pictures.dtype == np.uint8
        assert pack["concepts"].tolist() == ["bell", "rain"] and set(pack["split"].tolist()) == {TRAIN, DEV}
        assert json.loads(str(pack["spec"])) == SPEC.to_dict()
    # rain fills the picture, a bell is lines
    assert pictures[concept == 1].mean() > pictures[concept == 0].mean()


def test_every_concept_reads_and_has_captions_of_its_own() -> None:
    known = sounds.concepts()
    captions = [caption for concept in known.values() for caption in concept.captions]
    assert len(captions) == len(set(captions))
    assert all(4 <= len(concept.captions) <= 8 and concept.heard for concept in known.values())


def test_a_changed_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, sums = tmp_path / "a.tgz", tmp_path / "checksums.toml"
    archive.write_bytes(b"other")
    sums.write_text('[npm]\n"a@1" = "00"\n')
    monkeypatch.setattr(fetch, "CHECKSUMS", sums)
    with pytest.raises(fetch.FetchError, match="records 00"):
        fetch.check("npm", "a@1", archive)


def test_an_archive_without_an_entry_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, sums = tmp_path / "a.tgz", tmp_path / "checksums.toml"
    archive.write_bytes(b"new")
    sums.write_text("[npm]\n")
    monkeypatch.setattr(fetch, "CHECKSUMS", sums)
    with pytest.raises(fetch.FetchError, match=f'"a@1" = "{fetch.sha256(archive)}"'):
        fetch.check("npm", "a@1", archive)


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
@pytest.mark.parametrize(("change", "accepted"), [("README", True), ("used/words", False)])
def test_a_newer_debian_version_is_used_if_the_files_that_count_are_the_same(
    change: str, accepted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    debs = [tmp_path / f"words_{version}_all.deb" for version in (1, 2)]
    for version, deb in enumerate(debs, 1):
        root = tmp_path / str(version)
        for name in ("DEBIAN/control", "README", "used/words"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("the same")
        (root / change).write_text(f"version {version}")
        control = f"Package: words\nVersion: {version}\nArchitecture: all\nMaintainer: a\nDescription: b\n"
        (root / "DEBIAN/control").write_text(control)
        subprocess.run(["dpkg-deb", "--build", root, deb], check=True, capture_output=True)
    sums, used = tmp_path / "checksums.toml", fetch.content(tmp_path / "1" / "used")
    facts = {"version": "1", "sha256": fetch.sha256(debs[0]), "files": "used", "content": used}
    sums.write_text("[debian.words]\n" + "".join(f'{key} = "{value}"\n' for key, value in facts.items()))
    monkeypatch.setattr(fetch, "CHECKSUMS", sums)
    monkeypatch.setattr(fetch, "CACHE", tmp_path / "cache")

    def offer(deb: Path) -> Path:
        return fetch.obtain("debian", "words", lambda into: shutil.copy(deb, into))

    if accepted:
        assert (offer(debs[1]) / "README").read_text() == "version 2"
    else:
        with pytest.raises(fetch.FetchError, match=r"words 1.*snapshot\.debian\.org"):
            offer(debs[1])
        assert (offer(debs[0]) / "used/words").read_text() == "version 1"


def test_every_debian_package_is_recorded_with_version_and_content() -> None:
    for name, entry in tomllib.loads(fetch.CHECKSUMS.read_text())["debian"].items():
        assert set(entry) == {"version", "sha256", "files", "content"}, name
