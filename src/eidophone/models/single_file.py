"""What a single .safetensors file holds, from the names and shapes in its header; its weights are not read."""

from pathlib import Path

from eidophone.core.errors import BadInput
from eidophone.models.cards import quoted

_UNET, _TEXT = "model.diffusion_model.", "cond_stage_model.transformer."
#: A weight of the first cross-attention; its second dimension is the width of the text condition.
_CROSS = f"{_UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
_INPUT = f"{_UNET}input_blocks.0.0.weight"
_SD1_WIDTH, _PLAIN_CHANNELS = 768, 4
_SD1 = "use a model made from Stable Diffusion 1.x"


def check_single_file(path: Path, name: str, *, own_settings: bool) -> None:
    """Refuses a single file that does not hold a whole model of Stable Diffusion 1.x.

    Args:
        path: A `.safetensors` file.
        name: As the user wrote it.
        own_settings: A folder beside the file says what it holds, so widths may differ from 1.x.

    Raises:
        BadInput: one sentence about what the file holds.
    """
    shapes = _header(path, name)
    if (said := _what(shapes, path, own_settings)) is not None:
        raise BadInput(f"{quoted(name)}: {said}.")


def _header(path: Path, name: str) -> dict[str, tuple[int, ...]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise BadInput(
            f"{quoted(name)}: is not a safetensors file, or is damaged ({error}); fetch it again."
        ) from error


def _what(shapes: dict[str, tuple[int, ...]], path: Path, own_settings: bool) -> str | None:
    """Why a file cannot be used; None if it can."""

    def some(*parts: str) -> bool:
        return any(part in key for key in shapes for part in parts)

    if some("lora_unet_", "lora_te", ".lora_down.", ".lora_up.", ".lora_A.", ".lora_B.", ".lora.down"):
        return (
            "is a LoRA, which changes a model and is none by itself; give the model that it was made for, and this "
            "file with --lora"
        )
    if some("conditioner.embedders."):
        return f"holds Stable Diffusion XL, which has another latent space than the audio models; {_SD1}"
    if some("joint_blocks.", "double_blocks."):
        return f"holds a transformer with latents of 16 channels, which no audio model shares; {_SD1}"
    if not some(_UNET):
        if some("first_stage_model.", "decoder.conv_in", "decoder.mid"):
            return "holds a VAE only, without a U-Net and a text encoder; give a whole model"
        return "holds no Stable Diffusion model in the original layout; give a whole model, or its folder"
    channels = shapes.get(_INPUT, (0, _PLAIN_CHANNELS))[1]
    if channels != _PLAIN_CHANNELS and not own_settings:
        return (
            f"holds a U-Net of {channels} input channels, which edits a given picture; use the text-to-image "
            "model that it was trained from"
        )
    width = shapes.get(_CROSS, (0, _SD1_WIDTH))[1]
    if (width != _SD1_WIDTH and not own_settings) or some("cond_stage_model.model."):
        return (
            'holds Stable Diffusion 2.x, which is read from a folder only; make one with: python -c "from '
            f"diffusers import StableDiffusionPipeline as P; P.from_single_file({path.name!r})"
            f'.save_pretrained({path.stem!r})"'
        )
    if not some(_TEXT):
        return "holds no text encoder; give a whole model, or its folder"
    return None
