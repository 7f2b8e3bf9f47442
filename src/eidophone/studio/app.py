"""The application: the HTTP API and the page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from eidophone.core.errors import EidophoneError
from eidophone.core.text import printable
from eidophone.studio.guard import Guard
from eidophone.studio.jobs import QueueFull
from eidophone.studio.routes.forms import add_forms
from eidophone.studio.routes.jobs import add_jobs
from eidophone.studio.routes.results import add_results
from eidophone.studio.settings import StudioSettings
from eidophone.studio.state import Studio
from eidophone.studio.uploads import TooLarge
from eidophone.version import VERSION

PAGE = Path(__file__).with_name("page")
#: What the router says, in sentences.
_PLAINLY = {
    "Not Found": "There is nothing at this address.",
    "There was an error parsing the body": "The request is not readable JSON; send an object.",
    "Method Not Allowed": "This address does not take this kind of request.",
}


def create_app(settings: StudioSettings) -> FastAPI:
    """The application.

    Args:
        settings: See `StudioSettings`.
    """
    studio = Studio(settings)

    @asynccontextmanager
    async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
        studio.worker.start()
        studio.library.scan_soon()
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
    add_jobs(app, studio)
    add_results(app, studio)
    add_forms(app, studio)
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    app.state.studio = studio
    return app


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

    @app.exception_handler(HTTPException)  # those of the routes, and of the router itself
    async def _refused(_: Request, error: HTTPException) -> JSONResponse:
        detail = _PLAINLY.get(str(error.detail), str(error.detail))
        return _sentence(error.status_code, detail, **(error.headers or {}))
