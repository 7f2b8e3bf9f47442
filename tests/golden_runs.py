"""The golden runs of whole loops, made by the command line with the recorded random draws.

Only three things are replaced: the source of random numbers (`Draws.seeded`, and the noise that diffusers'
DDPM adds), the initial state that a file gives, and in `optimise` the captioner, tagger and judges, which the
golden run replaced too. Everything else is the command that a user runs.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from eidophone.cli import main
from eidophone.core.values import Clip
from eidophone.diffusion.draws import Draws
from eidophone.media.audio import write_wav
from eidophone.models.captioners.weights import WordWeights
from eidophone.models.embedders import load as embedders

#: Changes the recorded draws of a run, by name, before they are used.
Change = Callable[[dict[str, list[Tensor]]], None]
MEL = {"rate_hz": 8000, "n_fft": 1024, "win_length": 1024, "hop_length": 64, "f_min": 0.0, "f_max": 4000.0}
COMMON = ["--count", "1", "--device", "cpu", "--dtype", "float32", "--offline"]


class Recorded(Draws):
    """Draws from a file, by name and in order; refuses another shape, range or number of draws."""

    def __init__(self, recorded: dict[str, list[Tensor]]) -> None:
        super().__init__(torch.Generator().manual_seed(0))
        self.left: dict[str, Iterator[Tensor]] = {name: iter(values) for name, values in recorded.items()}

    def normal(self, name: str, shape: tuple[int, ...]) -> Tensor:
        found = next(self.left[name])
        assert tuple(found.shape) == tuple(shape), name
        return found.float()

    def integers(self, name: str, lowest: int, highest: int, shape: tuple[int, ...] = ()) -> Tensor:
        found = next(self.left[name])
        assert tuple(found.shape) == tuple(shape) and lowest <= found.min() and found.max() <= highest, name
        return found.long()

    def finished(self) -> bool:
        return all(next(values, None) is None for values in self.left.values())


def off(ours: Tensor | np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference in units of the golden array's standard deviation."""
    ours, theirs = np.squeeze(np.asarray(ours)), np.squeeze(theirs)
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    return float(np.abs(ours - theirs).max() / theirs.std())


def off_each(ours: list[Tensor], theirs: np.ndarray) -> np.ndarray:
    """The same for each iteration of a run."""
    stacked = torch.stack(ours).numpy()
    assert stacked.shape == theirs.shape, (stacked.shape, theirs.shape)
    return np.abs(stacked - theirs).reshape(len(theirs), -1).max(1) / theirs.std()


def flags(**given: object) -> list[str]:
    return [str(part) for name, value in given.items() for part in ("--" + name.replace("_", "-"), value)]


def copied(model: Path, target: Path, facts: dict[str, Any] | None = None, without: str = "") -> Path:
    """A model folder that links to another one, with facts of its own."""
    target.mkdir(parents=True)
    for part in model.iterdir():
        if part.name != without:
            (target / part.name).symlink_to(part)
    if facts:
        (target / "eidophone.json").write_text(json.dumps(facts))
    return target


def tensors(golden: dict[str, np.ndarray], name: str) -> list[Tensor]:
    return list(torch.from_numpy(golden[name]))


# --- colorization ----------------------------------------------------------------------------------


