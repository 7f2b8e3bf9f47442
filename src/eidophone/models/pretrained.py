"""Calls other libraries' loaders and networks: quietly, with all weights or none, a sentence where they fail."""

import contextlib
import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from eidophone.core.errors import BadInput, EidophoneError
from eidophone.media.vocoder_files import read_json
from eidophone.models.device import out_of_memory
from eidophone.models.networks.base import CONFIG_FILE
from eidophone.models.networks.config import check_layers

Part = TypeVar("Part")
_MOST_SHOWN, _LONGEST = 3, 300
_PACKAGE = Path(__file__).parents[1]
#: Networks written out here do what their settings say, as those of other libraries do.
_NETWORKS = _PACKAGE / "models" / "networks"
_LIBRARIES = ("transformers", "diffusers")


def pretrained(kind: Any, folder: Path, **how: Any) -> Any:
    """A network of diffusers or transformers from its folder.

    Those libraries fill weights that a file lacks with random numbers, and only log it.

    Args:
        kind: A class with `from_pretrained`.
        folder: With `config.json` and weights.
        how: Further arguments of `from_pretrained`.

    Raises:
        BadInput: the files are damaged, of another layout, or lack some of the weights.
    """
    if (config := folder / CONFIG_FILE).is_file():
        check_layers(read_json(config), str(config))
    network, found = checked(
        folder, lambda: kind.from_pretrained(folder, local_files_only=True, output_loading_info=True, **how)
    )
    if missing := sorted(found["missing_keys"]):
        raise BadInput(
            f"{folder}: {_counted(len(missing))} missing ({_named(missing)}); fetch the model again."
        )
    return network


def checked(place: Path, load: Callable[[], Part]) -> Part:
    """Calls a loader of another library without its messages; turns its failures into a sentence."""
    try:
        with _quiet():
            return load()
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # other libraries' loaders raise many kinds
        if out_of_memory(error):
            raise
        raise BadInput(_why_not_loaded(place, error)) from error


#: Gradient checkpointing stops a recomputation by an exception, once it has what it needs.
_CHECKPOINT = "torch.utils.checkpoint"


@contextlib.contextmanager
def running(what: str) -> Iterator[None]:
    """Turns a failure inside a network into a sentence: its settings contradict each other.

    Failures of the package's other code, and of memory, pass as they are.

    Args:
        what: The network, such as "The text encoder".

    Raises:
        BadInput: the network cannot run.
    """
    try:
        yield
    except (EidophoneError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if out_of_memory(error) or _is_ours(error) or type(error).__module__ == _CHECKPOINT:
            raise
        raise BadInput(
            f"{what} cannot run, because its settings or weights are damaged ({worded(error)}); fetch the model again."
        ) from error


def _is_ours(error: BaseException) -> bool:
    """Whether a failure began in a file of this package."""
    last = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    return last.is_relative_to(_PACKAGE) and not last.is_relative_to(_NETWORKS)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars, and no log: what matters in it becomes an error."""
    bars: Any = sys.modules.get("transformers.utils.logging")
    shown = bars is not None and bars.is_progress_bar_enabled()
    loggers = [logging.getLogger(name) for name in _LIBRARIES]
    levels = [logger.level for logger in loggers]
    if shown:
        bars.disable_progress_bar()
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if shown:
            bars.enable_progress_bar()


def _why_not_loaded(place: Path, error: Exception) -> str:
    said = [str(each) for each in _chain(error)]
    # torch's own sentence, which suggests to switch its protection off; diffusers raises another one from it
    if any("weights_only" in words for words in said):
        return (
            f"{place}: refused, because its weights are a pickle that would run code when it is opened; ask its "
            "author for safetensors."
        )
    if any("meta tensor" in words for words in said):
        return f"{place}: some of its weights are missing; fetch the model again."
    return (
        f"{place}: cannot be loaded, because it is damaged or has another layout ({worded(error)}); "
        "fetch the model again."
    )


def worded(error: BaseException) -> str:
    """The kind of a failure and its first line."""
    lines = str(error).strip().splitlines()
    first = lines[0].rstrip(".") if lines else ""
    return f"{type(error).__name__}: {first[:_LONGEST]}".rstrip(": ")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it was raised from."""
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__ or at.__context__


def load_weights(network: nn.Module, path: Path) -> None:
    """Fills a network of this package from a safetensors file, in float32.

    Raises:
        BadInput: the file is damaged, or holds other weights than the network has.
    """
    given = checked(path, lambda: load_file(path))
    check_keys(path, {key: tuple(value.shape) for key, value in network.state_dict().items()}, given)
    network.load_state_dict({key: value.float() for key, value in given.items()})


def check_keys(path: Path, expected: dict[str, tuple[int, ...]], given: object) -> None:
    """Compares a checkpoint with the keys and shapes that a network has.

    Raises:
        BadInput: some are missing, too many, or of another shape; the message names the first of them.
    """
    if not isinstance(given, dict) or not all(isinstance(v, Tensor) for v in given.values()):
        raise BadInput(f"{path}: is no state dict of tensors; fetch the published checkpoint again.")
    shapes = {k: tuple(v.shape) for k, v in given.items()}
    differences = (
        ("are missing", sorted(expected.keys() - shapes.keys())),
        ("are unknown", sorted(map(str, shapes.keys() - expected.keys()))),
        (
            "have another shape",
            sorted(k for k in expected.keys() & shapes.keys() if expected[k] != shapes[k]),
        ),
    )
    for what, keys in differences:
        if keys:
            raise BadInput(
                f"{path}: {len(keys)} keys {what} ({_named(keys)}); fetch the published checkpoint again."
            )


def _named(keys: Sequence[str]) -> str:
    return ", ".join(keys[:_MOST_SHOWN]) + (", ..." if len(keys) > _MOST_SHOWN else "")


def _counted(number: int) -> str:
    return "a weight is" if number == 1 else f"{number} weights are"
