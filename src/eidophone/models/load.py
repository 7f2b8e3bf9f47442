"""Loads the models of a run: shared parts once, and refuses pairs that do not fit."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from eidophone.core.errors import BadInput, ModelsDoNotFit
from eidophone.diffusion.sampler import training_schedule
from eidophone.media.mel import MelSpec
from eidophone.media.vocoder import GriffinLim, Vocoder, load_hifi_gan, read_vocoder_config
from eidophone.models.cards import Role, quoted
from eidophone.models.components import load_schedule, load_text_encoder, load_unet, load_vae
from eidophone.models.latent import LatentModel
from eidophone.models.pixel import PixelModel, UpscalerModel
from eidophone.models.source import NOISING, DiffusionFiles, find
from eidophone.models.synonyms import read_synonyms
from eidophone.models.text import TextEncoder
from eidophone.models.unet import check_condition

Part = TypeVar("Part")

# What a part's settings say besides what it computes: names, versions, and sizes for pipelines of others.
_IDLE = {
    "architectures", "bos_token_id", "dtype", "eos_token_id", "force_upcast", "initializer_factor",
    "initializer_range", "pad_token_id", "projection_dim", "sample_size", "torch_dtype",
    "transformers_version",
}  # fmt: skip
_PROBE = "A castle with 12 towers, painted in gouache; \u00e9t\u00e9, \u6771\u4eac!"


@dataclass
class Loader:
    """Loads models on one device in one number format; parts that two models share are kept once.

    A part that lies in the same files is loaded once. One that lies in other files is loaded and
    compared, and dropped before the next part is loaded if it is the same.

    Attributes:
        device, dtype: Of the networks.
        offline: Never ask a hub.
    """

    device: torch.device
    dtype: torch.dtype
    offline: bool = False
    _vaes: dict[Hashable, Any] = field(default_factory=dict)
    _texts: dict[Hashable, TextEncoder] = field(default_factory=dict)

    def model(self, name: str, role: Role) -> LatentModel:
        """The model of a name (card, folder, file, hub id) in a role.

        Raises:
            UnknownModel, WeightsAbsent, BadInput: see `models.source.find`; also parts that do not fit.
        """
        source = find(name, role, offline=self.offline)
        where = (self.dtype, self.device)
        schedule = load_schedule(source)
        vae = _kept(self._vaes, _files(source, "vae"), lambda: load_vae(source, *where), same_network)
        text = _kept(
            self._texts,
            _files(source, "text_encoder", "tokenizer"),
            lambda: load_text_encoder(source, *where),
            same_text_encoder,
        )
        if (book := read_synonyms(source.path)).near:
            text = replace(text, synonyms=book)
        model = LatentModel(source, load_unet(source, *where), vae, text, schedule)
        check_condition(model, text.width)
        return model

    def pixel(
        self, name: str, prompts: Mapping[str, str], *, mask_padding: bool = True
    ) -> tuple[PixelModel, dict[str, Tensor]]:
        """Stage I of a cascade over pixels, and the conditions of all prompts that it and stage II will need.

        The text encoder has left memory before the U-Net is loaded.

        Args:
            name: Card, folder, file or hub id.
            prompts: By what they are called in a message, such as "negative prompt".
            mask_padding: T5 does not attend to the padding.

        Raises:
            UnknownModel, WeightsAbsent, BadInput: as `model`; a prompt that is too long.
        """
        source = find(name, "pixel", offline=self.offline)
        schedule = load_schedule(source)
        conditions = self._encoded(source, prompts, mask_padding)
        model = PixelModel(source, load_unet(source, self.dtype, self.device), schedule)
        for condition in conditions.values():
            check_condition(model, condition.shape[-1])
        return model, conditions

    def upscaler(self, name: str) -> UpscalerModel:
        """Stage II of a cascade over pixels; it hears the conditions of stage I.

        Raises:
            UnknownModel, WeightsAbsent, BadInput: as `model`.
        """
        source = find(name, "upscaler", offline=self.offline)
        schedule = load_schedule(source)
        noising = load_schedule(source, NOISING) if source.part(NOISING).is_dir() else schedule
        return UpscalerModel(source, load_unet(source, self.dtype, self.device), schedule, noising)

    def _encoded(
        self, source: DiffusionFiles, prompts: Mapping[str, str], mask_padding: bool
    ) -> dict[str, Tensor]:
        text = load_text_encoder(source, self.dtype, self.device)
        text = text if mask_padding else text.without_mask()
        return {what: text.encode(prompt, what) for what, prompt in prompts.items()}

    def pair(self, image: str, audio: str) -> tuple[LatentModel, LatentModel]:
        """Two models that can share one latent.

        Raises:
            ModelsDoNotFit: they cannot; both are named.
        """
        pair = self.model(image, "image"), self.model(audio, "audio")
        check_fit(*pair)
        if pair[0].vae is not pair[1].vae:
            pair[1].vae = pair[0].vae
        return pair


def _files(source: DiffusionFiles, *parts: str) -> Hashable:
    """The files that decide a part: where they lie, how large they are and when they were written."""
    try:
        folders = [source.part(part) for part in parts]
        found = [p for folder in folders if folder.is_dir() for p in sorted(folder.iterdir())]
        if source.single:
            found.append(source.single)
        facts = [(path.resolve(), path.stat()) for path in found]
    except OSError as error:
        raise BadInput(
            f"{quoted(source.name)}: its files cannot be read ({error.strerror}); see to their permissions."
        ) from error
    return parts, tuple((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in facts)


def _kept(
    cache: dict[Hashable, Part], key: Hashable, load: Callable[[], Part], same: Callable[[Part, Part], bool]
) -> Part:
    """What these files hold; the one that was loaded before, if it is the same."""
    if key not in cache:
        new = load()
        cache[key] = next((old for old in cache.values() if same(old, new)), new)
    return cache[key]


# --- do they fit ---------------------------------------------------------------------------------


def check_fit(image: LatentModel, audio: LatentModel) -> None:
    """Refuses to blend two models whose schedules, latents or VAEs differ.

    Raises:
        ModelsDoNotFit: the first difference found, with both names.
    """
    differences = (
        ("noise schedules", training_schedule(image.schedule), training_schedule(audio.schedule)),
        ("latent channels", image.unet.config.in_channels, audio.unet.config.in_channels),
        ("VAE factors", image.vae_scale_factor, audio.vae_scale_factor),
        ("VAE scalings", image.vae.config.scaling_factor, audio.vae.config.scaling_factor),
    )
    for what, of_image, of_audio in differences:
        if of_image != of_audio:
            raise _misfit(image, audio, f"their {what} differ: {_difference(of_image, of_audio)}")
    if not same_weights(image.vae, audio.vae):
        raise _misfit(image, audio, "their VAEs have different weights")
    for model in (image, audio):
        if model.unet.config.in_channels != model.vae.config.latent_channels:
            raise _misfit(image, audio, f"the U-Net of {model.source.name!r} does not fit its VAE")


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
    """Whether two networks have the same tensors, up to what half precision rounds away.

    Args:
        tolerance: Of each number, relative to itself. Rounding to bfloat16, then to float16 stays below
            5e-3; fine-tuning does not, because it moves small numbers as far as large ones. Networks
            that run in bfloat16 are allowed one step of it.
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
    # 1e-7: float16 knows no smaller numbers
    return bool(((a - b).abs() <= near * torch.maximum(a.abs(), b.abs()) + (1e-7 if tolerance else 0)).all())


