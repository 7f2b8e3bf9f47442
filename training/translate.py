"""Begins a denoiser from one that speaks of other latents; linear maps stand in between."""

import torch
from torch import Tensor

from eidophone.models.load import Loader
from training import codec
from training.config import Run
from training.data import canvases, sound_pictures

EXAMPLES = 160


def fitted(there: Tensor, here: Tensor) -> Tensor:
    """The matrix (b, a) that maps latents (N, a, h, w) to latents (N, b, h, w) with the least error."""
    flat = [x.transpose(0, 1).flatten(1).T for x in (there, here)]
    found: Tensor = torch.linalg.lstsq(flat[0] - flat[0].mean(0), flat[1] - flat[1].mean(0)).solution
    return found.T


@torch.no_grad()
def translated(run: Run, which: str) -> dict[str, Tensor]:
    """The state of the elder's denoiser, made to speak of this run's latents."""
    elder = Loader(torch.device("cpu"), torch.float32, offline=True).model(str(run.elder / which), "image")
    drawn, heard = canvases(run)[0], sound_pictures(run)[0]
    pictures = [kept[:: max(1, len(kept) // EXAMPLES)][:EXAMPLES] for kept in (drawn, heard)]
    inputs = [part for kept in pictures for part in codec.as_input(kept, elder.device).split(16)]
    scale, coder = elder.vae.config.scaling_factor, codec.load(run).cpu()
    old = torch.cat([elder.vae.encode(x).latent_dist.mean * scale for x in inputs])
    new = torch.cat([coder.encode(x).latent_dist.mean for x in inputs])
    into, back = fitted(new, old), fitted(old, new)
    known: dict[str, Tensor] = elder.network.state_dict()
    known["conv_in.weight"] = torch.einsum("ochw,cd->odhw", known["conv_in.weight"], into)
    known["conv_out.weight"] = torch.einsum("dc,cihw->dihw", back, known["conv_out.weight"])
    known["conv_out.bias"] = back @ known["conv_out.bias"]
    return known
