"""The application: the HTTP API and the page."""

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.concurrency import run_in_threadpool

from eidophone.core.errors import BadInput, EidophoneError
from eidophone.core.text import printable
from eidophone.results.folders import new_folder
from eidophone.results.recipe import RECORD_FILE, read_record, recipe_in_png
from eidophone.studio.exports import commands_of, flac, thumbnail, zipped
from eidophone.studio.forms import form_of
from eidophone.studio.guard import Guard
from eidophone.studio.jobs import ENDED, Job, QueueFull, Worker
from eidophone.studio.library import SERVED, SORTS, Library, public
from eidophone.studio.requests import checked_options, settings_of
from eidophone.studio.settings import StudioSettings
from eidophone.studio.uploads import Inputs, TooLarge
from eidophone.verbs import VERBS, verb_of
from eidophone.version import VERSION

PAGE = Path(__file__).with_name("page")
#: Seconds between two looks at a job's messages, and between two signs of life.
_LOOK_S, _ALIVE_S = 0.1, 15.0
_NEVER_CHANGES = {"cache-control": "private, max-age=86400"}


class JobRequest(BaseModel):
    """A job: a verb, and options by name as in the Python API."""

    model_config = ConfigDict(extra="forbid")
    verb: Annotated[str, Field(max_length=40)]
    options: dict[str, JsonValue] = {}


class StarsRequest(BaseModel):
    """Stars for a result."""

    model_config = ConfigDict(extra="forbid")
    stars: Annotated[int, Field(ge=0, le=5)]


class Studio:
    """What the routes share."""

    def __init__(self, settings: StudioSettings) -> None:
        limits = settings.limits
        self.settings = settings
        self.library = Library(settings.out)
        self.inputs = Inputs(settings.private / "inputs", limits.upload_bytes, limits.inputs_bytes)
        self.worker = Worker(self._folder, lambda result: public([self.library.add(result)])[0], limits)

    def job(self, job_id: str) -> Job:
        """A job by its id; 404 if there is none."""
        try:
            return self.worker[job_id]
        except KeyError:
            raise HTTPException(404, "There is no such job; the server may have been restarted.") from None

    def file(self, result_id: str, name: str) -> Path:
        """A file of a result; 404 if there is none."""
        found: Path = _or_404(lambda: self.library.file(result_id, name), "There is no such file.")
        return found

    def result_file(self, result_id: str) -> Path:
        """The picture of a result, as the input of another job."""
        try:
            return self.library.folder(result_id)
        except KeyError:
            raise BadInput("There is no such result any more; choose another.") from None

    def _folder(self, job: Job) -> Path:
        words = [getattr(job.options, name, "") for name in ("image_prompt", "audio_prompt")]
        return new_folder(self.settings.out, job.verb, " ".join(word for word in words if word))


