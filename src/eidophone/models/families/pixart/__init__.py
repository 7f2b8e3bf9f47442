"""PixArt (Chen et al., 2023, arXiv:2310.00426): a diffusion transformer over VAE latents, T5's text encoder.

PixArt-alpha uses Stable Diffusion's latents, so it can share a canvas with an audio model that was trained from
Stable Diffusion 1.x, provided that its noise schedule is the same or that it was trained with flow matching.
"""

from typing import TYPE_CHECKING, Any

from eidophone.core.errors import BadInput
from eidophone.models.families import Family

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from eidophone.models.files import DiffusionFiles
    from eidophone.models.text import TextEncoder

#: Tokens that PixArt-alpha and PixArt-Sigma were trained with.
TOKENS, SIGMA_TOKENS = 120, 300


def load_network(source: "DiffusionFiles", dtype: "torch.dtype", device: "torch.device") -> Any:
    """The transformer, ready to use, without gradients for its weights."""
    from diffusers import PixArtTransformer2DModel

    from eidophone.models.components import load_network, settled

    return settled(load_network(PixArtTransformer2DModel, "transformer", source, dtype), device)


def load_text(source: "DiffusionFiles", dtype: "torch.dtype", device: "torch.device") -> "TextEncoder":
    """T5's text encoder with its tokenizer; padding becomes zeros, which the transformer masks."""
    from eidophone.models.components import load_t5
    from eidophone.models.text import TextRules

    tokens = SIGMA_TOKENS if source.pipeline == "PixArtSigmaPipeline" else TOKENS
    return load_t5(
        source, dtype, device, TextRules(tokens, lower_case=True, mask_padding=True, zero_padding=True)
    )


def ask(network: Any, noisy: "Tensor", timestep: "Tensor", condition: "Tensor", **more: Any) -> "Tensor":
    """See `families.Ask`; tokens whose condition is all zeros are masked in the attention."""
    patch = int(network.config.patch_size)
    if noisy.shape[-2] % patch or noisy.shape[-1] % patch:
        raise BadInput(
            f"The transformer works in blocks of {patch} x {patch} latent cells; choose a height and a width that "
            f"are multiples of {8 * patch} pixels."
        )
    found: Tensor = network(
        noisy,
        encoder_hidden_states=condition,
        encoder_attention_mask=(condition != 0).any(-1).to(noisy.dtype),
        timestep=timestep.expand(len(noisy)),
        added_cond_kwargs=_size_conditions(network, noisy),
        return_dict=False,
        **more,
    )[0]
    return found


def _size_conditions(network: Any, noisy: "Tensor") -> dict[str, Any]:
    """Size and aspect ratio of the picture, for the networks that were trained with them (at 1024 pixels)."""
    if not network.use_additional_conditions:
        return {"resolution": None, "aspect_ratio": None}
    rows, columns = noisy.shape[-2:]
    size = noisy.new_tensor([[8.0 * rows, 8.0 * columns]]).expand(len(noisy), -1)
    return {"resolution": size, "aspect_ratio": noisy.new_full((len(noisy), 1), rows / columns)}


def width(config: Any) -> int | None:
    """The width of the text condition, per token."""
    found = config.get("caption_channels")
    return found if isinstance(found, int) else None


FAMILY = Family(
    folder="transformer",
    pipelines=("PixArtAlphaPipeline", "PixArtSigmaPipeline"),
    networks=("PixArtTransformer2DModel",),
    load_network=load_network,
    load_text=load_text,
    ask=ask,
    width=width,
)
