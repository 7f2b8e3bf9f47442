"""Stable Diffusion 1.x and 2.x, and what was trained from them: a U-Net over VAE latents, CLIP's text encoder."""

from typing import TYPE_CHECKING, Any

from eidophone.core.errors import BadInput
from eidophone.models.cards import quoted
from eidophone.models.families import Family

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from eidophone.models.files import DiffusionFiles
    from eidophone.models.text import TextEncoder


def load_network(source: "DiffusionFiles", dtype: "torch.dtype", device: "torch.device") -> Any:
    """The U-Net, ready to use, without gradients for its weights."""
    from eidophone.models.components import load_unet

    return load_unet(source, dtype, device)


def load_text(source: "DiffusionFiles", dtype: "torch.dtype", device: "torch.device") -> "TextEncoder":
    """CLIP's text encoder with its tokenizer."""
    from eidophone.models.components import load_text_encoder

    return load_text_encoder(source, dtype, device)


def ask(network: Any, noisy: "Tensor", timestep: "Tensor", condition: "Tensor", **more: Any) -> "Tensor":
    """See `families.Ask`."""
    found: Tensor = network(noisy, timestep, condition, **more)[0]
    return found


def width(config: Any) -> int | None:
    """The width of the text condition, per token."""
    found = config.get("encoder_hid_dim") or config.get("cross_attention_dim")
    return found if isinstance(found, int) else None


def check(settings: dict[str, Any], name: str) -> None:
    """Refuses U-Nets that need more than noisy latents, a timestep and a text condition.

    Raises:
        BadInput: one sentence about what this U-Net needs.
    """
    if settings.get("in_channels") in (5, 8, 9):
        raise BadInput(
            f"{quoted(name)}: its U-Net takes {settings['in_channels']} channels, so it edits a given picture "
            "(inpainting, depth or instructions); use the text-to-image model that it was trained from."
        )
    extra = settings.get("addition_embed_type")
    if extra == "text_time":
        raise BadInput(
            f"{quoted(name)}: its U-Net has the text conditions of Stable Diffusion XL, which has another latent "
            "space than the audio models; use a model made from Stable Diffusion 1.x."
        )
    if extra or settings.get("encoder_hid_dim_type") not in (None, "text_proj"):
        what = extra or settings["encoder_hid_dim_type"]
        raise BadInput(
            f"{quoted(name)}: its U-Net needs a condition besides text ({what}); use another model."
        )
    if settings.get("class_embed_type") or settings.get("num_class_embeds"):
        raise BadInput(f"{quoted(name)}: its U-Net needs class labels; use a model that needs text only.")


FAMILY = Family(
    folder="unet",
    pipelines=("StableDiffusionPipeline", "LatentConsistencyModelPipeline"),
    networks=("UNet2DConditionModel",),
    load_network=load_network,
    load_text=load_text,
    ask=ask,
    width=width,
    check=check,
)
