"""A pair in the shape of Stable Diffusion 1.5, with random weights: measured evaluations, multiplied.

A whole sample of the publication's loop would take hours on a processor. So a few evaluations of each kind and one
decoding are timed in turns, and multiplied by their numbers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.baselines import STEPS, random_unets
from benchmarks.performance.clock import Clock, Report, Work
from eidophone.diffusion.canvas import start_noise
from eidophone.models.cards import package_folder
from eidophone.models.device import computes_bfloat16
from eidophone.models.networks.reading import rebuilt
from eidophone.models.networks.reuse import Reuse
from eidophone.models.networks.vae import Vae
from eidophone.verbs.compose.options import ComposeOptions

THEIRS, BOTH = "diffusers", "diffusers, both prompts in one call, each"
OURS, REUSED = "eidophone", "eidophone, inner features reused"


@dataclass(frozen=True)
class Asked:
    """How often one sample asks the U-Nets: in all, and how many of those reuse inner features."""

    whole: int
    reused: int = 0

    @classmethod
    def by(cls, options: ComposeOptions) -> "Asked":
        """By a sample of a pair, both models active at all steps."""
        stop = options.steps if options.guidance_stop_step is None else options.guidance_stop_step
        guided = max(0, min(options.steps, stop) - options.guidance_start_step)
        asks = (options.steps, guided)  # for the prompt, and for its negative
        whole = 2 * sum(-(-n // options.reuse_steps) for n in asks)
        return cls(whole, 2 * sum(asks) - whole)

    def seconds(self, found: Mapping[str, float]) -> float:
        """Of all evaluations of ours."""
        return self.whole * found[OURS] + self.reused * found[REUSED]


@dataclass(frozen=True)
class Networks:
    """A U-Net and the VAE's decoder in one number format: diffusers' objects and ours, which share their weights."""

    clock: Clock
    dtype: torch.dtype
    width: int

    def noisy(self) -> Tensor:
        """Latents of the canvas."""
        return start_noise((1, 4, 32, self.width // 8), 0).to(self.clock.device, self.dtype)

    @torch.inference_mode()
    def evaluations(self) -> tuple[dict[str, float], float]:
        """Seconds of one evaluation by way, and its floating-point operations."""
        theirs, ours = random_unets(self.dtype, self.clock.device)
        noisy, device = self.noisy(), self.clock.device
        condition = torch.randn(1, 77, 768).to(device, self.dtype)
        at, two = torch.tensor(500, device=device), torch.cat([noisy, noisy])
        whole = Reuse(1)
        with FlopCounterMode(display=False) as counted:
            ours(noisy, at, condition, whole)
        inner = whole.features
        assert inner is not None
        works: dict[str, Work] = {
            THEIRS: lambda: theirs(noisy, at, condition, return_dict=False),
            BOTH: lambda: theirs(two, at, condition.expand(2, -1, -1), return_dict=False),
            OURS: lambda: ours(noisy, at, condition),
            REUSED: lambda: ours(noisy, at, condition, Reuse.of(inner)),
        }
        found = self.clock.turns(works)
        return found | {BOTH: found[BOTH] / 2}, float(counted.get_total_flops())

    @torch.inference_mode()
    def decoding(self) -> dict[str, float]:
        """Seconds of decoding one canvas."""
        from diffusers import AutoencoderKL

        config = json.loads((package_folder("layouts/sd15") / "vae" / "config.json").read_text())
        theirs: Any = AutoencoderKL.from_config(config).to(self.clock.device, self.dtype).eval()
        ours, noisy = rebuilt(Vae, theirs), self.noisy()
        once = Clock(self.clock.device, 1)
        return once.turns({THEIRS: lambda: theirs.decode(noisy), OURS: lambda: ours.decode(noisy)})


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def matmul_rate(clock: Clock, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large product."""
    size = 4096 if clock.device.type == "cuda" else 1024
    a = torch.randn(size, size, device=clock.device).to(dtype)
    return 2 * size**3 / clock.turns({"": lambda: [a @ a for _ in range(8)]})[""] * 8


