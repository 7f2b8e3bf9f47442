"""What a run prints while it works and when it ends. Keeps a line a sample, not the samples."""

import contextlib
import json
import math
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eidophone.core.errors import EidophoneError
from eidophone.core.events import Progress

MOST_LINES = 40
SIDES = ("looks", "sounds")


#: Puts rows that can be ranked in order.
Order = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def show(
    make: Callable[[Progress], Iterator[Any]], out: Path, wanted: int, as_json: bool, order: Order = list
) -> int:
    """Runs a maker of stored results under a progress bar, prints them, returns the exit code.

    What was finished before an error or Ctrl-C stays, and is counted.
    """
    rows: list[dict[str, Any]] = []
    try:
        with progress_bar() as progress:
            for result in make(progress):
                rows.append(_row(result))
    except (KeyboardInterrupt, EidophoneError) as error:
        if isinstance(error, EidophoneError) and not rows:
            raise
        reason = "stopped" if isinstance(error, KeyboardInterrupt) else sentence(error).rstrip(".")
        where = f", in {out}" if rows or out.exists() else ""
        print(f"\neidophone: {reason}; {len(rows)} of {wanted} samples are finished{where}.", file=sys.stderr)
        return 130 if isinstance(error, KeyboardInterrupt) else 2
    rows = order(rows)
    for word, near in {k: v for row in rows for k, v in row["facts"].get("read_as", {}).items()}.items():
        print(f"eidophone: {word!r} is no word that the model learned; it reads {near!r}.", file=sys.stderr)
    print(json.dumps(rows, indent=2) if as_json else _table(rows, out))
    return 0


def sentence(error: BaseException) -> str:
    """An error's message on one line, whatever stands in the file names that it quotes."""
    return " ".join(str(error).split())


@contextlib.contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar on the terminal once something takes two seconds; a heartbeat keeps its clock going."""
    from tqdm import tqdm

    over = threading.Event()
    with tqdm(total=0, delay=1e9, leave=False, file=sys.stderr, disable=not sys.stderr.isatty()) as bar:

        def _progress(what: str, done: int, total: int) -> None:
            bar.set_description(what, refresh=False)
            bar.total, bar.n = total, done

        def _beat() -> None:
            over.wait(2)
            while not over.wait(0.2):
                bar.refresh()

        heart = threading.Thread(target=_beat, daemon=True)
        heart.start()
        try:
            yield _progress
        finally:
            over.set()
            heart.join()


def _row(result: Any) -> dict[str, Any]:
    height, width = result.picture.pixels.shape[:2]
    return {
        "verb": result.verb,
        "index": result.index,
        "seed": result.recipe.get("seed"),
        "folder": str(result.folder),
        "files": sorted(path.name for path in result.folder.iterdir()),
        "height": height,
        "width": width,
        "duration_s": result.clip.duration_s,
        "facts": result.facts,
        "score": asdict(result.score),
        "sides": {side: number for side in SIDES if (number := result.score.side(side)) is not None},
    }


def _table(rows: list[dict[str, Any]], out: Path) -> str:
    sides = [side for side in SIDES if any(side in row["sides"] for row in rows)]
    scores = "".join(f"{side:>9}" for side in sides)
    lines = [f"{'sample':<8}{'seed':>8}{scores}{'seconds':>10}{'U-Net runs':>12}{'sound':>10}  picture"]
    for row in rows[:MOST_LINES]:
        seed = "-" if row["seed"] is None else row["seed"]
        seconds, runs = (row["facts"].get(name, "-") for name in ("seconds", "unet_evaluations"))
        scores = "".join(f"{row['sides'].get(side, math.nan):>9.3f}" for side in sides)
        lines.append(
            f"{row['index']:04d}{seed!s:>12}{scores}{seconds!s:>10}{runs!s:>12}{row['duration_s']:>8.2f} s"
            f"  {row['width']} x {row['height']}  {row['facts'].get('summary', '')}".rstrip()
        )
    if len(rows) > MOST_LINES:
        lines.append(f"... and {len(rows) - MOST_LINES} more")
    facts = rows[0]["facts"] if rows else {}
    if "candidates" in facts:
        spent, many = facts["unet_evaluations_of_all"], facts["candidates"]
        lines.append(f"the best of {many} candidates, which took {spent} U-Net runs together")
    files = ", ".join(rows[0]["files"]) if rows else ""
    if len(rows) > 1 and len({Path(row["folder"]).parent for row in rows}) == 1:
        files += "; contact-sheet.png shows all"
    return "\n".join([*lines, "", f"{out}", f"  each sample's folder in it holds {files}"])