def colorize(
    golden: Path,
    tmp_path: Path,
    patch: pytest.MonkeyPatch,
    change: Change | None = None,
    *,
    free: bool = True,
) -> dict[str, float]:
    """How far `colorize --preset paper` is off; with `free` off, stage II starts from the golden stage I."""
    from eidophone.verbs.colorize import stages

    with np.load(golden / "colorize-a.npz") as file:
        theirs = dict(file)
    told = json.loads(str(theirs["settings"]))
    start = told["start_step"]
    recorded = {
        "stage 1 start noise": [torch.from_numpy(theirs["start_noise_1"])],
        "stage 1 gray noise": [n[None] for n in tensors(theirs, "gray_noise_1")[start:]],
        "stage 1 step noise": [n[None] for n in tensors(theirs, "step_noise_1")[start:-1]],
        "upscaler noise": [torch.from_numpy(theirs["upscale_noise"])],
        "stage 2 start noise": [torch.from_numpy(theirs["start_noise_2"])],
        "stage 2 gray noise": [n[None] for n in tensors(theirs, "gray_noise_2")],
        "stage 2 step noise": [n[None] for n in tensors(theirs, "step_noise_2")[:-1]],
    }
    if change:
        change(recorded)
    draws = Recorded(recorded)
    runs: list[list[dict[str, Tensor]]] = []
    sample, large = stages.sampling_steps, stages.ColorizeStages.large

    def _step_noise(shape: tuple[int, ...], generator: object, **_: object) -> Tensor:
        assert generator is draws.generator
        return draws.normal(f"stage {len(runs)} step noise", shape)

    def _watched(denoiser: Callable, *how: Any, **more: Any) -> Iterator[Any]:
        steps: list[dict[str, Tensor]] = []
        runs.append(steps)

        def _asked(latents: Tensor, timestep: Tensor) -> Tensor:
            answer = denoiser(latents, timestep)
            steps.append({"timesteps": timestep, "x": latents, "predicted": answer})
            return answer

        for state in sample(_asked, *how, **more):
            steps[-1]["after"] = state.latents
            yield state

    def _large(self: stages.ColorizeStages, model: Any, small: stages.Small) -> Any:
        return large(self, model, replace(small, pixels=torch.from_numpy(theirs["after_1"][-1:])))

    patch.setattr(Draws, "seeded", lambda _: draws)
    patch.setattr("diffusers.schedulers.scheduling_ddpm.randn_tensor", _step_noise)
    patch.setattr(stages, "sampling_steps", _watched)
    if not free:
        patch.setattr(stages.ColorizeStages, "large", _large)
    first = copied(golden / "toy-if-1", tmp_path / "first", {"canvas": [16, 24]})
    audio = copied(golden / "toy-audio", tmp_path / "audio", {"mel_spec": MEL | {"n_mels": 64}}, "vocoder")
    Image.fromarray(theirs["gray"]).save(tmp_path / "gray.png")
    how = flags(
        image_model=first, upscaler=golden / "toy-if-2", audio_model=audio, steps=told["steps"],
        upscale_steps=told["steps"], start_step=start, out=tmp_path / "out",
    )  # fmt: skip
    assert (
        main(["colorize", str(tmp_path / "gray.png"), told["prompt"], "--preset", "paper", *how, *COMMON])
        == 0
    )
    assert draws.finished()
    found = {"picture": off(runs[1][-1]["after"][0] / 2 + 0.5, theirs["picture"])}
    for stage, (steps, first_step) in enumerate(zip(runs, (start, 0), strict=True), start=1):
        for name in ("timesteps", "x", "predicted", "after"):
            ours = torch.stack([step[name].squeeze() for step in steps])
            found[f"{name}_{stage}"] = off(ours, theirs[f"{name}_{stage}"][first_step:])
    return found


# --- score distillation ----------------------------------------------------------------------------


