"""Takes over the text encoder and the codec of an exported family: the stage `import-weights`.

Then latents and text conditions mean what they mean to that family, and its U-Nets can go on (unet.py).
"""

import json

import torch
from transformers import CLIPTokenizer

from eidophone.models.load import Loader
from training.cache import save_whole
from training.config import Run, TrainingError
from training.networks import text


def import_weights(run: Run) -> None:
    """Writes tokenizer/, text.pt, codec.pt and deviations.json into the work folder.

    Raises:
        TrainingError: the run does not say which family to go on from.
    """
    if run.init_from is None:
        raise TrainingError("The stage import-weights needs an exported family: give --init-from FOLDER.")
    earlier = Loader(torch.device("cpu"), torch.float32, offline=True).model(
        str(run.earlier("image")), "image"
    )
    CLIPTokenizer.from_pretrained(run.earlier("image") / "tokenizer").save_pretrained(run.work / "tokenizer")
    student = text.Student(earlier.text.network)
    save_whole({"mean": student.state_dict()}, run.work / "text.pt")
    save_whole({"mean": earlier.vae.state_dict()}, run.work / "codec.pt")
    # The channels of an exported codec are levelled already. Equal deviations leave them as they are.
    (run.work / "deviations.json").write_text(json.dumps([1.0] * run["codec"]["latents"]))
