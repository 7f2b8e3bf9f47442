"""Whether two models, or two networks, are alike: those that share one latent must be."""

from typing import Any

import torch
from torch import Tensor

from eidophone.core.errors import ModelsDoNotFit
from eidophone.diffusion.sampler import training_schedule
from eidophone.models.latent import LatentModel
from eidophone.models.networks.base import Network
from eidophone.models.text import TextEncoder

# Settings that do not change what a network computes: names, versions, and sizes for other pipelines.
_IDLE = {
    "architectures", "bos_token_id", "dtype", "eos_token_id", "force_upcast", "initializer_factor",
    "initializer_range", "pad_token_id", "projection_dim", "sample_size", "torch_dtype",
    "transformers_version",
}  # fmt: skip
_PROBE = "A castle with 12 towers, painted in gouache; \u00e9t\u00e9, \u6771\u4eac!"


def check_fit(image: LatentModel, audio: LatentModel) -> None:
    """Refuses to blend two models whose schedules, latents or VAEs differ.

    Raises:
        ModelsDoNotFit: the first difference found, with both names.
    """
    differences = (
        ("noise schedules", training_schedule(image.schedule), training_schedule(audio.schedule)),
        ("latent channels", image.network.config.in_channels, audio.network.config.in_channels),
        ("VAE scale factors", image.vae_scale_factor, audio.vae_scale_factor),
        ("VAE scaling factors", image.vae.config.scaling_factor, audio.vae.config.scaling_factor),
    )
    for what, of_image, of_audio in differences:
        if of_image != of_audio:
            raise _misfit(image, audio, f"their {what} differ: {_difference(of_image, of_audio)}")
    if not same_weights(image.vae, audio.vae):
        raise _misfit(image, audio, "their VAEs have different weights")
    for model in (image, audio):
        if model.network.config.in_channels != model.vae.config.latent_channels:
            raise _misfit(
                image, audio, f"the denoising network of {model.source.name!r} does not fit its VAE"
            )


def _misfit(image: LatentModel, audio: LatentModel, reason: str) -> ModelsDoNotFit:
    return ModelsDoNotFit(
        f"The image model {image.source.name!r} and the audio model {audio.source.name!r} cannot share "
        f"one latent: {reason}; choose two that come from the same base model."
    )


def _difference(a: object, b: object) -> str:
    if isinstance(a, dict) and isinstance(b, dict):
        return ", ".join(f"{k} {a[k]} and {b[k]}" for k in a if a[k] != b[k])
    return f"{a} and {b}"


def same_weights(a: Any, b: Any, tolerance: float = 5e-3) -> bool:
    """Whether two networks have the same tensors, up to rounding to half precision.

    Args:
        tolerance: Of each number, relative to itself. Rounding to bfloat16 and then to float16 stays below
            5e-3. Fine-tuning does not, because it moves small numbers as far as large ones. Networks that
            run in bfloat16 may differ by one step of it.
    """
    if a is b:
        return True
    ours, theirs = a.state_dict(), b.state_dict()
    if ours.keys() != theirs.keys() or any(ours[k].shape != theirs[k].shape for k in ours):
        return False
    return all(_same_tensor(ours[k], theirs[k], tolerance) for k in ours)


def _same_tensor(a: Tensor, b: Tensor, tolerance: float) -> bool:
    if not a.is_floating_point():
        return torch.equal(a, b)
    step = max(torch.finfo(t.dtype).eps for t in (a, b)) if tolerance else 0.0
    near = max(tolerance, step)
    a, b = a.float(), b.to(a.device).float()
    # 1e-7: float16 has no smaller numbers
    return bool(((a - b).abs() <= near * torch.maximum(a.abs(), b.abs()) + (1e-7 if tolerance else 0)).all())


def same_network(a: Any, b: Any) -> bool:
    """Whether two networks compute the same: equal weights, and equal settings except names and versions."""
    return _settings(a) == _settings(b) and same_weights(a, b)


def _settings(network: Any) -> dict[str, Any]:
    if isinstance(network, Network):
        config = network.essence
    else:
        config = network.config if isinstance(network.config, dict) else network.config.to_dict()
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in config.items()}
    return {k: v for k, v in plain.items() if not k.startswith("_") and k not in _IDLE}


def same_text_encoder(a: TextEncoder, b: TextEncoder) -> bool:
    """Whether two text encoders read a prompt alike: the same tokens, the same network."""
    return (
        a.rules == b.rules
        and a.length == b.length
        and a.padded(_PROBE) == b.padded(_PROBE)
        and same_network(a.network, b.network)
    )
