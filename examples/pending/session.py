"""Makes several pairs with models that are loaded once: `python examples/session.py OUT`."""

import sys
import threading

import eidophone
from eidophone.core.events import CancelToken, SampleFinished, Step, Warned

PAIRS = [
    ("a painting of three frogs, grayscale, black background", "frog croaking"),
    ("a painting of sailing ships, grayscale, black background", "waves"),
]


def show(event: object) -> None:
    """Prints what happens; a web page would send it to the browser."""
    match event:
        case Step(stage=stage, done=done, total=total):
            print(f"\r{stage} {done}/{total}", end="", flush=True)
        case SampleFinished(result=result):
            print(f"\n{result.folder}")
        case Warned(message=message):
            print(f"\n{message}")


cancel = CancelToken()
limit = threading.Timer(120, cancel.cancel)  # stop within one step after two minutes
limit.start()
try:
    with eidophone.Session(image_model="tiny", audio_model="tiny") as session:
        made = list(
            session.compose(
                prompts=PAIRS, count=2, preset="draft", out=sys.argv[1], events=show, cancel=cancel
            )
        )
        # The inputs of the next verb may stay in memory.
        painted = next(iter(session.paint(made[0].clip, preset="draft")))
        painted.picture.image().save(f"{sys.argv[1]}/painted.png")
        made[0].clip.save(f"{sys.argv[1]}/frogs.wav")
finally:
    limit.cancel()
print(f"{len(made)} pictures that play")
