"""Makes two pairs with models that are loaded once: `python examples/session.py OUT`."""

import sys
import threading
from pathlib import Path

import eidophone

PAIRS = [
    ("a painting of three frogs, grayscale, black background", "frog croaking"),
    ("a painting of sailing ships, grayscale, black background", "waves"),
]


def show(event: object) -> None:
    """Prints what happens; a web page would send it to the browser."""
    match event:
        case eidophone.Step(stage=stage, done=done, total=total):
            print(f"{stage} {done}/{total}", file=sys.stderr)
        case eidophone.SampleFinished(result=result):
            print(f"finished: {result.folder}")
        case eidophone.Warned(message=message):
            print(message, file=sys.stderr)


out = Path(sys.argv[1])
cancel = eidophone.CancelToken()
limit = threading.Timer(300, cancel.cancel)  # stop within one step after five minutes
limit.start()
try:
    with eidophone.Session() as session:
        made = list(
            session.compose(
                prompts=PAIRS, count=2, preset="draft", out=out / "pairs", events=show, cancel=cancel
            )
        )
        # The sound of a result goes on to the next verb without a file.
        list(session.paint(made[0].clip, preset="draft", out=out / "painted", events=show, cancel=cancel))
finally:
    limit.cancel()
print(f"{len(made)} pictures that play")
