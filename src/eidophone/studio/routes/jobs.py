"""Jobs: start, list, follow, cancel."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from eidophone.core.values import Caption
from eidophone.options.commands import CaptionOptions
from eidophone.results.store import file_in
from eidophone.studio.jobs import ENDED, Job
from eidophone.studio.messages import caption_message
from eidophone.studio.requests import checked_options, file_of, model_name
from eidophone.studio.state import Studio
from eidophone.verbs import verb_of

#: Seconds between two looks at a job's messages, and between two signs of life.
_LOOK_S, _ALIVE_S = 0.1, 15.0


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class JobRequest(_Request):
    """A job: a verb, and options by name as in the Python API."""

    verb: Annotated[str, Field(max_length=40)]
    options: dict[str, JsonValue] = {}


class CaptionRequest(_Request):
    """A sound to caption: {"input": ID} or {"result": ID}, and the name of a captioner."""

    sound: dict[str, JsonValue]
    captioner: Annotated[str, Field(max_length=200)] = "tiny"


class WordsRequest(_Request):
    """A caption that somebody wrote."""

    text: Annotated[str, Field(max_length=2000)]


def add_jobs(app: FastAPI, studio: Studio) -> None:
    """Adds the routes."""
    _add_starts(app, studio)

    @app.get("/api/jobs")
    def list_jobs() -> list[dict[str, Any]]:
        """All jobs that wait, run, or ended lately; oldest first."""
        return [job.plain() for job in studio.worker]

    @app.get("/api/jobs/{job_id}")
    def read_job(job_id: str) -> dict[str, Any]:
        """One job."""
        return studio.job(job_id).plain()

    @app.delete("/api/jobs/{job_id}", status_code=202)
    def cancel_job(job_id: str) -> dict[str, Any]:
        """Cancels a job within one step; finished samples stay."""
        job = studio.job(job_id)
        studio.worker.cancel(job)
        return job.plain()

    @app.get("/api/jobs/{job_id}/events", response_class=StreamingResponse)
    def follow_job(job_id: str, request: Request) -> StreamingResponse:
        """The job's events as server-sent events, from its start, or after the header Last-Event-ID."""
        last = request.headers.get("last-event-id", "0")
        start = int(last[:18]) if last.isascii() and last.isdecimal() else 0
        return StreamingResponse(
            _events(studio.job(job_id), start), media_type="text/event-stream", headers={"cache-control": "no-store"}
        )  # fmt: skip


def _add_starts(app: FastAPI, studio: Studio) -> None:
    @app.post("/api/jobs", status_code=201)
    def start_job(request: JobRequest) -> dict[str, Any]:
        """Puts a job into the queue."""
        verb = verb_of(request.verb)
        options = checked_options(
            verb, request.options, studio.inputs.find, studio.result_folder, studio.settings.limits.samples
        )
        job = Job(verb.name, options, dict(request.options))
        studio.worker.put(job)
        return job.plain()

    @app.post("/api/captions", status_code=201)
    def start_caption(request: CaptionRequest) -> dict[str, Any]:
        """Puts the captioning of a sound into the queue; its event "caption" has the words."""
        finders = studio.inputs.find, lambda given: file_in(studio.result_folder(given), "sound.wav")
        sound = file_of("sound", request.sound, *finders)
        options = CaptionOptions.make(captioner=model_name("captioner", request.captioner))
        job = Job("caption", options, {"captioner": request.captioner}, sound)
        studio.worker.put(job)
        return job.plain()

    @app.post("/api/words")
    def weigh_words(request: WordsRequest) -> dict[str, Any]:
        """The weights that `paint` gives the words of a caption that somebody wrote."""
        if not request.text.split():
            return {"text": "", "words": []}
        return caption_message(Caption.from_text(request.text))


async def _events(job: Job, number: int) -> AsyncIterator[str]:
    quiet = 0.0
    while True:
        over = job.state in ENDED  # before reading, so that the last message is not missed
        for made, message in job.since(number):
            number, quiet = made, 0.0
            yield f"id: {number}\ndata: {json.dumps(message)}\n\n"
        if over:
            return
        await asyncio.sleep(_LOOK_S)
        quiet += _LOOK_S
        if quiet >= _ALIVE_S:
            quiet = 0.0
            yield ": still here\n\n"
