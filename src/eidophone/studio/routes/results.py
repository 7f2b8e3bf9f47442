"""Results: the library, stars, files and downloads."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from eidophone.results.recipe import RECORD_FILE, read_record
from eidophone.studio.exports import commands_of, flac, zipped
from eidophone.studio.library import SORTS, media_type_of, public
from eidophone.studio.painting import painting_of
from eidophone.studio.requests import settings_of
from eidophone.studio.state import Studio, or_404

_NEVER_CHANGES = {"cache-control": "private, max-age=86400"}
_MISSING = "There is no such result."


class StarsRequest(BaseModel):
    """Stars for a result."""

    model_config = ConfigDict(extra="forbid")
    stars: Annotated[int, Field(ge=0, le=5)]


def add_results(app: FastAPI, studio: Studio) -> None:
    """Adds the routes."""
    library = studio.library

    @app.get("/api/results", response_class=JSONResponse)
    def list_results(
        q: Annotated[str, Query(max_length=200, description="words of the prompts")] = "",
        sort: Annotated[str, Query(pattern=f"^({'|'.join(SORTS)})$")] = "newest",
        stars: Annotated[int, Query(ge=0, le=5, description="at least this many stars")] = 0,
        offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = 60,
    ) -> JSONResponse:
        """A page of the library."""
        found = library.search(q, sort, stars)
        shown = public(found[offset : offset + limit])
        return JSONResponse({"total": len(found), "offset": offset, "results": shown})

    @app.get("/api/results/{result_id}")
    def read_result(result_id: str) -> dict[str, Any]:
        """One result, with the settings that made it and the command that makes it again."""
        entry = or_404(lambda: library.entry(result_id), _MISSING)
        record = read_record(studio.file(result_id, RECORD_FILE))
        recipe = record.recipe
        mel = {name: recipe.mel_spec[name] for name in ("f_min", "f_max") if name in recipe.mel_spec}
        more = {"mel": mel, "settings": settings_of(recipe), "painting": None}
        if record.verb == "paint":
            more["painting"] = painting_of(record, studio.file(result_id, "sound.wav"))
        return {**public([entry])[0], **more, **commands_of(recipe)}

    @app.put("/api/results/{result_id}/stars")
    def rate_result(result_id: str, request: StarsRequest) -> dict[str, Any]:
        """Gives a result 0 to 5 stars."""
        entry = or_404(lambda: library.set_stars(result_id, request.stars), _MISSING)
        return public([entry])[0]

    _add_files(app, studio)


def _add_files(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/results/{result_id}/thumbnail.jpg", response_class=Response)
    def read_thumbnail(result_id: str, request: Request) -> Response:
        """A small picture; a browser that has it already is answered without it."""
        picture = studio.file(result_id, "picture.png")
        tag = f'"{result_id}-{picture.stat().st_mtime_ns:x}"'
        headers = {**_NEVER_CHANGES, "etag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(studio.thumbnail(picture), media_type="image/jpeg", headers=headers)

    @app.get("/api/results/{result_id}/sound.flac", response_class=Response)
    def read_flac(result_id: str) -> Response:
        """The sound as FLAC."""
        return _download(lambda: flac(studio.file(result_id, "sound.wav")), "audio/flac", "sound.flac")

    @app.get("/api/results/{result_id}/result.zip", response_class=Response)
    def read_zip(result_id: str) -> Response:
        """All files of a result."""
        entry = or_404(lambda: studio.library.entry(result_id), _MISSING)
        files = [studio.file(result_id, name) for name in (*entry["files"], *entry["further"])]
        return _download(lambda: zipped(files), "application/zip", "result.zip")

    @app.get("/api/results/{result_id}/{name}", response_class=FileResponse)
    def read_file(result_id: str, name: str) -> FileResponse:
        """picture.png, spectrogram.png, sound.wav, video.mp4, record.json, or iterations.png of `paint`."""
        return FileResponse(
            studio.file(result_id, name), media_type=media_type_of(name), headers=_NEVER_CHANGES
        )


def _download(make: Callable[[], bytes], media_type: str, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(make(), media_type=media_type, headers=headers)
