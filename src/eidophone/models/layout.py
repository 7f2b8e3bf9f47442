"""Which family the files of a diffusion model belong to, before any weights are read or fetched."""

from pathlib import Path

from eidophone.core.errors import BadInput
from eidophone.models.cards import PIXEL, Role, quoted
from eidophone.models.families import FAMILIES, Family
from eidophone.models.files import class_in
from eidophone.models.weights import INDEX_FILE

_SD1 = "use a model made from Stable Diffusion 1.x"
#: Kinds of models that are often tried and cannot work, by the beginning of their pipeline's name.
_FOREIGN = {
    "StableDiffusionXL": "Stable Diffusion XL has two text encoders and another latent space than the audio "
    f"models; {_SD1}",
    "StableDiffusion3": "Stable Diffusion 3 has latents of 16 channels and three text encoders, and no audio "
    f"model shares them; {_SD1}",
    "Flux": f"Flux has latents of 16 channels and two text encoders, and no audio model shares them; {_SD1}",
    "StableAudio": "Stable Audio makes waveforms from latents without a pitch axis, so there is no mel picture "
    "to look at; use an audio model such as auffusion",
    "AudioLDM2": "AudioLDM 2 makes mel pictures in a latent space that no image model shares; use an audio "
    "model made from Stable Diffusion 1.x, such as auffusion",
    "AudioLDM": "AudioLDM makes mel pictures in a latent space that no image model shares; use an audio model "
    "made from Stable Diffusion 1.x, such as auffusion",
    "MusicLDM": "MusicLDM makes mel pictures in a latent space that no image model shares; use an audio model "
    "made from Stable Diffusion 1.x, such as auffusion",
    "StableDiffusionInpaint": "an inpainting model edits a given picture; use the text-to-image model that it "
    "was trained from",
    "StableDiffusionInstructPix2Pix": "this model edits a given picture; use the text-to-image model that it "
    "was trained from",
    "StableDiffusionUpscale": f"this model enlarges a given picture; {_SD1}",
    "StableVideoDiffusion": f"Stable Video Diffusion makes videos; {_SD1}",
    "Kandinsky": f"Kandinsky has another latent space than the audio models; {_SD1}",
}  # fmt: skip


def refuse_foreign(pipeline: str, name: str) -> None:
    """Refuses a model whose pipeline cannot work here.

    Args:
        pipeline: The name in `model_index.json`; an empty one passes.
        name: Of the model, as the user wrote it.

    Raises:
        BadInput: one sentence about this kind of model.
    """
    for start in sorted(_FOREIGN, key=len, reverse=True):
        if pipeline.startswith(start):
            raise BadInput(f"{quoted(name)}: {_FOREIGN[start]}.")


def family_name(folder: Path, name: str, role: Role, wanted: str = "") -> str:
    """The name of the family that a model belongs to.

    Args:
        folder: Of the model, in diffusers' layout; only its JSON files are read.
        name: Of the model, as the user wrote it.
        role: What it is used for.
        wanted: The family that its card or `eidophone.json` names, if one does.

    Raises:
        BadInput: no family knows it; the message says what it is.
    """
    if wanted:
        if wanted not in FAMILIES:
            raise BadInput(
                f"{quoted(name)}: its family {wanted!r} is not known; known are {', '.join(FAMILIES.names())}."
            )
        return wanted
    pipeline = class_in(folder / INDEX_FILE)
    refuse_foreign(pipeline, name)
    if role in PIXEL:
        return "deepfloyd"
    rows = {known: FAMILIES[known] for known in FAMILIES.names()}
    for known, family in rows.items():
        network = class_in(folder / family.folder / "config.json")
        if network and network in family.networks:
            return known
    for known, family in rows.items():
        if pipeline in family.pipelines and (folder / family.folder).is_dir():
            return known
    return _by_folder(folder, name, pipeline, rows)


def _by_folder(folder: Path, name: str, pipeline: str, rows: dict[str, Family]) -> str:
    if (folder / "unet").is_dir():
        return "sd"
    if pipeline:
        raise BadInput(
            f"{quoted(name)}: is a {pipeline}, which is not supported; supported families are {', '.join(rows)}."
        )
    if (folder / "transformer").is_dir():
        kind = class_in(folder / "transformer" / "config.json") or "unknown"
        raise BadInput(
            f"{quoted(name)}: its transformer ({kind}) is not supported; supported families are {', '.join(rows)}."
        )
    raise BadInput(
        f"{quoted(name)}: not a model folder in diffusers' layout, there is no unet/ or transformer/ in it."
    )
