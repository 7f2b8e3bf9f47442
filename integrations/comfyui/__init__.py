"""Eidophone's verbs as ComfyUI nodes.

A node for each verb, made from the verb's options: a new option of Eidophone is a new input here. Pictures and sounds
are as ComfyUI has them: IMAGE is float32 [batch, height, width, channels] in 0 to 1, AUDIO is
{"waveform": float32 [batch, channels, samples], "sample_rate": int}.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

import eidophone
from eidophone.core.events import CancelToken, Event, Preview, Step
from eidophone.core.values import Result
from eidophone.verbs import VERBS, Verb
from eidophone.verbs.forms import form_of

CATEGORY = "Eidophone"
#: Options that a node cannot use: ComfyUI chooses folders and stores files itself.
_LEFT_OUT = {"example", "offline"}
_SOCKETS = {"picture": "IMAGE", "sound": "AUDIO"}
_LARGEST = 2**53 - 1  # the page of ComfyUI counts in doubles
_MOST = 1_000_000.0


def _inputs(verb: Verb) -> dict[str, dict[str, tuple[Any, ...]]]:
    """What INPUT_TYPES returns: required are the arguments that nothing can stand in for."""
    form = form_of(verb)
    found: dict[str, dict[str, tuple[Any, ...]]] = {"required": {}, "optional": {}}
    for argument in form["arguments"]:
        kind = "optional" if argument["kind"] == "file" and argument["replaced_by"] else "required"
        found[kind][argument["name"]] = _input(argument, long=True)
    for group in form["groups"]:
        for option in group["options"]:
            if option["name"] not in _LEFT_OUT:
                found["optional"][option["name"]] = _input(option)
    return found


def _input(option: Mapping[str, Any], long: bool = False) -> tuple[Any, ...]:
    """One input, as (type, settings)."""
    about = {"tooltip": option["help"]}
    kind, default = option["kind"], option["default"]
    if kind == "file":
        return (_SOCKETS.get(option["accepts"], "STRING"), about)
    if kind == "flag":
        return ("BOOLEAN", {"default": bool(default), **about})
    if kind == "choice":
        choices = ["", *option["choices"]] if option["optional"] else list(option["choices"])
        return (choices, {"default": "" if default is None else default, **about})
    if kind in ("integer", "number") and default is not None:
        return _number(option, about)
    # what may be left open is text: a number in ComfyUI always has a value
    return ("STRING", {"default": "" if default is None else str(default), "multiline": long, **about})


def _number(option: Mapping[str, Any], about: dict[str, Any]) -> tuple[Any, ...]:
    whole = option["kind"] == "integer"
    low, high = option.get("minimum", option.get("above", -_MOST)), option.get("maximum", _MOST)
    limits: dict[str, Any] = {"min": low, "max": high, "default": option["default"]}
    if whole:
        limits = {name: min(int(value), _LARGEST) for name, value in limits.items()}
    else:
        limits["step"], limits["round"] = 0.01, False
    if option["name"] == "seed":
        limits["control_after_generate"] = True
    return ("INT" if whole else "FLOAT", {**limits, **about})


def _given(verb: Verb, values: Mapping[str, Any]) -> dict[str, Any]:
    """The options to pass on: without what is empty, and without defaults, so that the preset decides them."""
    options = [option for group in form_of(verb)["groups"] for option in group["options"]]
    usual = {option["name"]: option["default"] for option in options}
    return {
        name: value
        for name, value in values.items()
        if value is not None
        and not (isinstance(value, str) and value == "")
        and (name == "preset" or name not in usual or not _same(value, usual[name]))
    }


def _same(value: Any, usual: Any) -> bool:
    return usual is not None and (value == usual or str(value) == str(usual))


def _runs(values: dict[str, Any]) -> list[dict[str, Any]]:
    """The values once for each picture or sound of a batch; a batch of one goes with all of the other's."""
    pictures = values.pop("picture", None)
    sounds = values.pop("sound", None)
    shown = [] if pictures is None else [picture.float().cpu().numpy() for picture in pictures]
    heard = [] if sounds is None else [
        (wave.float().cpu().numpy(), int(sounds["sample_rate"])) for wave in sounds["waveform"]
    ]  # fmt: skip
    if (mask := values.get("mask")) is not None:
        values["mask"] = mask[0].float().cpu().numpy()  # one for all
    count = max(1, len(shown), len(heard))
    if {len(shown), len(heard)} - {0, 1, count}:
        raise ValueError(f"{len(shown)} pictures and {len(heard)} sounds; give as many, or one of either.")
    named = (("picture", shown), ("sound", heard))
    return [values | {name: batch[at % len(batch)] for name, batch in named if batch} for at in range(count)]


