"""Loads the models of a run; networks that are already in memory are not loaded again."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from eidophone.core.errors import BadInput
from eidophone.media.vocoder import Vocoder, load_hifi_gan
from eidophone.models.cards import Role, package_folder, quoted
from eidophone.models.checkpoint import NetworkFiles, find_network
from eidophone.models.components import load_schedule, load_vae
from eidophone.models.families import FAMILIES
from eidophone.models.files import NOISING, DiffusionFiles
from eidophone.models.fit import check_fit, same_network, same_text_encoder, same_weights
from eidophone.models.identity import file_ids
from eidophone.models.latent import LatentModel
from eidophone.models.networks.lora import Lora, fuse
from eidophone.models.networks.packed import pack
from eidophone.models.numbers import check_weights
from eidophone.models.parts import PartKey, PartStore
from eidophone.models.pixel import PixelModel
from eidophone.models.predictor import check_condition
from eidophone.models.small_decoder import find_if_here, is_small, load_small_decoder, suggested
from eidophone.models.source import find
from eidophone.models.synonyms import read_synonyms
from eidophone.models.tagger import FOLDER, Tagger, load_tagger
from eidophone.models.text import TextEncoder
from eidophone.models.vocoders import griffin_lim_of, load_vocoder, mel_spec_of, uses_hifi_gan

if TYPE_CHECKING:
    from eidophone.models.captioners.contract import Captioner
    from eidophone.models.embedders.contract import Embedder
    from eidophone.models.separators.contract import Separator

__all__ = ["Loader", "check_fit", "load_vocoder", "mel_spec_of", "same_weights"]

Part = TypeVar("Part")


@dataclass(eq=False)
class Loader:
    """Loads models on one device in one number format.

    Networks are shared: with other models of this loader, and with all loaders of the same registry. A part
    that has other files but equal contents is loaded, compared and dropped. The models are new each time, so
    each counts its own evaluations.

    Attributes:
        device, dtype: Of the networks.
        offline: Never connect to a hub.
        parts: The networks in memory. All that this loader took from it stay there while it lives.
        found: Models that a hub answered for, so that it is asked only once.
        quantize: Denoising networks and text encoders keep their weights in int8; see `networks.packed`.
    """

    device: torch.device
    dtype: torch.dtype
    offline: bool = False
    parts: PartStore = field(default_factory=PartStore)
    found: dict[Hashable, DiffusionFiles | NetworkFiles] = field(default_factory=dict)
    quantize: bool = False

    # --- diffusion models ----------------------------------------------------------------------------

    def source(self, name: str, role: Role) -> DiffusionFiles:
        """The files of a diffusion model.

        Args:
            name: Card, folder, file or hub id.

        Raises:
            UnknownModel, WeightsAbsent, BadInput: see `models.source.find`.
        """
        found = self._found((name, role), lambda: find(name, role, offline=self.offline))
        assert isinstance(found, DiffusionFiles)
        return found

    def network(self, name: str, role: Role) -> NetworkFiles:
        """The files of a network that listens or compares; see `models.checkpoint.find_network`."""
        found = self._found((name, role), lambda: find_network(name, role, offline=self.offline))
        assert isinstance(found, NetworkFiles)
        return found

    def model(self, name: str, role: Role, lora: Lora | None = None) -> LatentModel:
        """A model over latents, by name (card, folder, file, hub id) and role, with a LoRA fused into it.

        Raises:
            UnknownModel, WeightsAbsent, BadInput: see `models.source.find`; also parts that do not fit.
        """
        source = self.source(name, role)
        where = (self.dtype, self.device)
        schedule = load_schedule(source)
        vae = self._part(source, ("vae",), lambda: load_vae(source, *where), same_network)
        both = self._with_lora(source, lora) if lora else (self._text(source), self._denoiser(source))
        text, network = both
        read = replace(text, synonyms=book) if (book := read_synonyms(source.path)).near else text
        model = LatentModel(source, network, vae, read, schedule, self._small_decoder(source, role, vae))
        check_condition(model, text.width)
        self.parts.lend(model, network, vae, text, both)
        return model

    def pair(
        self, image: str, audio: str, loras: tuple[Lora | None, Lora | None] = (None, None)
    ) -> tuple[LatentModel, LatentModel]:
        """Two models that can share one latent, each with its LoRA, if it has one.

        Raises:
            ModelsDoNotFit: they cannot; the message names both.
        """
        pair = self.model(image, "image", loras[0]), self.model(audio, "audio", loras[1])
        check_fit(*pair)
        pair[1].vae = pair[0].vae
        self.parts.lend(pair[1], pair[0].vae)
        return pair

    def pixel(
        self, name: str, prompts: Mapping[str, str], *, mask_padding: bool = True
    ) -> tuple[PixelModel, dict[str, Tensor]]:
        """Stage I of a cascade over pixels, and the conditions that it and stage II need.

        The text encoder may be given back before the U-Net is loaded, because T5 is larger than it.

        Args:
            name: Card, folder, file or hub id.
            prompts: By what a message calls them, such as "negative prompt".
            mask_padding: T5 does not attend to the padding.

        Raises:
            UnknownModel, WeightsAbsent, BadInput: as `model`; a prompt that is too long.
        """
        source = self.source(name, "pixel")
        schedule = load_schedule(source)
        conditions = self._encoded(source, prompts, mask_padding)
        network = self._denoiser(source)
        model = PixelModel(source, network, schedule)
        for condition in conditions.values():
            check_condition(model, condition.shape[-1])
        self.parts.lend(model, network)
        return model, conditions

    def upscaler(self, name: str) -> PixelModel:
        """Stage II of a cascade over pixels; it takes the conditions of stage I.

        Raises:
            UnknownModel, WeightsAbsent, BadInput: as `model`.
        """
        source = self.source(name, "upscaler")
        schedule = load_schedule(source)
        noising = load_schedule(source, NOISING) if source.part(NOISING).is_dir() else schedule
        network = self._denoiser(source)
        model = PixelModel(source, network, schedule, noising)
        self.parts.lend(model, network)
        return model

    # --- sound and judges ----------------------------------------------------------------------------

    def vocoder(self, source: DiffusionFiles, choice: str = "auto") -> Vocoder:
        """The vocoder of an audio model, in float32; see `models.vocoders.load_vocoder`."""
        folder = source.vocoder
        if not uses_hifi_gan(source, choice) or folder is None:
            return griffin_lim_of(source)
        paths = source.files_of("vocoder")
        name = f"{source.name}.{source.role}"

        def _load() -> Vocoder:
            return check_weights(source.name, "vocoder", load_hifi_gan(folder, self.device))

        return self._copy("vocoder", name, paths, _load)

    def embedder(self, name: str) -> "Embedder":
        """An embedder, in float32; see `models.embedders.load.load_embedder`."""
        from eidophone.models.embedders.load import embedder_of

        found = self.network(name, "embedder")
        return self._copy("embedder", name, _paths(found), lambda: embedder_of(found, self.device))

    def captioner(self, name: str) -> "Captioner":
        """A captioner; see `models.captioners.load.load_captioner`."""
        from eidophone.models.captioners.load import captioner_of

        found = self.network(name, "captioner")
        return self._copy("captioner", name, _paths(found), lambda: captioner_of(found, self.device))

    def separator(self, name: str) -> "Separator":
        """A separator; see `models.separators.load.separator_of`."""
        from eidophone.models.separators.load import separator_of

        found = self.network(name, "separator")
        return self._copy("separator", name, _paths(found), lambda: separator_of(found, self.device))

    def tagger(self) -> Tagger:
        """The tagger that ships with the package, on the CPU."""
        paths = [path for path in package_folder(FOLDER).glob("*") if path.is_file()]
        return self._copy("tagger", "tiny", paths, load_tagger)

    def preview_decoder(self, name: str) -> Any:
        """A small decoder for previews, in float32; see `models.small_decoder`."""
        found = self.network(name, "preview")
        return self._copy("preview", name, _paths(found), lambda: load_small_decoder(found, self.device))

    def _small_decoder(self, source: DiffusionFiles, role: Role, vae: Any) -> Any:
        """The preview decoder that a model names or that its VAE suggests, if it is here."""
        name = source.defaults.preview_decoder or suggested(vae)
        if role != "image" or not name or is_small(vae):
            return None
        found = find_if_here(name)
        return None if found is None else self.preview_decoder(name)

    # --- parts ---------------------------------------------------------------------------------------

    def _found(
        self, key: Hashable, look: Callable[[], DiffusionFiles | NetworkFiles]
    ) -> DiffusionFiles | NetworkFiles:
        """Files on this machine are looked up each time; a hub is asked only once."""
        if key in self.found:
            return self.found[key]
        found = look()
        if found.revision not in ("local", "package"):
            self.found[key] = found
        return found

    def _denoiser(self, source: DiffusionFiles) -> Any:
        kind = FAMILIES[source.family]

        def _load() -> Any:
            return self._packed(source, kind.folder, kind.load_network(source, self.dtype, self.device))

        return self._part(source, (kind.folder,), _load)

    def _packed(self, source: DiffusionFiles, folder: str, network: Any) -> Any:
        if self.quantize:
            pack(check_weights(source.name, folder, network))
        return network

    def _with_lora(self, source: DiffusionFiles, lora: Lora) -> tuple[TextEncoder, Any]:
        """Text encoder and denoising network of their own, changed by a LoRA; the plain ones stay as they are."""
        kind = FAMILIES[source.family]

        def _load() -> tuple[TextEncoder, Any]:
            text = kind.load_text(source, self.dtype, self.device)
            network = kind.load_network(source, self.dtype, self.device)
            fuse(lora, network, text.network)
            check_weights(source.name, "text_encoder", text)
            check_weights(source.name, kind.folder, network)
            self._packed(source, "text_encoder", text.network)
            return text, self._packed(source, kind.folder, network)

        parts = (kind.folder, "text_encoder", "tokenizer")
        paths = [*(path for part in parts for path in source.files_of(part)), lora.path]
        key = self._key("lora", paths, (source.family, lora.scale))
        name = f"{source.name}.{source.role}"
        return self.parts.get(key, name, file_ids(paths), _load, [self])

    def _text(self, source: DiffusionFiles, *, kept: bool = True) -> TextEncoder:
        def load() -> TextEncoder:
            text = FAMILIES[source.family].load_text(source, self.dtype, self.device)
            self._packed(source, "text_encoder", text.network)
            return text

        return self._part(source, ("text_encoder", "tokenizer"), load, same_text_encoder, kept=kept)

    def _encoded(
        self, source: DiffusionFiles, prompts: Mapping[str, str], mask_padding: bool
    ) -> dict[str, Tensor]:
        text = self._text(source, kept=False)
        text = text if mask_padding else text.without_mask()
        return {what: text.encode(prompt, what) for what, prompt in prompts.items()}

    def _part(
        self,
        source: DiffusionFiles,
        parts: tuple[str, ...],
        load: Callable[[], Part],
        same: Callable[[Part, Part], bool] | None = None,
        *,
        kept: bool = True,
    ) -> Part:
        """A part of a diffusion model.

        Args:
            source: The model.
            parts: The folders that decide it; the first gives it its name.
            load: Reads it.
            same: Whether two are equal; if so, one is kept.
            kept: Whether it stays in memory while this loader lives.
        """
        paths = [path for part in parts for path in source.files_of(part)]
        key = self._key(parts[0], paths, source.family)
        name = f"{source.name}.{source.role}"

        def _load() -> Part:
            return check_weights(source.name, parts[0], load())

        return self.parts.get(key, name, file_ids(paths), _load, [self] if kept else [], same)

    def _copy(self, part: str, name: str, paths: list[Path], load: Callable[[], Part]) -> Part:
        return self.parts.copy_of(self._key(part, paths, name), name, file_ids(paths), load)

    def _key(self, part: str, paths: list[Path], more: Hashable) -> PartKey:
        return PartKey(part, tuple(map(str, paths)), self.device, self.dtype, (more, self.quantize))


def _paths(found: NetworkFiles) -> list[Path]:
    try:
        return [path for _, path in found.files()]
    except OSError as error:
        raise BadInput(f"{quoted(found.name)}: cannot be read ({error.strerror}).") from error
