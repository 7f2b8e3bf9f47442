"""The embedded family: presets against the publication's loop, diffusers' pipeline, counts, scaling."""

import statistics
from typing import Any

from benchmarks.baselines import STEPS, Loop, pipeline_seconds
from benchmarks.performance.clock import Clock, Report, Work
from benchmarks.performance.machine import PROMPTS
from eidophone.models.cards import package_folder
from eidophone.models.openvino import available
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.compose.pipeline import compose, open_run
from eidophone.verbs.shared.canvas import denoise
from eidophone.verbs.shared.context import Context

#: Samples of the long run, and how many of its first and last ones are compared.
LONG, ENDS = 1000, 100
#: A sample that is nearly all overhead.
SMALLEST: dict[str, Any] = {"steps": 1, "width": 64, "preset": "draft"}


def options_of(clock: Clock, **more: Any) -> ComposeOptions:
    """Options of one sample on the clock's device, one thread."""
    given = {"image_prompt": PROMPTS[0], "audio_prompt": PROMPTS[1], "count": 1, "threads": 1}
    return ComposeOptions.make(**(given | {"device": str(clock.device), "offline": True} | more))


def sampled(clock: Clock, **more: Any) -> Work:
    """Samples of the embedded family; models are loaded once."""
    context, options = Context(), options_of(clock, **more)
    return lambda: list(compose(options, context))


def drawn(clock: Clock, **more: Any) -> Work:
    """One sample up to its picture, which is not played."""
    context, options = Context(), options_of(clock, **more)

    def work() -> object:
        run = open_run([options], context)
        scheduler, batch = run.scheduler(), run.jobs[:1]
        latents = denoise(run.denoiser(scheduler, batch), run.noise(batch), scheduler, lambda _: None)
        return run.decode(latents)

    return work


def presets(report: Report, clock: Clock) -> None:
    """The presets against the publication's loop, with diffusers' networks and scheduler."""
    run = open_run([options_of(clock)], Context())
    works: dict[str, Work] = {"publication's loop": Loop.of(run)}
    works |= {f"`{name}`": sampled(clock, preset=name) for name in ("paper", "fast", "draft")}
    found = clock.turns(works)
    base = found["publication's loop"]
    report.aim("embedded family: `fast` against the publication's loop", "15 times faster",
               f"{base / found['`fast`']:.1f} times")  # fmt: skip
    report.table(
        "The embedded family, one sample", ("way", "s", "times the loop's speed"),
        [(name, f"{value:.2f}", f"{base / value:.1f}") for name, value in found.items()],
        f"The publication's loop is written out with the networks and the scheduler of diffusers: {STEPS} DDIM steps, "
        "each asking both models for both of their prompts.",
    )  # fmt: skip


def pipeline(report: Report, clock: Clock, steps: int = 25) -> None:
    """One model alone, against diffusers' own pipeline: same steps, canvas and number format."""
    theirs = pipeline_seconds(package_folder("tiny/image"), PROMPTS[0], steps, clock.device)
    alone = {
        "audio_weight": 0.0,
        "steps": steps,
        "sampler": "ddim",
        "guidance_stop_step": None,
        "crop": False,
    }
    whole, reused = alone | {"reuse_steps": 1}, alone | {"reuse_steps": 2}
    works: dict[str, Work] = {
        "diffusers": theirs,
        "eidophone": drawn(clock, engine="torch", **whole),
        "eidophone, inner features reused at every second step": drawn(clock, engine="torch", **reused),
    }
    if available() and clock.device.type == "cpu":
        works["eidophone, OpenVINO"] = drawn(clock, engine="openvino", **whole)
    found = clock.turns(works)
    base = found["diffusers"]
    report.aim("embedded family: diffusers' pipeline at equal steps, canvas and number format",
               "1.5 times faster", ", ".join(f"{base / value:.2f} ({name.removeprefix('eidophone, ')})"
                                             for name, value in found.items() if name != "diffusers"))  # fmt: skip
    report.table(
        f"Against diffusers' own pipeline: the image model alone, {steps} guided DDIM steps, float32",
        ("way", "s", "times its speed"),
        [(name, f"{value:.2f}", f"{base / value:.2f}") for name, value in found.items()],
        "From the prompt to the picture. OpenVINO computes the U-Nets where it is installed and "
        "the run is long enough; its compiling is not counted.",
    )  # fmt: skip


def counts(report: Report, clock: Clock) -> None:
    """What a sample costs in short and in long runs."""
    works = {f"`fast`, {n} at once": sampled(clock, count=n) for n in (1, 8)}
    found = {name: value / int(name.split()[1]) for name, value in clock.turns(works).items()}
    small = _first_and_last(clock)
    ratios = [found["`fast`, 8 at once"] / found["`fast`, 1 at once"], small[1] / small[0]]
    rows = [
        (name.replace("1 at once", "one sample").replace("at once", "samples"), f"{value:.3f}")
        for name, value in found.items()
    ]
    rows += [(f"one step, 64 columns: the first {ENDS} of {LONG}", f"{small[0]:.4f}"),
             (f"one step, 64 columns: the last {ENDS} of {LONG}", f"{small[1]:.4f}")]  # fmt: skip
    report.aim("cost a sample in a run of 8 against 1; end against beginning of 1,000", "within 5 %",
               ", ".join(f"{ratio - 1:+.1%}" for ratio in ratios))  # fmt: skip
    report.table("Cost a sample by count", ("run", "s a sample"), rows,
                 "A thousand samples are as small as can be, so that all that is not sampling shows.")  # fmt: skip


def _first_and_last(clock: Clock) -> tuple[float, float]:
    made = compose(options_of(clock, count=LONG, **SMALLEST), Context())
    each = [clock.once(lambda: next(made)) for _ in range(LONG)]
    return statistics.median(each[1 : ENDS + 1]), statistics.median(each[-ENDS:])


def scaling(report: Report, clock: Clock) -> None:
    """How the cost grows with the batch, the canvas and the steps."""
    works = {"one sample": sampled(clock)}
    works |= {f"batch of {n}, a sample": sampled(clock, count=n, batch_size=n) for n in (2, 4)}
    works |= {f"width {n}": sampled(clock, width=n) for n in (224, 896)}
    works |= {f"{n} steps": sampled(clock, steps=n) for n in (6, 24, 48)}
    found = clock.turns(works)
    each = {
        name: value / int(name.split()[2].strip(",")) if name.startswith("batch") else value
        for name, value in found.items()
    }
    rows = [(name, f"{value:.2f}", f"{value / each['one sample']:.2f}") for name, value in each.items()]
    report.table("Scaling, the embedded family, `fast`", ("run", "s", "against one sample"), rows,
                 "One sample is 448 columns wide; a wider canvas is denoised in windows, which reuse nothing and "
                 "overlap. Guidance ends at the same share of the steps.")  # fmt: skip