def distill(
    golden: Path,
    tmp_path: Path,
    patch: pytest.MonkeyPatch,
    change: Change | None = None,
    *,
    free: bool = True,
) -> dict[str, float | np.ndarray]:
    """How far `distill --preset paper` is off; with `free` off, each iteration starts from a golden state."""
    from eidophone.diffusion import distillation
    from eidophone.verbs.distill import pipeline

    with np.load(golden / "distill-a.npz") as file:
        theirs = dict(file)
    told = json.loads(str(theirs["settings"]))
    lefts_tops = torch.from_numpy(theirs["crop_left_top"])
    recorded = {
        "audio timestep": tensors(theirs, "audio_t"),
        "audio noise": [n[None] for n in tensors(theirs, "audio_noise")],
        "encoder noise": [n[None] for n in tensors(theirs, "encoded_noise")],
        "image timestep": tensors(theirs, "image_t"),
        "image noise": tensors(theirs, "image_noise"),
        "crop left": list(lefts_tops[..., 0]),
        "crop top": list(lefts_tops[..., 1]),
    }
    if change:
        change(recorded)
    draws = Recorded(recorded)
    found: dict[str, list[Tensor]] = {}
    begun, loss_of = pipeline._begun, distillation.loss_of
    samples: list[pipeline.Sample] = []

    def _begin(atelier: Any, index: int) -> pipeline.Sample:
        sample = begun(atelier, index)
        samples.append(sample)
        sample.canvas.grid.copy_(fourier(theirs["frequencies"], *atelier.size))
        put(sample.canvas, theirs["parameters"][0])
        if not free:
            sample.canvas.register_forward_pre_hook(_set_parameters)
            sample.optimiser.register_step_pre_hook(_set_gradient)
        sample.optimiser.register_step_post_hook(lambda *_: keep("parameters_after", flat(sample.canvas)))
        return sample

    def keep(name: str, value: Tensor) -> None:
        found.setdefault(name, []).append(value.detach().clone())

    def _set_parameters(canvas: torch.nn.Module, _: object) -> None:
        if torch.is_grad_enabled():
            put(canvas, theirs["parameters"][len(found.get("parameters_after", []))])

    def _set_gradient(optimiser: torch.optim.Optimizer, *_: object) -> None:
        canvas, number = samples[0].canvas, len(found.get("parameters_after", []))
        keep("parameter_gradient", torch.cat([p.grad.flatten() for p in canvas.parameters()]))
        given = torch.from_numpy(theirs["parameter_gradient"][number])
        for p, part in zip(
            canvas.parameters(), given.split([p.numel() for p in canvas.parameters()]), strict=True
        ):
            p.grad.copy_(part.view_as(p))

    def _loss_of(term: Any, shown: Tensor, *how: Any) -> Tensor:
        loss = loss_of(term, shown, *how)
        keep(f"{term.name}_loss", loss)
        keep(f"{term.name}_gradient", torch.autograd.grad(loss, shown, retain_graph=True)[0][0, 0])
        if term.name == "audio":
            keep("picture", shown[0, 0])
        return loss

    patch.setattr(Draws, "seeded", lambda _: draws)
    patch.setattr(pipeline, "_begun", _begin)
    patch.setattr(distillation, "loss_of", _loss_of)
    facts = {"mel_spec": MEL | {"n_mels": told["height"]}, "canvas": [told["height"], told["width"]]}
    audio = copied(golden / "toy-audio", tmp_path / "audio", facts, "vocoder")
    how = flags(
        image_model=golden / "toy-if-1", audio_model=audio, iterations=told["iterations"],
        image_start_step=told["image_start_step"], frequencies=told["frequencies"], features=told["hidden"],
        out=tmp_path / "out",
    )  # fmt: skip
    prompts = [told["image_prompt"], told["audio_prompt"]]
    assert main(["distill", *prompts, "--preset", "paper", *how, *COMMON, "--keep-arrays"]) == 0
    assert draws.finished()
    with np.load(tmp_path / "out" / "0000" / "arrays.npz") as arrays:
        last = arrays["picture"][0]
    ends = {
        "picture_first": off(found["picture"][0], theirs["picture_first"]),
        "picture_last": off(last, theirs["picture_last"]),
    }
    names = ("audio_loss", "image_loss", "audio_gradient", "image_gradient", "parameters_after")
    errors = {name: off_each(found[name], theirs[name]) for name in names}
    if not free:
        given = theirs["parameter_gradient"]
        difference = torch.stack(found["parameter_gradient"]).numpy() - given
        errors["parameter_gradient"] = float(np.sqrt((difference**2).mean()) / given.std())
    return ends | errors


