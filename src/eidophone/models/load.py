"""Loads the models of a run: shared parts once, and refuses pairs that do not fit."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from eidophone.diffusion.walk import training_schedule
from eidophone.errors import BadInput, ModelsDoNotFit
from eidophone.media.mel import MelSpec
from eidophone.media.vocoder import (
    GriffinLim,
    Vocoder,
    load_hifi_gan,
    read_vocoder_config,
    spec_from_vocoder_config,
)
from eidophone.models.cards import Role
from eidophone.models.components import load_schedule, load_text_encoder, load_unet, load_vae
from eidophone.models.latent import LatentModel, TextEncoder
from eidophone.models.source import Source, find


@dataclass
class Loader:
    """Loads models on one device in one number format; parts with equal files are loaded once.

    Attributes:
        device, dtype: Of the networks.
        offline: Never ask a hub.
    """

    device: torch.device
    dtype: torch.dtype
    offline: bool = False
    _vaes: dict[str, Any] = field(default_factory=dict)
    _texts: dict[str, TextEncoder] = field(default_factory=dict)

    def model(self, name: str, role: Role) -> LatentModel:
        """The model of a name (card, folder, file, hub id) in a role.

        Raises:
            UnknownModel, WeightsAbsent, BadInput: see `models.source.find`.
        """
        source = find(name, role, offline=self.offline)
        where = (self.dtype, self.device)
        return LatentModel(
            source=source,
            unet=load_unet(source, *where),
            vae=_once(self._vaes, _files(source, "vae"), lambda: load_vae(source, *where)),
            text=_once(
                self._texts,
                _files(source, "text_encoder") + _files(source, "tokenizer"),
                lambda: load_text_encoder(source, *where),
            ),
            schedule=load_schedule(source),
        )

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


def _files(source: Source, part: str) -> list[Path]:
    """The files that decide a part."""
    folder = source.part(part)
    own = sorted(p for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
    return own + ([source.single] if source.single else [])


def _once(cache: dict[str, Any], files: list[Path], load: Callable[[], Any]) -> Any:
    """Loads what these files hold, unless equal files were loaded before."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    key = digest.hexdigest()
    if key not in cache:
        cache[key] = load()
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
        ("VAE factors", image.factor, audio.factor),
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


def same_weights(a: Any, b: Any, tolerance: float = 2e-3) -> bool:
    """Whether two networks have the same tensors, up to what half precision rounds away."""
    if a is b:
        return True
    ours, theirs = a.state_dict(), b.state_dict()
    if ours.keys() != theirs.keys() or any(ours[k].shape != theirs[k].shape for k in ours):
        return False
    return all(
        float((ours[k].float() - theirs[k].float()).abs().max())
        <= tolerance * max(float(ours[k].abs().max()), 1)
        for k in ours
    )


# --- sound ---------------------------------------------------------------------------------------


def mel_spec_of(source: Source) -> MelSpec:
    """The mel picture that an audio model draws: its card, its folder, its vocoder, else Auffusion's."""
    if source.advice.mel_spec:
        return source.advice.mel_spec
    if source.vocoder:
        return spec_from_vocoder_config(read_vocoder_config(source.vocoder))
    return MelSpec()


def load_vocoder(source: Source, choice: str = "auto") -> Vocoder:
    """Who plays an audio model's mel pictures; on the CPU, in float32.

    Args:
        choice: "hifi-gan", "griffin-lim", or "auto": the first where the model brings one.

    Raises:
        BadInput: hifi-gan is asked for and the model brings none, or one for another mel picture.
    """
    spec = mel_spec_of(source)
    if choice == "griffin-lim" or (choice == "auto" and source.vocoder is None):
        return GriffinLim(spec)
    if source.vocoder is None:
        raise BadInput(f"{source.name}: brings no vocoder; use --vocoder griffin-lim.")
    theirs = spec_from_vocoder_config(read_vocoder_config(source.vocoder))
    if (theirs.bands, theirs.hop, theirs.rate_hz) != (spec.bands, spec.hop, spec.rate_hz):
        raise BadInput(
            f"{source.name}: its vocoder was made for another mel picture; use --vocoder griffin-lim."
        )
    return load_hifi_gan(source.vocoder)