def _rgb(picture: np.ndarray) -> np.ndarray:
    """Without transparency, in range: (height, width, 3)."""
    return np.clip(picture[..., :3], 0, 1).astype(np.float32)


def _outputs(results: list[Result]) -> tuple[Any, ...]:
    """IMAGE, AUDIO and the IMAGE that plays; shorter sounds end in silence."""
    pictures = np.stack([result.picture.pixels for result in results])
    played = np.stack([np.repeat(result.spectrogram[..., None], 3, -1) for result in results])
    longest = max(result.clip.samples.shape[1] for result in results)
    waves = [
        np.pad(result.clip.samples, ((0, 0), (0, longest - result.clip.samples.shape[1])))
        for result in results
    ]
    audio = {"waveform": torch.from_numpy(np.stack(waves)), "sample_rate": results[0].clip.rate_hz}
    return torch.from_numpy(pictures), audio, torch.from_numpy(played.astype(np.float32))


def _watch(cancel: CancelToken) -> Any:
    """Reports to ComfyUI's progress bar with previews, and hears its cancel button; does nothing without it."""
    try:
        from comfy.model_management import processing_interrupted
        from comfy.utils import ProgressBar
    except ImportError:
        return None
    bar, shown = ProgressBar(1), [None]

    def _listen(event: Event) -> None:
        if processing_interrupted():
            cancel.cancel()
        if isinstance(event, Preview):
            shown[0] = ("JPEG", event.picture.image(), 512)
        if isinstance(event, Step):
            bar.update_absolute(event.done, event.total, shown[0])

    return _listen


def _node(verb: Verb) -> type:
    """The class of a verb's node."""

    def run(_: Any, **values: Any) -> tuple[Any, ...]:
        cancel = CancelToken()
        session = eidophone.default_session()
        results: list[Result] = []
        for given in _runs(_given(verb, values)):
            for name in {"picture", "mask"} & given.keys():
                given[name] = _rgb(given[name])
            made = getattr(session, verb.name)(**given, events=_watch(cancel), cancel=cancel)
            results += [made] if isinstance(made, Result) else list(made)
        return _outputs(results)

    return type(
        f"Eidophone{verb.name.title()}",
        (),
        {
            "__doc__": verb.summary,
            "DESCRIPTION": verb.summary[0].upper() + verb.summary[1:] + ".",
            "CATEGORY": CATEGORY,
            "FUNCTION": "run",
            "RETURN_TYPES": ("IMAGE", "AUDIO", "IMAGE"),
            "RETURN_NAMES": ("picture", "sound", "spectrogram"),
            "INPUT_TYPES": classmethod(lambda _: _inputs(verb)),
            "run": run,
        },
    )


_NAMES = [name for name in VERBS.names() if hasattr(eidophone.Session, name)]
NODE_CLASS_MAPPINGS = {f"Eidophone{name.title()}": _node(VERBS[name]) for name in _NAMES}
NODE_DISPLAY_NAME_MAPPINGS = {f"Eidophone{name.title()}": f"Eidophone {name.title()}" for name in _NAMES}

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