def fourier(frequencies: np.ndarray, height: int, width: int) -> Tensor:
    """cat(sin, cos)(2 pi (y, x) @ frequencies), (1, 2 n, height, width)."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    phases = torch.from_numpy(np.stack([y / height, x / width], -1) @ frequencies) * 2 * torch.pi
    return torch.cat([phases.sin(), phases.cos()], -1).permute(2, 0, 1)[None]


def flat(canvas: torch.nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in canvas.parameters()])


def put(canvas: torch.nn.Module, values: np.ndarray) -> None:
    with torch.no_grad():
        torch.nn.utils.vector_to_parameters(torch.from_numpy(values.copy()), canvas.parameters())


# --- direct sound optimization ----------------------------------------------------------------------


class Judge:
    """A golden judge: (squashed) projection of the picture, and a given vector of the sound or the text."""

    sees_whole, nothing = False, ()
    senses = frozenset({"picture", "sound", "text"})

    def __init__(self, name: str, theirs: dict[str, np.ndarray], logit_scale: float) -> None:
        self.name, self.logit_scale, self.squashed = name, logit_scale, name == "listener"
        self.rows = torch.from_numpy(theirs[name])
        self.vector = F.normalize(torch.from_numpy(theirs["sound" if self.squashed else "text"]), dim=-1)
        self.seen: list[Tensor] = []

    def picture(self, pixels: Tensor) -> Tensor:
        mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
        std = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
        large = F.interpolate(pixels, (224, 224), mode="bilinear", align_corners=False)
        projected = F.adaptive_avg_pool2d((large - mean) / std, (8, 8)).flatten(1) @ self.rows.T
        vector = F.normalize(projected.tanh() if self.squashed else projected, dim=-1)
        self.seen.append((vector if self.squashed else projected).detach()[0])  # as the file has them
        return vector

    def sound(self, samples: Tensor, rate_hz: int) -> Tensor:
        return self.vector

    def text(self, phrases: list[str]) -> Tensor:
        return self.vector


def optimise(
    golden: Path, tmp_path: Path, patch: pytest.MonkeyPatch, change: Change | None = None
) -> dict[str, float]:
    """How far `paint --preset paper` is off; its one draw, the start noise, comes from the golden seed."""
    from eidophone.models.latent import LatentModel
    from eidophone.verbs.paint import optimise as loop
    from eidophone.verbs.paint import pipeline

    with np.load(golden / "optimise-a.npz") as file:
        theirs = dict(file)
    told = json.loads(str(theirs["settings"]))
    recorded = {"start noise": [torch.from_numpy(theirs["noise"])]}
    if change:
        change(recorded)
        patch.setattr(Draws, "seeded", lambda _: Recorded(recorded))
    judges = {
        "listener": Judge("listener", theirs, told["logit_scale"]), "reader": Judge("reader", theirs, 1.0)
    }  # fmt: skip
    found: dict[str, list[Tensor]] = {}
    decode, loss_of, groups = LatentModel.decode, loop.loss_of, []

    def keep(name: str, value: Tensor) -> None:
        found.setdefault(name, []).append(value.detach().clone())

    class Adam(torch.optim.Adam):
        def step(self, *how: Any) -> Any:
            keep("gradient", loop._joined([g["params"][0].grad for g in self.param_groups], groups[0]))
            return super().step(*how)

    def _decode(self: LatentModel, latents: Tensor) -> Tensor:
        if not looking:
            keep("latents", latents[0])
        return decode(self, latents)

    def _preview(model: LatentModel, latents: Tensor) -> Any:
        """Previews decode too, whenever a second has passed."""
        looking.append(True)
        try:
            return preview(model, latents)
        finally:
            looking.clear()

    def _loss_of(picture: Tensor, change: Tensor, aim: Any) -> Any:
        keep("condition_term", change / 0.01)
        scored = loss_of(picture, change, aim)
        keep("loss", scored[0])
        keep("logit", torch.tensor(scored[1] * told["logit_scale"]))
        return scored

    def _weigh(caption: Any, nouns: object, terms: str) -> WordWeights:
        assert terms == "both"  # as published
        words = tuple(word.text for word in caption.words)
        return WordWeights(
            words, (1.0,) * len(words), tuple(told["sentence_attention"]), tuple(told["word_weights"])
        )

    def _optimise(scene: Any, aim: Any, plan: Any, weights: Tensor, nouns: Tensor, *watchers: Any) -> Any:
        groups.append(nouns)
        keep("token_weights", weights)
        keep("condition", scene.condition)
        keep("unwanted", scene.unwanted)
        return optimised(scene, aim, plan, weights, nouns, *watchers)

    optimised = pipeline.optimise
    preview, looking = pipeline.preview, list[bool]()
    patch.setattr(pipeline, "preview", _preview)
    patch.setattr(pipeline, "weigh", _weigh)
    patch.setattr(pipeline, "optimise", _optimise)
    patch.setattr(loop, "loss_of", _loss_of)
    patch.setattr(torch.optim, "Adam", Adam)
    patch.setattr(LatentModel, "decode", _decode)
    for name, judge in judges.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps({"model_type": name}))
        patch.setitem(embedders.KINDS._values, name, lambda *_, judge=judge: judge)
    write_wav(tmp_path / "bell.wav", Clip(np.zeros((1, 8000), np.float32) + 0.1, 8000))
    how = flags(
        image_model=with_text_bias(golden / "toy-image", tmp_path / "image", -0.25), caption=told["caption"],
        embedder=tmp_path / "listener", text_embedder=tmp_path / "reader", nouns="wordnet", size="128x128",
        seed=told["seed"], steps=told["steps"], optimise=told["iterations"] + 1, out=tmp_path / "out",
    )  # fmt: skip
    sound = str(tmp_path / "bell.wav")
    assert main(["paint", sound, "--preset", "paper", *how, *COMMON, "--keep-arrays"]) == 0
    with np.load(tmp_path / "out" / "0000" / "arrays.npz") as arrays:
        pictures, weights = arrays["pictures"], arrays["weights"]
    count = told["iterations"]
    (noun,) = groups
    assert noun.tolist() == theirs["noun"].tolist()
    change_of_picture = theirs["picture"][-1] - theirs["picture"][0]
    return {
        **{name: off(found[name][0], theirs[name]) for name in ("condition", "unwanted")},
        "token_weights": off(found["token_weights"][0][:, 0], theirs["token_weights"]),
        **{
            name: off(torch.stack(found[name][:count]), theirs[name])
            for name in ("latents", "gradient", "condition_term", "logit", "loss")
        },
        "seen_by_listener": off(torch.stack(judges["listener"].seen[:count]), theirs["seen_by_listener"]),
        "seen_by_reader": off(torch.stack(judges["reader"].seen[:count]), theirs["seen_by_reader"]),
        "parameters": off(weights[:count], theirs["parameters"]),
        "parameters_after": off(weights[1:], theirs["parameters_after"]),
        "picture": off(pictures[:count], theirs["picture"]),
        "change of the picture": off(pictures[count - 1] - pictures[0], change_of_picture),
    }


def with_text_bias(model: Path, target: Path, bias: float) -> Path:
    """A copy of a model whose text encoder's last LayerNorm has this bias."""
    copied(model, target, without="text_encoder")
    encoder = target / "text_encoder"
    encoder.mkdir()
    (encoder / "config.json").write_bytes((model / "text_encoder" / "config.json").read_bytes())
    weights = load_file(model / "text_encoder" / "model.safetensors")
    (key,) = (key for key in weights if key.endswith("final_layer_norm.bias"))
    save_file(
        weights | {key: torch.full_like(weights[key], bias)}, encoder / "model.safetensors", {"format": "pt"}
    )
    return target
