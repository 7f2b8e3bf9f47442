"""Whether a model works: its files are those that were made, its networks load and give numbers for one step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eidophone.core.errors import BadInput, EidophoneError, OutOfMemory
from eidophone.core.values import Floats
from eidophone.models.captioners.sentence import Heard
from eidophone.models.cards import DIFFUSION, PIXEL, Role, quoted
from eidophone.models.checkpoint import NetworkFiles
from eidophone.models.device import out_of_memory
from eidophone.models.digests import check_downloaded, check_shipped
from eidophone.models.files import DiffusionFiles
from eidophone.models.load import Loader
from eidophone.models.pixel import PixelModel
from eidophone.models.pretrained import running, worded
from eidophone.models.small_decoder import decoded
from eidophone.models.vocoders import mel_spec_of

_SIDE_CELLS = 16
_COLUMNS = 32
_TIMESTEP = 500


@dataclass(frozen=True)
class Checked:
    """A model that works.

    Attributes:
        name, role: Which model.
        facts: What it is, in a few words each, such as "U-Net of 12.3 M parameters".
        model: The loaded model; None for networks that listen or compare.
    """

    name: str
    role: Role
    facts: tuple[str, ...]
    model: Any = None


def check_model(name: str, role: Role, loader: Loader) -> Checked:
    """Loads a model and runs it for one step: denoising, decoding and playing, comparing, or listening.

    Args:
        name: Card, folder, file or hub id.
        role: What it is used for.
        loader: Where it runs; its networks stay in memory, so that two models can be compared afterwards.

    Raises:
        EidophoneError: it is not here, is damaged, differs from what was shipped, does not give numbers, or memory
            ran out.
    """
    kinds = {**dict.fromkeys(DIFFUSION, _check_latent), **dict.fromkeys(PIXEL, _check_pixel)}
    try:
        with torch.inference_mode():
            return kinds.get(role, _check_network)(name, role, loader)
    except EidophoneError:
        raise
    except Exception as error:  # settings and weights can be wrong in more ways than anybody lists
        if out_of_memory(error):
            raise OutOfMemory(
                "Out of memory; close other programs, or fetch the model again in case its settings are damaged."
            ) from error
        raise BadInput(
            f"does not work ({worded(error)}); fetch the model again, and report it if that does not help."
        ) from error


def _check_latent(name: str, role: Role, loader: Loader) -> Checked:
    source = loader.source(name, role)
    _check_files(source)
    model = loader.model(name, role)
    latents = _noise((1, model.latent_shape(8, 8)[0], _SIDE_CELLS, _SIDE_CELLS)).to(model.device)
    condition = model.text.encode("a dog")
    _check_numbers(name, "denoising network", model.noise_of(latents, torch.tensor(_TIMESTEP), condition))
    _check_numbers(name, "VAE", model.decode(latents))
    facts = _facts(model)
    if role == "audio":
        spec, vocoder = mel_spec_of(source), loader.vocoder(source)
        _check_numbers(name, "vocoder", vocoder(torch.zeros(1, spec.n_mels, _COLUMNS, device=model.device)))
        facts = (*facts, f"{spec.n_mels} mel bands at {spec.rate_hz} Hz", vocoder.name)
    return Checked(name, role, facts, model)


def _check_pixel(name: str, role: Role, loader: Loader) -> Checked:
    source = loader.source(name, role)
    _check_files(source)
    beside = None
    if role == "pixel":
        model, conditions = loader.pixel(name, {"prompt": "a dog"})
        condition = conditions["prompt"]
    else:
        model = loader.upscaler(name)
        config = model.network.config
        condition = torch.zeros(1, 4, config.get("encoder_hid_dim") or config.cross_attention_dim)
    side = 4 * model.block_size
    pixels = _noise((1, 3, side, side)).to(model.device)
    if role == "upscaler":
        beside = model.beside(pixels[..., ::4, ::4], (side, side), 0, pixels)
    noise = model.noise_of(pixels, torch.tensor(_TIMESTEP), condition, beside)
    _check_numbers(name, "denoising network", noise)
    height, width = model.canvas
    return Checked(name, role, (*_facts(model), f"{width} x {height} pixels"), model)


def _check_network(name: str, role: Role, loader: Loader) -> Checked:
    found = loader.network(name, role)
    _check_files(found)
    run: Callable[[], str] = {
        "embedder": lambda: _compares(name, loader),
        "captioner": lambda: _listens(name, loader),
        "separator": lambda: _separates(name, loader),
        "tagger": lambda: _names(name, loader),
        "preview": lambda: _decodes(name, loader),
    }[role]
    with running(f"The {role}"):
        return Checked(name, role, (run(),))


def _compares(name: str, loader: Loader) -> str:
    embedder = loader.embedder(name)
    if "text" in embedder.senses:
        _check_numbers(name, "text encoder", embedder.text(["a dog"]))
    if "picture" in embedder.senses:
        _check_numbers(name, "image encoder", embedder.picture(torch.full((1, 3, 64, 64), 0.5)))
    if "sound" in embedder.senses:
        _check_numbers(name, "audio encoder", embedder.sound(0.1 * _noise((1, 16_000)), 16_000))
    return f"compares {', '.join(sorted(embedder.senses))}"


def _listens(name: str, loader: Loader) -> str:
    captioner = loader.captioner(name)
    second: Floats = (0.1 * _noise((captioner.rate_hz,))).numpy()
    captioner.caption([second])
    return f"describes sound at {captioner.rate_hz} Hz"


def _separates(name: str, loader: Loader) -> str:
    separator = loader.separator(name)
    second: Floats = (0.1 * _noise((separator.rate_hz,))).numpy()
    stems = separator.separate(
        second, [Heard("a dog barking", 1.0, 0.0, 0.5), Heard("rain falling", 1.0, 0.5, 1.0)]
    )
    _check_numbers(name, "separator", torch.from_numpy(stems))
    return f"separates sound at {separator.rate_hz} Hz"


def _names(name: str, loader: Loader) -> str:
    tagger = loader.tagger()
    _check_numbers(name, "tagger", tagger.scores(0.1 * _noise((1, 16_000))))
    return f"knows {len(tagger.classes)} classes of sound"


def _decodes(name: str, loader: Loader) -> str:
    decoder = loader.preview_decoder(name)
    channels = decoder.config.latent_channels
    _check_numbers(name, "decoder", decoded(decoder, _noise((1, channels, _SIDE_CELLS, _SIDE_CELLS))))
    return f"decodes {channels} channels for previews"


def _facts(model: Any) -> tuple[str, ...]:
    size = sum(weight.numel() for weight in model.network.parameters()) / 1e6
    kind = "U-Net" if "UNet" in type(model.network).__name__ else "transformer"
    stage = "" if not isinstance(model, PixelModel) else " over pixels"
    return f"{kind}{stage} of {size:.1f} M parameters", model.schedule.get("prediction_type", "epsilon")


def _noise(shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _check_files(found: DiffusionFiles | NetworkFiles) -> None:
    if found.revision == "package":
        check_shipped(found.path)
    else:
        check_downloaded(path for _, path in found.files())


def _check_numbers(name: str, part: str, values: Tensor) -> None:
    if not torch.isfinite(values).all():
        raise BadInput(
            f"{quoted(name)}: its {part} gives values that are not numbers, so its weights are damaged; fetch the "
            "model again."
        )
