"""The samplers: each a scheduler class of diffusers and its settings. Pure data; imports no torch."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator

from eidophone.core.catalog import Catalog

_GRID = ("steps_offset", "set_alpha_to_one", "timestep_spacing")
_CLEAN = ("clip_sample", "clip_sample_range")
_THRESHOLD = ("thresholding", "dynamic_thresholding_ratio", "sample_max_value")


@dataclass(frozen=True)
class SamplerSpec:
    """One sampler.

    Attributes:
        scheduler: Name of the class in diffusers.
        settings: Its own settings, beside the noise schedule of the model.
        keys: Further keys that it takes from a model's `scheduler_config.json`.
    """

    scheduler: str
    settings: dict[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()


#: For latents.
SAMPLERS: Catalog[SamplerSpec] = Catalog("sampler")
SAMPLERS.register("ddim", SamplerSpec("DDIMScheduler", keys=(*_GRID, *_CLEAN, *_THRESHOLD)))
# asks twice in its first step, so it yields one state more than it has steps
SAMPLERS.register("plms", SamplerSpec("PNDMScheduler", {"skip_prk_steps": True}, _GRID))
SAMPLERS.register(
    "dpm++2m",
    SamplerSpec(
        "DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "solver_order": 2}, _THRESHOLD
    ),
)
SAMPLERS.register("unipc", SamplerSpec("UniPCMultistepScheduler", {"solver_order": 2}))
# for models or adapters that were distilled to few steps; adds noise of its own between them
SAMPLERS.register(
    "lcm", SamplerSpec("LCMScheduler", keys=("original_inference_steps", "timestep_scaling", *_CLEAN))
)

#: For pixels.
PIXEL_SAMPLERS: Catalog[SamplerSpec] = Catalog("pixel-sampler")
# adds noise of its own at every step, as DeepFloyd IF was sampled
PIXEL_SAMPLERS.register(
    "ddpm",
    SamplerSpec(
        "DDPMScheduler",
        {"variance_type": "fixed_small"},
        ("timestep_spacing", "steps_offset", *_CLEAN, *_THRESHOLD),
    ),
)
for _shared in ("ddim", "dpm++2m"):
    PIXEL_SAMPLERS.register(_shared, SAMPLERS[_shared])

Sampler = Annotated[str, AfterValidator(SAMPLERS.known)]
PixelSampler = Annotated[str, AfterValidator(PIXEL_SAMPLERS.known)]


def sampler_spec(name: str) -> SamplerSpec:
    """A sampler by its name.

    Raises:
        ValueError: there is none.
    """
    return SAMPLERS[name] if name in SAMPLERS else PIXEL_SAMPLERS[name]
