"""The published selection: samples in the top share by looks and in the top share by sound."""

import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from eidophone.core.values import Score
from eidophone.evaluation.found import Found
from eidophone.evaluation.journal import Row
from eidophone.media.files import cannot_write, draft_name, slug
from eidophone.scoring.ranking import Candidate, in_top_share, sides_of

SELECTED_FOLDER = "selected"


@dataclass(frozen=True)
class Selected:
    """One selected sample.

    Attributes:
        folder: The sample's name in this evaluation.
        copy: Its copy, from the evaluation's folder.
        method: How it was made.
        looks, sounds: Its two ranking numbers; None if no judge gives one.
    """

    folder: str
    copy: str
    method: str
    looks: float | None
    sounds: float | None


SelectBy = Literal["both", "looks"]


def select(
    rows: Iterable[Row], share: float, samples: Mapping[str, Found], out: Path, by: SelectBy = "both"
) -> list[Selected]:
    """Selects samples of each method, and copies their folders to `out/selected`, which is replaced.

    The code of Images that Sound keeps the samples that are in the top share by CLIP and in the top share by
    CLAP, or those in the top share by CLIP. With a small share of both there may be none.

    Args:
        rows: All samples.
        share: Of the samples of a method, in (0, 1].
        samples: All of them, by name.
        out: The evaluation's folder.
        by: Both sides, or looks alone.

    Raises:
        BadInput: a sample cannot be fetched.
        CannotWrite: the copies cannot be written.
    """
    methods: dict[str, list[Candidate[Selected]]] = defaultdict(list)
    for number, row in enumerate(rows):
        if not row.broken:
            words = slug(f"{row.image_prompt} {row.audio_prompt}")
            looks, sounds = sides_of(Score(row.numbers))
            one = Selected(row.folder, words, row.method, looks, sounds)
            methods[row.method].append(Candidate(one, number, looks, looks if by == "looks" else sounds))
    found = []
    for method, candidates in sorted(methods.items()):
        for place, chosen in enumerate(in_top_share(candidates, share), 1):
            copy = f"{SELECTED_FOLDER}/{slug(method)}/{place:03d}-{chosen.item.copy}"
            found.append(replace(chosen.item, copy=copy))
    _copy(found, samples, out)
    return found


def _copy(selected: list[Selected], samples: Mapping[str, Found], out: Path) -> None:
    """Copies aside, then replaces the folder of an earlier selection."""
    final, draft = out / SELECTED_FOLDER, out / draft_name()
    try:
        draft.mkdir()
        for one in selected:
            place = draft / Path(one.copy).relative_to(SELECTED_FOLDER)
            with samples[one.folder].opened(whole=True) as folder:
                shutil.copytree(folder, place, ignore=shutil.ignore_patterns(".*"))
        if final.exists():
            shutil.rmtree(final)
        draft.rename(final)
    except (OSError, shutil.Error) as error:
        reason = error if error.errno is not None else OSError(None, "a file could not be copied")
        raise cannot_write(final, reason) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
