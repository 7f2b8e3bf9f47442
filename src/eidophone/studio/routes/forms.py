"""Forms and what goes into them: options, uploaded files, settings in files of Eidophone."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from eidophone.core.errors import BadInput
from eidophone.models.cards import known
from eidophone.results.recipe import read_recipe, recipe_in_png
from eidophone.studio.requests import settings_of
from eidophone.studio.state import Studio
from eidophone.verbs import VERBS
from eidophone.verbs.forms import form_of
from eidophone.version import VERSION


def add_forms(app: FastAPI, studio: Studio) -> None:
    """Adds the routes."""

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
        return {**form_of(VERBS[verb]), "models": sorted(set(known()))}

    @app.post("/api/inputs", status_code=201)
    async def upload(request: Request) -> dict[str, Any]:
        """Takes a picture or a sound as the body of the request, and returns its id."""
        draft = await studio.inputs.receive(request.stream())
        return await run_in_threadpool(studio.inputs.keep, draft)

    @app.post("/api/recipe")
    async def read_settings(request: Request) -> dict[str, Any]:
        """Takes a PNG or WAV of Eidophone as the body, and returns the settings that made it."""
        draft = await studio.inputs.receive(request.stream())
        return await run_in_threadpool(_settings_in, draft)


def _settings_in(draft: Path) -> dict[str, Any]:
    try:
        with draft.open("rb") as file:
            is_sound = file.read(4) in (b"RIFF", b"RF64")
        if is_sound:
            draft = draft.rename(draft.with_suffix(".wav"))
            return settings_of(read_recipe(draft))
        recipe = recipe_in_png(draft)
        if recipe is None:
            raise BadInput("This file carries no settings; use a PNG or WAV as Eidophone wrote it.")
        return settings_of(recipe)
    except BadInput as error:
        # the name of the draft means nothing to a visitor
        raise BadInput(str(error).replace(str(draft), "This file")) from None
    finally:
        draft.unlink(missing_ok=True)
