"""One latent, and the mean of both models' noise estimates at every step (Images that Sound, equation 3)."""

from collections.abc import Sequence

from torch import Tensor

from eidophone.diffusion.guidance import Blend, Denoiser, Part
from eidophone.diffusion.prompts import BandBlend
from eidophone.verbs.compose.own import moves_light
from eidophone.verbs.compose.run import ComposeRun, Finished, Guides


class Average:
    """See `verbs.compose.blends.Blend`."""

    def shapes(self, run: ComposeRun) -> tuple[tuple[int, ...], ...]:
        """One canvas."""
        return (run.image.latent_shape(run.settings.height, run.settings.width),)

    def denoiser(self, run: ComposeRun, guides: Guides) -> Denoiser:
        """The weighted mean of the two models that are active."""
        share = run.settings.audio_weight
        blend: Denoiser = Blend(
            (
                Part(guides.image, 1 - share, guides.image_window),
                Part(guides.audio, share, guides.audio_window),
            )
        )
        if run.settings.banded:
            blend = BandBlend(guides.speakers(share))
        return blend if run.own is None else run.own.hold(blend)

    def read(self, run: ComposeRun, latents: Sequence[Tensor]) -> Finished:
        """The picture is the decoded latent; its grey part plays, as the audio model sees it."""
        own = run.without_cutoff(latents[-1])
        pictures = run.decode(own)
        if run.own is None:
            return Finished(pictures, run.played(own, pictures).mean(1), {"latents": own})
        shown = run.own.kept(pictures)
        played = run.view.apply(shown) if moves_light(run.view) else run.played(own, shown)
        return Finished(shown, played.mean(1), {"latents": own})


BLEND = Average()
