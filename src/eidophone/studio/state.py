"""What the routes share: the library, uploaded files, the queue."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import HTTPException

from eidophone.core.errors import BadInput
from eidophone.results.folders import new_folder
from eidophone.studio.engine import Engine, SessionEngine
from eidophone.studio.exports import thumbnail
from eidophone.studio.jobs import Job, Worker
from eidophone.studio.library import Library, public
from eidophone.studio.process import ProcessEngine
from eidophone.studio.settings import StudioSettings
from eidophone.studio.uploads import Inputs

#: Thumbnails kept in memory; a few kilobytes each.
_KEPT_THUMBNAILS = 4096


class Studio:
    """One running Studio."""

    def __init__(self, settings: StudioSettings) -> None:
        limits = settings.limits
        self.settings = settings
        self.library = Library(settings.out)
        self.inputs = Inputs(settings.private / "inputs", limits.upload_bytes, limits.inputs_bytes)
        engine: Engine = ProcessEngine() if limits.own_process else SessionEngine()
        self.worker = Worker(engine, self._place, lambda made: public([self.library.add(made)])[0], limits)
        self._thumbnail = functools.lru_cache(_KEPT_THUMBNAILS)(lambda path, _time: thumbnail(path))

    def job(self, job_id: str) -> Job:
        """A job by its id; 404 if there is none."""
        try:
            return self.worker[job_id]
        except KeyError:
            raise HTTPException(404, "There is no such job; the server may have been restarted.") from None

    def file(self, result_id: str, name: str) -> Path:
        """A file of a result; 404 if there is none."""
        found: Path = or_404(lambda: self.library.file(result_id, name), "There is no such file.")
        return found

    def result_folder(self, result_id: str) -> Path:
        """The folder of a result, as the input of another job."""
        try:
            return self.library.folder(result_id)
        except KeyError:
            raise BadInput("There is no such result any more; choose another.") from None

    def thumbnail(self, picture: Path) -> bytes:
        """A small JPEG of a picture; made again when the picture changes."""
        return self._thumbnail(picture, picture.stat().st_mtime_ns)

    def _place(self, job: Job) -> Path:
        if job.sound is not None:
            return job.sound
        words = [getattr(job.options, name, "") for name in ("image_prompt", "audio_prompt")]
        return new_folder(self.settings.out, job.verb, " ".join(word for word in words if word))


def or_404(find: Callable[[], Any], message: str) -> Any:
    """What `find` finds; 404 with a sentence where it raises KeyError."""
    try:
        return find()
    except KeyError:
        raise HTTPException(404, message) from None
