"""The files of a diffusion model, once they are found. Loads nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eidophone.media.vocoder_files import read_json, vocoder_weights
from eidophone.models.cards import ModelDefaults, Role, readable
from eidophone.models.synonyms import WORDS_FILE
from eidophone.models.weights import INDEX_FILE, PARTS, ModelFiles, wanted_files

#: Of a second stage: the schedule by which the small picture is noised.
NOISING = "image_noising_scheduler"
_LENT = ("vae", "text_encoder", "tokenizer")
_UNREAD: dict[Role, tuple[str, ...]] = {"pixel": ("vae",), "upscaler": _LENT}


@dataclass(frozen=True)
class DiffusionFiles(ModelFiles):
    """The files of one diffusion model in one role.

    Attributes:
        path: A folder in diffusers' layout. For a single file: the folder with its settings and tokenizer.
        single: The `.safetensors` file that holds the weights of all parts, if it is one file.
        lender: Folder that holds the VAE, text encoder and tokenizer, if not `path`.
        defaults: From the card, then from the folder's `eidophone.json`.
        family: Name of its family; see `models.families`.
    """

    name: str
    role: Role
    path: Path
    single: Path | None
    lender: Path | None
    revision: str
    licence: str
    defaults: ModelDefaults
    family: str = "sd"

    @property
    def pipeline(self) -> str:
        """What `model_index.json` calls the pipeline; empty if there is none."""
        return class_in(self.path / INDEX_FILE)

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


def class_in(file: Path) -> str:
    """The class that a JSON file names; empty if there is none."""
    given = read_json(file) if file.is_file() else {}
    found = given.get("_class_name") if isinstance(given, dict) else None
    return found if isinstance(found, str) else ""
