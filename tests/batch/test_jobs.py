"""Job files: four formats, one meaning; every mistake named with its row before anything starts."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

import pytest
from pydantic import BeforeValidator

from eidophone.batch.columns import files_of
from eidophone.batch.jobs import BadRows, read_tasks, shard_of
from eidophone.core.errors import BadInput
from eidophone.options.kinds import Options
from eidophone.verbs import VERBS, Verb, register

CSV = """verb,image_prompt,audio_prompt,seed,count,preset
,a castle,bell ringing,"[1, 2]",3,draft
imprint,a frog,frog croaking,5,,
"""
#: As spreadsheets save it where the comma is the decimal point.
SEMICOLONS = """\ufeffverb;image_prompt;audio_prompt;seed;count;preset
;a castle;bell ringing;[1, 2];3;draft
imprint;a frog;frog croaking;5;;
"""
ROWS = [
    {
        "image_prompt": "a castle",
        "audio_prompt": "bell ringing",
        "seed": [1, 2],
        "count": 3,
        "preset": "draft",
    },
    {"verb": "imprint", "image_prompt": "a frog", "audio_prompt": "frog croaking", "seed": 5},
]
TOML = """
[[jobs]]
image_prompt = "a castle"
audio_prompt = "bell ringing"
seed = [1, 2]
count = 3
preset = "draft"
[[jobs]]
verb = "imprint"
image_prompt = "a frog"
audio_prompt = "frog croaking"
seed = 5
"""


def written(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


def test_all_formats_mean_the_same(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    names = ["verb", "image_prompt", "audio_prompt", "count", "preset"]
    flat = [
        {name: row.get(name) for name in names} | {"seed": seed}
        for row in ROWS
        for seed in (row["seed"] if isinstance(row["seed"], list) else [row["seed"]])
    ]
    parquet.write_table(pa.Table.from_pylist(flat), tmp_path / "jobs.parquet")
    files = [
        written(tmp_path, "jobs.csv", CSV),
        written(tmp_path, "semicolons.csv", SEMICOLONS),
        written(tmp_path, "jobs.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS)),
        written(tmp_path, "jobs.toml", TOML),
        tmp_path / "jobs.parquet",
    ]
    found = [[(t.key, t.verb, t.options, t.samples) for t in read_tasks(file)] for file in files]
    assert len(found[0]) == 3 and all(tasks == found[0] for tasks in found[1:])
    assert [options.seed for _, _, options, _ in found[0]] == [1, 2, 5]
    assert found[0][0][2].steps == 8, "the preset draft has 8 steps"


def test_every_bad_row_is_named(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "jobs.csv",
        "verb,image_prompt,audio_prompt,steps,stpes,sound,image_model\n"
        ",castle,bell,0,,,\n"
        ",castle,bell,,3,,\n"
        ",castle,bell,5,,,\n"
        "sing,castle,bell,,,,\n"
        ",,bell,,,,\n"
        "paint,,,,,missing.wav,\n"
        ",castle,bell,,,,no-such-model\n"
        ",castle,bell,5,,,\n"
        ",castle,bell,5,,,,,more\n",
    )
    with pytest.raises(BadRows) as caught:
        read_tasks(path)
    wanted = [
        ("row 2:", "greater than or equal to 1; got '0'"), ("row 3:", "did you mean 'steps'"),
        ("row 5:", "no verb 'sing'"), ("row 6:", "image_prompt"), ("row 7:", "missing.wav"),
        ("row 8:", "no-such-model"), ("row 9:", "same samples as row 4"), ("row 10:", "header has 7"),
    ]  # fmt: skip
    assert len(caught.value.problems) == len(wanted)
    for problem, (row, words) in zip(caught.value.problems, wanted, strict=True):
        assert problem.startswith(row) and words in problem, problem


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.xlsx", "x", "a job file ends in"),
        ("a.csv", "", "empty"),
        ("a.csv", "image_prompt\n", "no rows"),
        ("a.csv", "seed,seed\n1,2\n", "two columns named 'seed'"),
        ("a.csv", 'a,b\n"1,2\n', "not CSV"),
        ("a.toml", "jobs = ", "not TOML"),
        ("a.toml", "[job]\nx = 1\n", "[[jobs]]"),
        ("a.parquet", "PAR1", "not a Parquet file"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole(tmp_path: Path, name: str, content: str, words: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_tasks(written(tmp_path, name, content))
    assert words in str(caught.value)


def lines(tmp_path: Path, *rows: dict) -> Path:
    return written(tmp_path, "j.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def test_keys_are_stable(tmp_path: Path) -> None:
    """A golden key: the SHA-256 of the canonical text, which holds what the preset `fast` means."""
    import hashlib

    text = (
        '{"options": {"audio_prompt": "bell", "guidance_stop_step": 8, "image_prompt": "a castle", "reuse_steps": 2, '
        '"seed": 3, "steps": 12}, "verb": "compose"}'
    )
    row = {"image_prompt": "a castle", "audio_prompt": "bell", "seed": 3}
    (task,) = read_tasks(lines(tmp_path, row))
    assert task.key == hashlib.sha256(text.encode()).hexdigest()[:16]
    for free in ({"count": 9}, {"device": "cpu"}, {"threads": 2}, {"batch_size": 3}, {"sampler": "dpm++2m"}):
        assert read_tasks(lines(tmp_path, row | free))[0].key == task.key, free
    for other in ({"steps": 3}, {"seed": 4}, {"image_prompt": "a Castle"}, {"from_": 8}, {"preset": "draft"}):
        assert read_tasks(lines(tmp_path, row | other))[0].key != task.key, other


def test_input_files_count_by_content(tmp_path: Path) -> None:
    for name, content in (("a.wav", b"x"), ("b.wav", b"x"), ("c.wav", b"y")):
        (tmp_path / name).write_bytes(content)
    keys = [read_tasks(lines(tmp_path, {"verb": "see", "sound": f"{n}.wav"}))[0].key for n in "abc"]
    assert keys[0] == keys[1] != keys[2]


def test_rows_that_differ_in_their_samples_share_a_folder(tmp_path: Path) -> None:
    row = {"image_prompt": "a castle", "audio_prompt": "bell", "count": 2}
    (task,) = read_tasks(lines(tmp_path, row, row | {"index": 5}))
    assert task.samples == (0, 1, 5, 6) and task.rows == ("1", "2")


def test_rows_of_the_same_models_follow_each_other_and_shards_share_nothing(tmp_path: Path) -> None:
    row = {"audio_prompt": "bell", "image_prompt": "x"}
    rows = [row | {"seed": n, "image_model": ("tiny", "sd15")[n % 2]} for n in range(6)]
    tasks = read_tasks(lines(tmp_path, *rows))
    assert [task.options.image_model for task in tasks] == ["tiny"] * 3 + ["sd15"] * 3
    shards = [shard_of(tasks, n, 4) for n in (1, 2, 3, 4)]
    assert sorted(t.key for shard in shards for t in shard) == sorted(t.key for t in tasks)


@pytest.mark.parametrize("verb", VERBS.names())
def test_every_option_of_every_verb_is_a_column(tmp_path: Path, verb: str) -> None:
    """Options at the values that they have anyway change nothing, in JSON Lines and as the cells of a table."""
    kind = VERBS[verb].options
    (tmp_path / "x.png").write_bytes(b"x")
    needed = {
        name: "x.png" if name in files_of(kind) else "x"
        for name, field in kind.model_fields.items()
        if field.is_required() or name in {argument.field for argument in VERBS[verb].arguments}
    }
    (plain,) = read_tasks(lines(tmp_path, {"verb": verb, **needed}))
    defaults = {
        name: value
        for name, value in plain.options.model_dump(mode="json").items()
        if name not in {*needed, "samples"} and value not in (None, "", [])
    }
    assert len(defaults) >= 3
    (given,) = read_tasks(lines(tmp_path, {"verb": verb, **needed, **defaults}))
    assert (given.samples, given.options) == (plain.samples, plain.options)
    table = tmp_path / "all.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["verb", *needed, *defaults], [verb, *needed.values(), *defaults.values()]])
    assert read_tasks(table)[0].options == plain.options


class Listed(Options):
    """Options as a new verb may have them."""

    FORMER: ClassVar[dict[str, str]] = {}
    also: tuple[str, ...] = ()
    cleaned: Annotated[tuple[str, ...], BeforeValidator(tuple)] = ()
    maybe: tuple[int, ...] | None = None
    mask: Path | None = None
    steps: int = 3


@pytest.fixture
def listed() -> Iterator[None]:
    register(Verb("listed", "", Listed, "nowhere:nothing", (), models=()))
    yield
    del VERBS._values["listed"]


def test_lists_and_repeated_options_and_new_files(tmp_path: Path, listed: None) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    row = {"verb": "listed", "also": ["x: 1", "y"], "cleaned": "z", "maybe": [4], "mask": "a.png"}
    (task,) = read_tasks(lines(tmp_path, row))
    assert (task.options.also, task.options.cleaned, task.options.maybe) == (("x: 1", "y"), ("z",), (4,))
    assert task.options.mask == tmp_path / "a.png"
    before = task.key
    (tmp_path / "a.png").write_bytes(b"b")
    assert read_tasks(lines(tmp_path, row))[0].key != before, "files count by their content"
    many = read_tasks(lines(tmp_path, {"verb": "listed", "also": [["x"], ["x", "y"], []], "steps": [1, 2]}))
    assert [(t.options.also, t.options.steps) for t in many] == [
        (also, steps) for also in (("x",), ("x", "y"), ()) for steps in (1, 2)
    ]
    table = 'verb,also,cleaned\nlisted,"[""x, y"", ""z""]",one\nlisted,"[[""x""], [""y""]]",\n'
    found = read_tasks(written(tmp_path, "l.csv", table))
    assert [t.options.also for t in found] == [("x, y", "z"), ("x",), ("y",)]
    with pytest.raises(BadRows, match="the list is empty"):
        read_tasks(lines(tmp_path, {"verb": "listed", "steps": []}))
