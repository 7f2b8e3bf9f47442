"""What Python and the C libraries write on both streams, in the surroundings of a case."""

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.case import Case


@contextlib.contextmanager
def captured(home: Path, case: Case) -> Iterator[dict[str, str]]:
    """Puts files in place of the streams; afterwards their text is under "out" and "err"."""
    said: dict[str, str] = {}
    kept = {1: os.dup(1), 2: os.dup(2)}
    streams = sys.stdout, sys.stderr
    with tempfile.TemporaryFile(dir=home.parent) as out, tempfile.TemporaryFile(dir=home.parent) as err:
        full = os.open("/dev/full", os.O_WRONLY) if case.stdout == "full" else None
        os.dup2(out.fileno() if full is None else full, 1)
        os.dup2(err.fileno(), 2)
        mine = [_stream(1, case.encoding), _stream(2, case.encoding)]
        sys.stdout, sys.stderr = mine
        if case.stdout == "closed":
            sys.stdout = None  # as Python sets it up
        try:
            yield said
        finally:
            for stream in mine:
                with contextlib.suppress(OSError):
                    stream.close()
            sys.stdout, sys.stderr = streams
            for number, copy in kept.items():
                os.dup2(copy, number)
                os.close(copy)
            if full is not None:
                os.close(full)
            for name, file in (("out", out), ("err", err)):
                file.seek(0)
                said[name] = file.read().decode(case.encoding, "replace")


def _stream(number: int, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(os.fdopen(os.dup(number), "wb"), encoding=encoding, write_through=True)
