"""The files of a diffusion model: card, folder, single safetensors file, or hub id. Loads nothing."""

from dataclasses import replace
from pathlib import Path

from eidophone.core.errors import BadInput
from eidophone.media.vocoder_files import read_json
from eidophone.models.cards import (
    FACTS_FILE,
    PIXEL,
    Card,
    ModelDefaults,
    Role,
    cards,
    existing,
    lender_of,
    package_folder,
    quoted,
    readable,
    resolved,
    shipped,
)
from eidophone.models.families import FAMILIES
from eidophone.models.files import NOISING, DiffusionFiles
from eidophone.models.hub import fetched
from eidophone.models.identity import file_id, file_ids
from eidophone.models.layout import family_name, refuse_foreign
from eidophone.models.single_file import check_single_file
from eidophone.models.weights import INDEX_FILE, PIPELINES

__all__ = ["NOISING", "DiffusionFiles", "drawing_role", "find"]


def find(name: str, role: Role, *, offline: bool = False) -> DiffusionFiles:
    """Finds a model's files; a hub is asked for those that are not on this machine, unless `offline`.

    Raises:
        UnknownModel: no card, folder or hub id has that name.
        WeightsAbsent: the model is known, but its weights are not here and cannot be fetched now.
        BadInput: a folder or file has another layout, or cannot be read; a family that cannot work here.
    """
    with readable(name):
        source = _find(name, role, offline)
        file_ids(path for _, path in source.files())  # plain files only: a pipe would block for ever
    return source


def _find(name: str, role: Role, offline: bool) -> DiffusionFiles:
    found = resolved(name, role)
    if isinstance(found, Path):
        return _from_path(name, role, found)
    if found.folder:
        return _from_folder(found, found.folder)
    return _from_package(found, found.package) if found.package else _from_hub(found, offline)


def drawing_role(name: str) -> Role:
    """The role in which a model draws: "pixel" or "upscaler" for stages I and II over pixels, else "image".

    Args:
        name: Card, folder, file or hub id. Where the files do not say it, the role is "image".
    """
    if (name, "image") in cards() or (name, "pixel") in cards():
        return "image" if (name, "image") in cards() else "pixel"
    with readable(name):
        folder = Path(name).expanduser()
        config = folder / "unet" / "config.json"
        said = read_json(config) if config.is_file() and not (folder / "vae").is_dir() else {}
    stages: dict[object, Role] = {3: "pixel", 6: "upscaler"}
    return stages.get(said.get("in_channels"), "image") if isinstance(said, dict) else "image"


def _from_package(given: Card, package: str) -> DiffusionFiles:
    what = f"The {given.role} model {given.name!r}"
    folder = shipped(what, package_folder(package), "unet/config.json", "training.train export")
    lender = lender_of(given)
    advice = _advice_of(folder).over(given.defaults)
    borrowed = package_folder(lender) if lender else None
    family = family_name(folder, given.name, given.role, given.family)
    return DiffusionFiles(
        given.name, given.role, folder, None, borrowed, "package", given.licence, advice, family
    )


def _from_folder(given: Card, folder: Path) -> DiffusionFiles:
    """The model in the folder that a card of the user names; what the card says wins."""
    files = _from_path(given.name, given.role, existing(given, folder))
    family = family_name(folder, given.name, given.role, given.family) if given.family else files.family
    return replace(files, licence=given.licence, defaults=given.defaults.over(files.defaults), family=family)


def _from_path(name: str, role: Role, path: Path) -> DiffusionFiles:
    if path.is_file():
        if path.suffix != ".safetensors":
            raise BadInput(_not_safe(name, path))
        layout = _layout_of(path, role)
        if role not in PIXEL:
            check_single_file(path, name, own_settings=layout == path.with_suffix(""))
        return DiffusionFiles(name, role, layout, path, None, "local", "", ModelDefaults())
    advice = _advice_of(path)
    family = family_name(path, name, role, advice.family or "")
    check_network(path, name, family)
    needed = {"pixel": "text_encoder", "upscaler": "unet"}.get(role, "vae")
    lender = path.parent / "image" if not (path / needed).is_dir() else None
    return DiffusionFiles(name, role, path, None, lender, "local", "", advice, family)


def _not_safe(name: str, path: Path) -> str:
    """Why a file of weights is not read, and the command that converts it."""
    if path.suffix not in (".ckpt", ".pt", ".pth", ".bin"):
        return f"{quoted(name)}: is neither a model folder nor a .safetensors file; give one of these."
    target = path.with_suffix(".safetensors").name
    program = (
        "import torch, safetensors.torch as s; "
        f"d = torch.load({path.name!r}, map_location='cpu', weights_only=True); d = d.get('state_dict', d); "
        "s.save_file({k: v.contiguous() for k, v in d.items() if isinstance(v, torch.Tensor)}, "
        f"{target!r})"
    )
    return (
        f"{quoted(name)}: this kind of file can run code when it is opened, so only .safetensors is read; "
        f'convert it in its folder with: python -c "{program}"'
    )


def _from_hub(given: Card, offline: bool) -> DiffusionFiles:
    def refuse(index: object) -> None:
        said = index.get("_class_name") if isinstance(index, dict) else None
        refuse_foreign(said if isinstance(said, str) else "", given.name)

    folder = fetched(given, PIPELINES[given.role], offline=offline, index=INDEX_FILE, check=refuse)
    advice = given.defaults.over(_advice_of(folder))
    family = family_name(folder, given.name, given.role, given.family or advice.family or "")
    check_network(folder, given.name, family)
    return DiffusionFiles(
        given.name, given.role, folder, None, None, folder.name, given.licence, advice, family
    )


def check_network(folder: Path, name: str, family: str) -> None:
    """Refuses a denoising network by its settings, before its weights are read.

    Raises:
        BadInput: it needs something that cannot be given here.
    """
    file = folder / FAMILIES[family].folder / "config.json"
    settings = read_json(file) if file.is_file() else {}
    refuse = FAMILIES[family].check
    if refuse is not None and isinstance(settings, dict):
        refuse(settings, name)


def _layout_of(single: Path, role: Role) -> Path:
    """The folder of settings for a single file: one of the same name beside it, else Stable Diffusion 1.x.

    Raises:
        BadInput: a U-Net over pixels without such a folder; no single file of one holds more than the U-Net.
    """
    beside = single.with_suffix("")
    if (beside / "unet" / "config.json").exists():
        return beside
    if role in PIXEL:
        raise BadInput(
            f"{quoted(single)}: a single file holds no more than the U-Net of a {role} model; put the folder "
            f"{beside.name}/ with unet/config.json and the model's other parts beside it."
        )
    return package_folder("layouts/sd15")


def _advice_of(folder: Path) -> ModelDefaults:
    path = folder / FACTS_FILE
    if not (path.exists() or path.is_symlink()):
        return ModelDefaults()
    file_id(path)
    return ModelDefaults.from_dict(read_json(path), str(path))
