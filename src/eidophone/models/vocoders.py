"""How the mel pictures of an audio model become sound."""

import torch

from eidophone.core.errors import BadInput
from eidophone.media.mel import MelSpec
from eidophone.media.vocoder import GriffinLim, Vocoder, load_hifi_gan, read_vocoder_config
from eidophone.models.files import DiffusionFiles
from eidophone.models.identity import file_id


def mel_spec_of(source: DiffusionFiles) -> MelSpec:
    """The settings of an audio model's mel pictures: its card's, its folder's, its vocoder's, else Auffusion's."""
    if source.defaults.mel_spec:
        return source.defaults.mel_spec
    if source.vocoder:
        return read_vocoder_config(source.vocoder).mel_spec()
    return MelSpec()


def uses_hifi_gan(source: DiffusionFiles, choice: str) -> bool:
    """Whether a choice of vocoder means the trained one.

    Args:
        choice: "hifi-gan", "griffin-lim", or "auto": HiFi-GAN if the model has one.

    Raises:
        BadInput: HiFi-GAN is chosen, and the model has none or one for other mel pictures.
    """
    if choice == "griffin-lim" or (choice == "auto" and source.vocoder is None):
        return False
    if source.vocoder is None:
        raise BadInput(f"{source.name}: has no vocoder; use --vocoder griffin-lim.")
    file_id(source.vocoder / "config.json")
    spec, theirs = mel_spec_of(source), read_vocoder_config(source.vocoder).mel_spec()
    if (theirs.n_mels, theirs.hop_length, theirs.rate_hz) != (spec.n_mels, spec.hop_length, spec.rate_hz):
        raise BadInput(
            f"{source.name}: its vocoder was made for other mel pictures; use --vocoder griffin-lim."
        )
    return True


def griffin_lim_of(source: DiffusionFiles) -> GriffinLim:
    """Griffin-Lim with a model's settings; it needs no weights and runs where its pictures are."""
    spec, iterations = mel_spec_of(source), source.defaults.griffin_lim_iterations
    return GriffinLim(spec) if iterations is None else GriffinLim(spec, iterations)


def load_vocoder(source: DiffusionFiles, choice: str = "auto", device: torch.device | None = None) -> Vocoder:
    """The vocoder of an audio model, in float32.

    Args:
        source: The model.
        choice: "hifi-gan", "griffin-lim", or "auto": HiFi-GAN if the model has one.
        device: Where HiFi-GAN runs; None is the CPU. Griffin-Lim runs where its pictures are.

    Raises:
        BadInput: HiFi-GAN is chosen, and the model has none or one for other mel pictures.
    """
    if uses_hifi_gan(source, choice) and source.vocoder is not None:
        return load_hifi_gan(source.vocoder, device)
    return griffin_lim_of(source)
