"""DeepFloyd IF: U-Nets over pixels in two stages, with T5's text encoder. The adapter is in `models.pixel`."""

from eidophone.models.families import Family
from eidophone.models.families.sd import ask, load_network, load_text, width

FAMILY = Family(
    folder="unet",
    pipelines=("IFPipeline", "IFSuperResolutionPipeline", "IFImg2ImgPipeline", "IFInpaintingPipeline"),
    networks=(),  # those of Stable Diffusion; the role tells them apart
    load_network=load_network,
    load_text=load_text,
    ask=ask,
    width=width,
)
