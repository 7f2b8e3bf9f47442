"""Loads the parts of a model from a folder in diffusers' layout or from a single file.

With `single_file`, the only module that builds networks of diffusers and transformers. Weights that
could run code while they are read are refused by the loaders it uses."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator

from eidophone.core.errors import BadInput
from eidophone.media.vocoder_files import read_json, settings_of
from eidophone.models.cards import PIXEL
from eidophone.models.files import DiffusionFiles
from eidophone.models.identity import file_id
from eidophone.models.networks import tokenizer
from eidophone.models.networks.base import Network
from eidophone.models.networks.clip import ClipText
from eidophone.models.networks.patches import NAME, Patches
from eidophone.models.networks.reading import empty, read_network, rebuilt
from eidophone.models.networks.unet import UNet
from eidophone.models.networks.vae import Vae
from eidophone.models.pretrained import checked, pretrained
from eidophone.models.text import IF_RULES, TextEncoder, TextRules
from eidophone.models.weights import chosen_weights, variant_of

_FLOW = "flow_prediction"
#: The noise schedule of Stable Diffusion 1.x, and of the audio models that were trained from it.
SD_SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "steps_offset": 1,
    "set_alpha_to_one": False,
    "clip_sample": False,
}
_Beta = Annotated[float, Field(ge=0, lt=1)]


class _Schedule(BaseModel):
    """What a `scheduler_config.json` may say about noise; its other keys belong to its sampler."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)

    num_train_timesteps: Annotated[int, Field(ge=1, le=100_000)] | None = None
    beta_start: _Beta | None = None
    beta_end: _Beta | None = None
    beta_schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] | None = None
    trained_betas: list[_Beta] | None = None
    prediction_type: str | None = None
    shift: Annotated[float, Field(gt=0)] | None = None
    steps_offset: Annotated[int, Field(ge=0, le=1000)] | None = None
    set_alpha_to_one: bool | None = None
    timestep_spacing: Literal["leading", "trailing", "linspace"] | None = None
    clip_sample: bool | None = None
    clip_sample_range: Annotated[float, Field(gt=0)] | None = None
    thresholding: bool | None = None
    dynamic_thresholding_ratio: Annotated[float, Field(gt=0, le=1)] | None = None
    sample_max_value: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one_beta_a_timestep(self) -> Self:
        if self.trained_betas is not None and len(self.trained_betas) != (self.num_train_timesteps or 1000):
            raise ValueError("trained_betas must be as many as num_train_timesteps")
        return self


def load_unet(source: DiffusionFiles, dtype: torch.dtype, device: torch.device) -> Any:
    """The U-Net, ready to use, without gradients for its weights."""
    found = None if source.single else read_network(UNet, _needed("unet", source), dtype)
    if found is None:
        from diffusers import UNet2DConditionModel

        found = rebuilt(UNet, load_network(UNet2DConditionModel, "unet", source, dtype))
    return settled(found, device)


def load_vae(source: DiffusionFiles, dtype: torch.dtype, device: torch.device) -> Any:
    """The VAE, or the codec that stands in its place, ready to use."""
    network = _vae(source, dtype)
    for name in ("scaling_factor", "shift_factor"):
        value = network.config.get(name)
        if not isinstance(value, int | float) and not (value is None and name == "shift_factor"):
            raise BadInput(
                f"{source.part('vae') / 'config.json'}: {name} must be a number; got {value!r}; "
                "fetch the model again."
            )
    return settled(network, device)


def _vae(source: DiffusionFiles, dtype: torch.dtype) -> Any:
    folder = _needed("vae", source)
    patches = _says(folder / "config.json", "_class_name") == NAME
    kind: type[Network] = Patches if patches else Vae
    if not source.single and (found := read_network(kind, folder, dtype)) is not None:
        return found
    if patches:
        from eidophone.models.patches import PatchCodec

        return rebuilt(Patches, load_network(PatchCodec, "vae", source, dtype))
    from diffusers import AutoencoderKL

    return rebuilt(Vae, load_network(AutoencoderKL, "vae", source, dtype))


def _says(config: Path, name: str) -> Any:
    said = read_json(config) if config.is_file() else {}
    return said.get(name) if isinstance(said, dict) else None


def load_text_encoder(source: DiffusionFiles, dtype: torch.dtype, device: torch.device) -> TextEncoder:
    """The text encoder with its tokenizer, ready to use."""
    folder, words = _needed("text_encoder", source), _needed("tokenizer", source)
    if source.role in PIXEL and _says(folder / "config.json", "model_type") == "t5":
        return load_t5(source, dtype, device, IF_RULES)
    network = settled(_clip(source, folder, dtype), device)
    read = _clip_tokenizer(words)
    _check_vocabulary(words, read, network)
    return TextEncoder(read, network)


def _clip_tokenizer(words: Path) -> Any:
    if tokenizer.understood(words):
        return checked(words, lambda: tokenizer.Tokenizer(words))
    from transformers import CLIPTokenizer

    return checked(words, lambda: CLIPTokenizer.from_pretrained(words, local_files_only=True))


