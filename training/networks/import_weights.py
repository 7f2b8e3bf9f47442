"""A work folder that goes on from an exported family: `python -m training.train adopt --init-from FOLDER`.

Text encoder, tokenizer and codec become the run's own, as they are, so that latents and conditions mean what
they meant; the denoisers begin from the same folder when they are trained with the same `--init-from`.
"""

import json

import torch
from transformers import CLIPTokenizer

from eidophone.models.load import Loader
from training.networks import text
from training.config import Run
from training.loop import save_whole


def adopt(run: Run) -> None:
    """work/tokenizer/, work/text.pt, work/codec.pt and work/deviations.json, from the run's elder.

    Raises:
        ValueError: the run has no elder.
    """
    if run.init_from is None:
        raise ValueError("adopt needs an exported family: give --init-from FOLDER")
    elder = Loader(torch.device("cpu"), torch.float32, offline=True).model(str(run.init_from / "image"), "image")
    CLIPTokenizer.from_pretrained(run.init_from / "image" / "tokenizer").save_pretrained(run.work / "tokenizer")
    student = text.Student(elder.text.network)
    save_whole({"mean": student.state_dict()}, run.work / "text.pt")
    save_whole({"mean": elder.vae.state_dict()}, run.work / "codec.pt")
    # exported codecs are levelled: equal deviations leave them as they are
    (run.work / "deviations.json").write_text(json.dumps([1.0] * run["codec"]["latents"]))
