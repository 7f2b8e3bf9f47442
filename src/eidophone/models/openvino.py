"""U-Nets compiled by OpenVINO for this processor: `pip install 'eidophone[openvino]'`.

Compiling takes some seconds for each U-Net and canvas, so it pays for runs of many samples. The numbers differ from
torch's by rounding only (tests/models/test_openvino.py).
"""

import warnings
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from eidophone.core.errors import BadInput
from eidophone.models.networks.reuse import Reuse
from eidophone.models.networks.unet import Predicted, UNet


def available() -> bool:
    """Whether OpenVINO is installed."""
    return find_spec("openvino") is not None


class _Whole(nn.Module):
    """A U-Net that also returns its inner features."""

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, noisy: Tensor, timestep: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        memory = Reuse(1)
        found = self.network(noisy, timestep, condition, memory)[0]
        assert memory.features is not None
        return found, memory.features


class _Outer(nn.Module):
    """The outermost layers of a U-Net, over inner features that are given."""

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, noisy: Tensor, timestep: Tensor, condition: Tensor, inner: Tensor) -> Tensor:
        found: Tensor = self.network(noisy, timestep, condition, Reuse.of(inner))[0]
        return found


class OpenVino:
    """Called like the U-Net that it was compiled from; whatever else is asked of it, that one answers.

    Args:
        network: In float32, on the CPU.
    """

    REUSES = True

    def __init__(self, network: UNet) -> None:
        self.network = network
        self._compiled: dict[Any, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)

    def __call__(
        self, noisy: Tensor, timestep: Tensor, condition: Tensor, reuse: Reuse | None = None
    ) -> Predicted:
        """See `UNet.forward`."""
        inner = None if reuse is None else reuse.take(timestep)
        given = (noisy.contiguous(), timestep.float(), condition.contiguous())
        if inner is not None:
            return Predicted(self._run(_Outer, (*given, inner))[0])
        found, inner = self._run(_Whole, given)
        if reuse is not None:
            reuse.keep(inner)
        return Predicted(found)

    def _run(self, kind: type[_Whole | _Outer], given: tuple[Tensor, ...]) -> list[Tensor]:
        key = (kind, torch.get_num_threads(), *(tuple(each.shape) for each in given))
        if key not in self._compiled:
            self._compiled[key] = _compiled(kind(self.network), given)
        found = self._compiled[key]([each.numpy() for each in given])
        return [torch.from_numpy(found[n].copy()) for n in range(len(found))]


def _compiled(network: nn.Module, given: tuple[Tensor, ...]) -> Any:
    import openvino

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of every shape that becomes fixed
        plain = tuple(each.clone() for each in given)  # inference tensors cannot be traced
        model = openvino.convert_model(network, example_input=plain)
    model.reshape({n: list(each.shape) for n, each in enumerate(given)})
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    return openvino.Core().compile_model(model, "CPU", settings)


def compiled(network: Any) -> OpenVino:
    """The U-Net, compiled; at its first call for each canvas.

    Raises:
        BadInput: OpenVINO is not installed, or this is no U-Net in float32 on the CPU.
    """
    if not available():
        raise BadInput("--engine openvino: is not installed; run `pip install 'eidophone[openvino]'`.")
    if not isinstance(network, UNet) or network.device.type != "cpu" or network.dtype != torch.float32:
        raise BadInput(
            "--engine openvino: needs U-Nets of Stable Diffusion's layout in float32 on a CPU; use --engine torch."
        )
    # kept on the network, so that both are freed together
    found: OpenVino = vars(network).setdefault("_openvino", OpenVino(network))
    return found