def full_size(report: Report, clock: Clock, width: int) -> None:
    """Evaluations by number format, and samples worked out from them."""
    cuda = clock.device.type == "cuda"
    kinds = [torch.float16 if cuda else torch.float32]
    kinds += [torch.bfloat16] if cuda or computes_bfloat16() else []
    seconds, decoding, rows = {}, {}, []
    for dtype in kinds:
        networks, name = Networks(clock, dtype, width), _name(dtype)
        rate = matmul_rate(clock, dtype)
        seconds[dtype], flops = networks.evaluations()
        decoding[dtype] = networks.decoding()
        for way, value in seconds[dtype].items():
            share = "" if way == REUSED else f"{flops / value / rate:.0%}"
            times = f"{seconds[dtype][THEIRS] / value:.2f}"
            rows.append((name, way, f"{value:.2f}", times, share))
        report.aim(f"big U-Net, {name}: share of the rate of a large matrix product", "60 %",
                   f"{flops / seconds[dtype][OURS] / rate:.0%}")  # fmt: skip
        guided = 2 * seconds[dtype][BOTH]
        report.aim(
            f"big U-Net, {name}, guided, equal steps: diffusers against ours",
            "1.5 times faster (a GPU: 1.3)",
            f"{guided / 2 / seconds[dtype][OURS]:.2f} (all computed), "
            f"{guided / (seconds[dtype][OURS] + seconds[dtype][REUSED]):.2f} (`--reuse-steps 2`)",
        )
    report.table(
        f"U-Net of Stable Diffusion 1.5, random weights, canvas 256 x {width}, one evaluation",
        ("format", "way", "s", "times diffusers' speed", "share of the matmul rate"), rows,
    )  # fmt: skip
    _samples(report, kinds, seconds, decoding)


def _samples(
    report: Report,
    kinds: list[torch.dtype],
    seconds: Mapping[torch.dtype, Mapping[str, float]],
    decoding: Mapping[torch.dtype, Mapping[str, float]],
) -> None:
    """One sample of a pair, from the seconds of one evaluation."""
    first, last = kinds[0], kinds[-1]
    pair = {"image_model": "sd15", "audio_model": "auffusion", "image_prompt": "a", "audio_prompt": "b"}
    same = {"steps": STEPS, "sampler": "ddim", "guidance_stop_step": None, "reuse_steps": 1}
    ways = {
        f"the same {STEPS} steps, chosen number format": Asked.by(ComposeOptions.make(**pair, **same)),
        "`fast`": Asked.by(ComposeOptions.make(**pair)),
        "`draft`": Asked.by(ComposeOptions.make(**pair, preset="draft")),
    }
    loop = 4 * STEPS * seconds[first][THEIRS] + decoding[first][THEIRS]
    rows = [("publication's loop", f"{4 * STEPS} of {seconds[first][THEIRS]:.2f} s", f"{loop:.0f}", "1.0")]
    for name, asked in ways.items():
        value = asked.seconds(seconds[last]) + decoding[last][OURS]
        reused = f", {asked.reused} of {seconds[last][REUSED]:.2f} s" if asked.reused else ""
        rows.append(
            (
                name,
                f"{asked.whole} of {seconds[last][OURS]:.2f} s{reused}",
                f"{value:.0f}",
                f"{loop / value:.1f}",
            )
        )
        if name != "`draft`":
            report.aim(f"big pair, one sample: {name}, against the publication's loop",
                       "12 times faster" if name == "`fast`" else "2 times faster",
                       f"{loop / value:.1f} times (calculated)")  # fmt: skip
    report.table(
        "A pair in the shape of Stable Diffusion 1.5, one sample",
        ("way", "evaluations", "s", "times the loop's speed"),
        rows, "**Calculated, not run as a whole**: the seconds of one evaluation above, times the number of "
        f"evaluations, plus one decoding ({decoding[first][THEIRS]:.0f} s in the loop, "
        f"{decoding[last][OURS]:.0f} s in ours). The loop runs in {_name(first)}, ours in {_name(last)}.",
    )  # fmt: skip
