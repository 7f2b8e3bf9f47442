"""What computes the U-Nets of a run: torch, or OpenVINO, which compiles them first."""

import torch

from eidophone.core.errors import BadInput
from eidophone.models.networks.unet import UNet
from eidophone.models.openvino import available, compiled
from eidophone.options.kinds import Engine
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.shared.models import LoadedModels

#: Steps of all samples from which compiling two small U-Nets, about ten seconds, is won back.
WORTH = 1000
#: Weights of a U-Net that a processor takes too long to compile.
LARGE = 100_000_000


def chosen_engine(options: ComposeOptions, loaded: LoadedModels) -> Engine:
    """The engine of a run; models that it computes are compiled at their first call.

    Raises:
        BadInput: OpenVINO is asked for, but is not installed, or cannot compute these models as asked.
    """
    engine = options.engine
    if engine == "auto":
        engine = "openvino" if available() and _pays(options, loaded) else "torch"
    if engine == "openvino":
        if options.quantize != "none":
            raise BadInput(
                f"--quantize {options.quantize} does not go with --engine openvino; leave one of them out."
            )
        for model in loaded.models:
            model.predictor.network = compiled(model.network)
    return engine


def _pays(options: ComposeOptions, loaded: LoadedModels) -> bool:
    steps = options.steps * (options.from_ or options.count)
    return (
        not options.low_memory
        and options.quantize == "none"
        and steps >= WORTH
        and all(
            isinstance(model.network, UNet)
            and model.device.type == "cpu"
            and model.dtype == torch.float32
            and sum(weight.numel() for weight in model.network.parameters()) < LARGE
            for model in loaded.models
        )
    )
