"""Starts a U-Net from one that was trained on the latents of another codec.

Linear maps between the two codecs' latents are fitted on examples and folded into its first and last layer.
"""

import torch
from torch import Tensor

from eidophone.models.load import Loader
from training.config import Run
from training.data.examples import canvases, sound_pictures
from training.networks import codec

EXAMPLES = 160


def fitted(there: Tensor, here: Tensor) -> Tensor:
    """The matrix (b, a) that maps latents (N, a, h, w) to latents (N, b, h, w) with least squared error."""
    flat = [x.transpose(0, 1).flatten(1).T for x in (there, here)]
    found: Tensor = torch.linalg.lstsq(flat[0] - flat[0].mean(0), flat[1] - flat[1].mean(0)).solution
    return found.T


@torch.no_grad()
def translated(run: Run, which: str) -> dict[str, Tensor]:
    """The state of the earlier family's U-Net `image` or `audio`, translated to this run's latents."""
    earlier = Loader(torch.device("cpu"), torch.float32, offline=True).model(str(run.earlier(which)), "image")
    drawn, heard = canvases(run)[0], sound_pictures(run)[0]
    pictures = [kept[:: max(1, len(kept) // EXAMPLES)][:EXAMPLES] for kept in (drawn, heard)]
    inputs = [part for kept in pictures for part in codec.as_input(kept, earlier.device).split(16)]
    scale, coder = earlier.vae.config.scaling_factor, codec.load(run).cpu()
    old = torch.cat([earlier.vae.encode(x).latent_dist.mean * scale for x in inputs])
    new = torch.cat([coder.encode(x).latent_dist.mean for x in inputs])
    into, back = fitted(new, old), fitted(old, new)
    known: dict[str, Tensor] = earlier.unet.state_dict()
    known["conv_in.weight"] = torch.einsum("ochw,cd->odhw", known["conv_in.weight"], into)
    known["conv_out.weight"] = torch.einsum("dc,cihw->dihw", back, known["conv_out.weight"])
    known["conv_out.bias"] = back @ known["conv_out.bias"]
    return known