def same_network(a: Any, b: Any) -> bool:
    """Whether two networks compute the same: equal weights, and equal settings but for names and versions."""
    return _settings(a) == _settings(b) and same_weights(a, b)


def _settings(network: Any) -> dict[str, Any]:
    config = network.config if isinstance(network.config, dict) else network.config.to_dict()
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in config.items()}
    return {k: v for k, v in plain.items() if not k.startswith("_") and k not in _IDLE}


def same_text_encoder(a: TextEncoder, b: TextEncoder) -> bool:
    """Whether two text encoders read a prompt alike: same numbers for its tokens, same network."""
    return (
        a.length == b.length and a.padded(_PROBE) == b.padded(_PROBE) and same_network(a.network, b.network)
    )


# --- sound ---------------------------------------------------------------------------------------


def mel_spec_of(source: DiffusionFiles) -> MelSpec:
    """The mel picture that an audio model draws: its card, its folder, its vocoder, else Auffusion's."""
    if source.defaults.mel_spec:
        return source.defaults.mel_spec
    if source.vocoder:
        return read_vocoder_config(source.vocoder).mel_spec()
    return MelSpec()


def load_vocoder(source: DiffusionFiles, choice: str = "auto", device: torch.device | None = None) -> Vocoder:
    """Who plays an audio model's mel pictures, in float32.

    Args:
        choice: "hifi-gan", "griffin-lim", or "auto": the first where the model brings one.
        device: Where HiFi-GAN runs; None is the CPU. Griffin-Lim runs where its pictures lie.

    Raises:
        BadInput: hifi-gan is asked for and the model brings none, or one for another mel picture.
    """
    spec = mel_spec_of(source)
    if choice == "griffin-lim" or (choice == "auto" and source.vocoder is None):
        iterations = source.defaults.griffin_lim_iterations
        return GriffinLim(spec) if iterations is None else GriffinLim(spec, iterations)
    if source.vocoder is None:
        raise BadInput(f"{source.name}: brings no vocoder; use --vocoder griffin-lim.")
    theirs = read_vocoder_config(source.vocoder).mel_spec()
    if (theirs.n_mels, theirs.hop_length, theirs.rate_hz) != (spec.n_mels, spec.hop_length, spec.rate_hz):
        raise BadInput(
            f"{source.name}: its vocoder was made for another mel picture; use --vocoder griffin-lim."
        )
    return load_hifi_gan(source.vocoder, device)
