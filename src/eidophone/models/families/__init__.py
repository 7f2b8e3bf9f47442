"""Model families: how the parts of a kind of diffusion model are loaded and called. One folder for each family.

A folder here defines `FAMILY`; its name is the family's name. Another package can bring one by an entry point in
the group "eidophone.families". A model belongs to the family that its card or `eidophone.json` names; otherwise
to the one that knows the pipeline in `model_index.json` or the network in its folder. Importing this package
imports no torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from eidophone.core.catalog import Catalog

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from eidophone.models.files import DiffusionFiles
    from eidophone.models.text import TextEncoder


class Ask(Protocol):
    """Calls a denoising network."""

    def __call__(
        self, network: Any, noisy: "Tensor", timestep: "Tensor", condition: "Tensor", **more: Any
    ) -> "Tensor":
        """What the network predicts.

        Args:
            network: As `Family.load_network` returned it.
            noisy: (batch, channels, rows, columns).
            timestep: (), of the training schedule; for flow matching 1000 t, not always whole.
            condition: (batch, tokens, width), from the family's text encoder.
            more: Further inputs that an adapter gives, such as `class_labels`.

        Returns:
            (batch, channels or more, rows, columns); channels behind the first are a learned variance.
        """
        ...


@dataclass(frozen=True)
class Family:
    """A kind of diffusion model.

    Attributes:
        folder: The part that holds the denoising network, such as "unet" or "transformer".
        pipelines: Names of pipelines in `model_index.json` that are laid out like this.
        networks: Class names of denoising networks in `config.json`.
        load_network: Loads the denoising network, ready to use: (files, dtype, device) -> network.
        load_text: Loads the text encoder with its tokenizer.
        ask: Calls the network.
        width: The width of the condition that a network takes, per token, from its settings; None if any.
        check: Refuses settings of a denoising network that cannot work here: (settings, name of the model).
            None: refuses nothing.
    """

    folder: str
    pipelines: tuple[str, ...]
    networks: tuple[str, ...]
    load_network: "Callable[[DiffusionFiles, torch.dtype, torch.device], Any]"
    load_text: "Callable[[DiffusionFiles, torch.dtype, torch.device], TextEncoder]"
    ask: Ask
    width: Callable[[Any], int | None]
    check: Callable[[dict[str, Any], str], None] | None = None


FAMILIES: Catalog[Family] = Catalog("family", package=__name__, attribute="FAMILY", plural="families")
