"""Files of answers, as the page saves them: JSON or CSV. They come from strangers, so nothing in them is trusted."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from eidophone.core.errors import BadInput
from eidophone.core.text import printable
from eidophone.evaluation.questionnaire.trials import Key, Name, Question, Side

#: A file of answers has a few kilobytes.
MOST_BYTES = 5_000_000


class Answer(BaseModel):
    """One answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    trial: Name
    question: Question
    choice: Side
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class Sheet(BaseModel):
    """All answers of one participant."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    questionnaire: Name
    participant: Name
    answers: list[Answer]


class _Json(Sheet):
    format: Literal[1]


class _Line(Answer):
    questionnaire: Name
    participant: Name


@dataclass(frozen=True)
class Answers:
    """The answers to one questionnaire, one sheet for each participant.

    Attributes:
        sheets: In the order of the files.
        duplicates: Files of a participant whose other file has as many answers or more.
    """

    sheets: list[Sheet]
    duplicates: list[str]


def read_answers(paths: Iterable[Path], key: Key) -> Answers:
    """Reads files of answers; of two files of one participant, the fuller one counts.

    Raises:
        BadInput: a file cannot be read, is damaged, or answers another questionnaire.
    """
    found: dict[str, tuple[Sheet, Path]] = {}
    duplicates = []
    for path in paths:
        sheet = _checked(_read(path), key, path)
        before = found.get(sheet.participant)
        if before is None:
            found[sheet.participant] = (sheet, path)
            continue
        better = len(sheet.answers) > len(before[0].answers)
        duplicates.append(printable(str(before[1] if better else path)))
        if better:
            found[sheet.participant] = (sheet, path)
    return Answers([sheet for sheet, _ in found.values()], duplicates)


def _read(path: Path) -> Sheet:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadInput(f"{path}: is too large for a file of answers; name the files that the page saved.")
        content = path.read_bytes()
        return (
            _from_csv(content, path) if path.suffix.lower() == ".csv" else _Json.model_validate_json(content)
        )
    except (OSError, ValueError, csv.Error) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise BadInput(
            f"{path}: is not a file of answers ({printable(reason)}); name the files that the page saved."
        ) from error


def _from_csv(content: bytes, path: Path) -> Sheet:
    lines = TypeAdapter(list[_Line]).validate_python(
        list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    )
    people = {(line.questionnaire, line.participant) for line in lines}
    if len(people) != 1:
        raise BadInput(f"{path}: has answers of {len(people)} participants; name one file for each.")
    ((questionnaire, participant),) = people
    answers = [Answer(**line.model_dump(include=set(Answer.model_fields))) for line in lines]
    return Sheet(questionnaire=questionnaire, participant=participant, answers=answers)


def _checked(sheet: Sheet, key: Key, path: Path) -> Sheet:
    """Without answers to what was not asked; of two answers to one question, the last counts."""
    if sheet.questionnaire != key.questionnaire:
        raise BadInput(
            f"{path}: answers another questionnaire than the key; name the key that belongs to it."
        )
    asked = {(name, question) for name, trial in key.trials.items() for question in trial.questions()}
    kept = {
        (answer.trial, answer.question): answer
        for answer in sheet.answers
        if (answer.trial, answer.question) in asked
    }
    return sheet.model_copy(update={"answers": list(kept.values())})