def _clip(source: DiffusionFiles, folder: Path, dtype: torch.dtype) -> Any:
    if source.single and source.role not in PIXEL:
        return checked(source.single, lambda: text_encoder_in(source.single, folder, dtype))
    if (found := read_network(ClipText, folder, dtype)) is not None:
        return found
    from transformers import CLIPTextModel

    return rebuilt(ClipText, pretrained(CLIPTextModel, folder, dtype=dtype, variant=_variant(folder)))


def load_t5(
    source: DiffusionFiles, dtype: torch.dtype, device: torch.device, rules: TextRules
) -> TextEncoder:
    """T5's text encoder with its tokenizer, ready to use.

    Args:
        source: The model.
        dtype, device: Of the network.
        rules: How the model was trained to read its prompts.
    """
    from transformers import T5EncoderModel, T5Tokenizer

    folder, words = _needed("text_encoder", source), _needed("tokenizer", source)
    readers = ("sentencepiece", "google.protobuf")
    if not (words / "tokenizer.json").is_file() and not all(_installed(name) for name in readers):
        raise BadInput(
            f"{words}: T5's vocabulary is in spiece.model, and the package that reads it is not installed; "
            "run `pip install 'eidophone[if]'`."
        )
    network = pretrained(T5EncoderModel, folder, dtype=dtype, variant=_variant(folder))
    tokenizer = checked(words, lambda: T5Tokenizer.from_pretrained(words, local_files_only=True))
    _check_vocabulary(words, tokenizer, network)
    return TextEncoder(tokenizer, settled(network, device), rules=rules)


def _check_vocabulary(words: Path, tokenizer: Any, network: Any) -> None:
    """Refuses a tokenizer with words that the network has no numbers for."""
    known, size = len(tokenizer), int(network.config.vocab_size)
    if known > size:
        raise BadInput(
            f"{words}: its vocabulary has {known:,} entries, but the text encoder beside it knows {size:,}; "
            "fetch the model again."
        )


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def load_schedule(source: DiffusionFiles, part: str = "scheduler") -> dict[str, Any]:
    """The noise schedule in a part's `scheduler_config.json`, without values that are null.

    Flow matching has no noise schedule. Its models take Stable Diffusion's, so that they can share a canvas with
    other models; see `models.predictions`.

    Raises:
        BadInput: it is missing or damaged, or holds an impossible value.
    """
    path = source.part(part) / "scheduler_config.json"
    file_id(path)
    given = read_json(path)
    settings_of(_Schedule, given, str(path))
    if not isinstance(given, dict):
        return {}
    if str(given.get("_class_name")).startswith("FlowMatch") or given.get("prediction_type") == _FLOW:
        return dict(SD_SCHEDULE) | {"prediction_type": _FLOW}
    return {key: value for key, value in given.items() if value is not None}


def _needed(part: str, source: DiffusionFiles) -> Path:
    """The folder of a part that must be there."""
    folder = source.part(part)
    if not folder.is_dir():
        raise BadInput(f"{source.name}: {folder.name}/ is missing in {folder.parent}.")
    return folder


def load_network(kind: Any, part: str, source: DiffusionFiles, dtype: torch.dtype) -> Any:
    """Loads a network of diffusers from its folder or from the single file."""
    folder = _needed(part, source)
    how = {"torch_dtype": dtype, "low_cpu_mem_usage": True}  # no random weights first
    if source.single:
        where = {"config": str(folder.parent), "subfolder": part, "local_files_only": True, **how}
        return checked(source.single, lambda: kind.from_single_file(str(source.single), **where))
    return pretrained(kind, folder, variant=_variant(folder), **how)


def _variant(folder: Path) -> str | None:
    """The variant that a folder with nothing but half-precision weights must be asked for."""
    chosen = chosen_weights(p.name for p in folder.iterdir())
    return variant_of(chosen[0]) or None if chosen else None


def settled(network: Any, device: torch.device) -> Any:
    """A network on a device, ready to use, without gradients for its weights."""
    return network.to(device).eval().requires_grad_(False)


_PREFIX = "cond_stage_model.transformer."


def text_encoder_in(single: Path | None, layout: Path, dtype: torch.dtype) -> Any:
    """Builds CLIP's text model from the settings in `layout` and the weights in a single file.

    Raises:
        ValueError: the file holds no such text encoder.
    """
    from safetensors import safe_open

    network = empty(ClipText, config if isinstance(config := read_json(layout / "config.json"), dict) else {})
    expected = network.state_dict()
    with safe_open(str(single), "pt") as file:
        inside = {k.removeprefix(_PREFIX): k for k in file.keys() if k.startswith(_PREFIX)}  # noqa: SIM118
        names = {_plain(k): k for k in inside}
        missing = sorted(k for k in expected if _plain(k) not in names)
        if missing:
            raise ValueError(f"it has no Stable Diffusion 1.x text encoder: {missing[0]} is missing")
        state = {k: file.get_tensor(inside[names[_plain(k)]]).to(dtype) for k in expected}
    network.load_state_dict(state, assign=True)
    return network


def _plain(key: str) -> str:
    # transformers before 5 wrapped all parts in `text_model`
    return key.removeprefix("text_model.")
