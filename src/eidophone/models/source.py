"""The files of a diffusion model: card, folder, single safetensors file, or hub id. Loads nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eidophone.core.errors import BadInput
from eidophone.media.vocoder_files import read_json, vocoder_weights
from eidophone.models.cards import (
    FACTS_FILE,
    PIXEL,
    Card,
    ModelDefaults,
    Role,
    cards,
    lender_of,
    package_folder,
    quoted,
    readable,
    resolved,
    shipped,
)
from eidophone.models.hub import fetched
from eidophone.models.synonyms import WORDS_FILE
from eidophone.models.weights import PARTS, PIPELINES, ModelFiles, wanted_files

#: Of a second stage: the schedule by which the small picture is noised.
NOISING = "image_noising_scheduler"
_LENT = ("vae", "text_encoder", "tokenizer")
_UNREAD: dict[Role, tuple[str, ...]] = {"pixel": ("vae",), "upscaler": _LENT}


@dataclass(frozen=True)
class DiffusionFiles(ModelFiles):
    """The files of one diffusion model in one role.

    Attributes:
        path: A folder in diffusers' layout. For a single file: the folder with its settings and tokenizer.
        single: The `.safetensors` file that holds the weights of all parts, if they lie in one.
        lender: Folder that holds the VAE, text encoder and tokenizer, if not `path`.
        defaults: From the card, then from the folder's `eidophone.json`.
    """

    name: str
    role: Role
    path: Path
    single: Path | None
    lender: Path | None
    revision: str
    licence: str
    defaults: ModelDefaults

    def part(self, name: str) -> Path:
        """The folder of one of `PARTS`."""
        return (self.lender or self.path if name in _LENT else self.path) / name

    @property
    def vocoder(self) -> Path | None:
        """The folder of a trained vocoder, if the model brings one."""
        folder = self.path / "vocoder"
        return folder if vocoder_weights(folder) else None

    @property
    def plays(self) -> bool:
        """Whether the files themselves say that this is an audio model."""
        return self.vocoder is not None or self.defaults.mel_spec is not None

    def files_of(self, part: str) -> list[Path]:
        """The files that loading one part reads, in order of name; a single file comes last."""
        folder = self.part(part)
        with readable(self.name):
            names = {f"{part}/{path.name}": path for path in folder.iterdir()} if folder.is_dir() else {}
        found = [names[name] for name in wanted_files(names, (part,))]
        return [*found, self.single] if self.single else found

    def files(self) -> Iterator[tuple[str, Path]]:
        """Weights and settings of all parts, borrowed ones too, and the table of synonyms."""
        parts = (*PARTS, "vocoder", NOISING)
        folders = {part: self.part(part) for part in parts if part not in _UNREAD.get(self.role, ())}
        found = {
            f"{part}/{path.name}": path
            for part, folder in folders.items()
            if folder.is_dir()
            for path in folder.iterdir()
        }
        yield from ((name, found[name]) for name in wanted_files(found, parts))
        if self.single:
            yield self.single.name, self.single
        if (self.path / WORDS_FILE).is_file():
            yield WORDS_FILE, self.path / WORDS_FILE


def find(name: str, role: Role, *, offline: bool = False) -> DiffusionFiles:
    """Finds a model's files; asks a hub for what is not here unless `offline`.

    Raises:
        UnknownModel: no card, folder or hub id of that name.
        WeightsAbsent: known, but not here and not to be had now.
        BadInput: a folder or file of another layout, or one that cannot be read.
    """
    found = resolved(name, role)
    if isinstance(found, Path):
        with readable(name):
            return _from_path(name, role, found)
    return _from_package(found, found.package) if found.package else _from_hub(found, offline)


def drawing_role(name: str) -> Role:
    """In which role a model draws: as stage I or II over pixels, or else as "image".

    Args:
        name: Card, folder, file or hub id; what cannot be told is taken for "image".
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
    return DiffusionFiles(given.name, given.role, folder, None, borrowed, "package", given.licence, advice)


def _from_path(name: str, role: Role, path: Path) -> DiffusionFiles:
    if path.is_file():
        if path.suffix != ".safetensors":
            raise BadInput(
                f"{quoted(name)}: a single-file model must be .safetensors (others can run code); convert it."
            )
        return DiffusionFiles(name, role, _layout_of(path, role), path, None, "local", "", ModelDefaults())
    if not (path / "unet").is_dir():
        raise BadInput(f"{quoted(name)}: not a model folder in diffusers' layout, there is no unet/ in it.")
    advice = _advice_of(path)
    needed = {"pixel": "text_encoder", "upscaler": "unet"}.get(role, "vae")
    lender = path.parent / "image" if not (path / needed).is_dir() else None
    return DiffusionFiles(name, role, path, None, lender, "local", "", advice)


def _from_hub(given: Card, offline: bool) -> DiffusionFiles:
    folder = fetched(given, PIPELINES[given.role], offline=offline)
    advice = given.defaults.over(_advice_of(folder))
    return DiffusionFiles(given.name, given.role, folder, None, None, folder.name, given.licence, advice)


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
    return ModelDefaults.from_dict(read_json(path), str(path)) if path.exists() else ModelDefaults()