def create_app(settings: StudioSettings) -> FastAPI:
    """The application.

    Args:
        settings: See `StudioSettings`.
    """
    studio = Studio(settings)

    @asynccontextmanager
    async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
        studio.worker.start()
        await run_in_threadpool(studio.library.scan)
        yield
        await run_in_threadpool(studio.worker.close)

    app = FastAPI(
        title="Eidophone Studio",
        version=VERSION,
        summary="Pictures that play: jobs, events and results.",
        lifespan=_lifespan,
        docs_url=None,  # those pages load scripts from another host
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.add_middleware(Guard, settings=settings)
    _handle_errors(app)
    _add_jobs(app, studio)
    _add_results(app, studio)
    _add_forms(app, studio)
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    app.state.studio = studio
    return app


def _add_jobs(app: FastAPI, studio: Studio) -> None:
    @app.post("/api/jobs", status_code=201)
    def start_job(request: JobRequest) -> dict[str, Any]:
        """Puts a job into the queue."""
        verb = verb_of(request.verb)
        options = checked_options(
            verb, request.options, studio.inputs.find, studio.result_file, studio.settings.limits.samples
        )
        job = Job(verb.name, options, dict(request.options))
        studio.worker.put(job)
        return job.plain()

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


def _add_results(app: FastAPI, studio: Studio) -> None:
    library = studio.library

    @app.get("/api/results")
    def list_results(
        q: Annotated[str, Query(max_length=200, description="words of the prompts")] = "",
        sort: Annotated[str, Query(pattern=f"^({'|'.join(SORTS)})$")] = "newest",
        stars: Annotated[int, Query(ge=0, le=5, description="at least this many stars")] = 0,
        offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = 60,
    ) -> dict[str, Any]:
        """A page of the library."""
        found = library.search(q, sort, stars)
        return {"total": len(found), "offset": offset, "results": public(found[offset : offset + limit])}

    @app.get("/api/results/{result_id}")
    def read_result(result_id: str) -> dict[str, Any]:
        """One result, with the settings that made it and the command that makes it again."""
        entry = _or_404(lambda: library.entry(result_id), "There is no such result.")
        recipe = read_record(studio.file(result_id, RECORD_FILE)).recipe
        mel = {name: recipe.mel_spec[name] for name in ("f_min", "f_max") if name in recipe.mel_spec}
        return {**public([entry])[0], "mel": mel, "settings": settings_of(recipe), **commands_of(recipe)}

    @app.put("/api/results/{result_id}/stars")
    def rate_result(result_id: str, request: StarsRequest) -> dict[str, Any]:
        """Gives a result 0 to 5 stars."""
        entry = _or_404(lambda: library.set_stars(result_id, request.stars), "There is no such result.")
        return public([entry])[0]

    small = functools.lru_cache(maxsize=4096)(thumbnail)

    @app.get("/api/results/{result_id}/thumbnail.jpg", response_class=Response)
    def read_thumbnail(result_id: str) -> Response:
        """A small picture."""
        content = small(studio.file(result_id, "picture.png"))
        return Response(content, media_type="image/jpeg", headers=_NEVER_CHANGES)

    @app.get("/api/results/{result_id}/sound.flac", response_class=Response)
    def read_flac(result_id: str) -> Response:
        """The sound as FLAC."""
        return _download(flac(studio.file(result_id, "sound.wav")), "audio/flac", "sound.flac")

    @app.get("/api/results/{result_id}/result.zip", response_class=Response)
    def read_zip(result_id: str) -> Response:
        """All files of a result."""
        entry = _or_404(lambda: library.entry(result_id), "There is no such result.")
        files = [studio.file(result_id, name) for name in entry["files"]]
        return _download(zipped(files), "application/zip", "result.zip")

    @app.get("/api/results/{result_id}/{name}", response_class=FileResponse)
    def read_file(result_id: str, name: str) -> FileResponse:
        """One of the files picture.png, spectrogram.png, sound.wav, video.mp4 and record.json."""
        return FileResponse(studio.file(result_id, name), media_type=SERVED[name], headers=_NEVER_CHANGES)


def _add_forms(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/verbs")
    def list_verbs() -> dict[str, Any]:
        """All verbs, and the limits of this server."""
        limits = studio.settings.limits
        verbs = [{"name": name, "summary": VERBS[name].summary} for name in VERBS.names()]
        return {"version": VERSION, "verbs": verbs, "upload_bytes": limits.upload_bytes}

    @app.get("/api/options/{verb}")
    def read_options(verb: str) -> dict[str, Any]:
        """What a form for this verb needs, made from its options."""
        if verb not in VERBS:
            raise HTTPException(404, "There is no such verb.")
        from eidophone.models.cards import known

        return {**form_of(VERBS[verb]), "models": sorted(set(known()))}

    @app.post("/api/inputs", status_code=201)
    async def upload(request: Request) -> dict[str, Any]:
        """Takes a picture or a sound as the body of the request, and returns its id."""
        draft = await studio.inputs.receive(request.stream())
        return await run_in_threadpool(studio.inputs.keep, draft)

    @app.post("/api/recipe")
    async def read_recipe(request: Request) -> dict[str, Any]:
        """Takes a PNG or WAV of Eidophone as the body, and returns the settings that made it."""
        draft = await studio.inputs.receive(request.stream())
        return await run_in_threadpool(_settings_in, draft)


def _settings_in(draft: Path) -> dict[str, Any]:
    from eidophone.results.recipe import read_recipe

    try:
        is_sound = draft.open("rb").read(4) in (b"RIFF", b"RF64")
        if is_sound:
            named = draft.rename(draft.with_suffix(".wav"))
            draft = named
            return settings_of(read_recipe(named))
        recipe = recipe_in_png(draft)
        if recipe is None:
            raise BadInput("This file carries no settings; use a PNG or WAV as Eidophone wrote it.")
        return settings_of(recipe)
    except BadInput as error:
        # the name of the draft means nothing to a visitor
        raise BadInput(str(error).replace(str(draft), "This file")) from None
    finally:
        draft.unlink(missing_ok=True)


def _handle_errors(app: FastAPI) -> None:
    def _sentence(status: int, message: str, **headers: str) -> JSONResponse:
        return JSONResponse({"message": printable(message)}, status, headers or None)

    @app.exception_handler(EidophoneError)
    async def _bad_input(_: Request, error: EidophoneError) -> JSONResponse:
        if isinstance(error, QueueFull):
            return _sentence(503, str(error), **{"retry-after": "5"})
        return _sentence(413 if isinstance(error, TooLarge) else 400, str(error))

    @app.exception_handler(RequestValidationError)
    async def _bad_request(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return _sentence(422, f"{place}: {first['msg']}.")

    @app.exception_handler(HTTPException)
    async def _refused(_: Request, error: HTTPException) -> JSONResponse:
        return _sentence(error.status_code, str(error.detail))


def _download(content: bytes, media_type: str, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


def _or_404(find: Callable[[], Any], message: str) -> Any:
    try:
        return find()
    except KeyError:
        raise HTTPException(404, message) from None
