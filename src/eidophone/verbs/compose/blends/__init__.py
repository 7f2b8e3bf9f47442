"""How the two models share the canvas: one module for each blend, found by its name.

A module here defines `BLEND`, an object with the methods of `verbs.compose.run.Blend`. Another package can bring
one by an entry point in the group "eidophone.blends". Importing this package imports no torch.
"""

from typing import Annotated, Any

from pydantic import AfterValidator

from eidophone.core.catalog import Catalog

BLENDS: Catalog[Any] = Catalog("blend", package=__name__, attribute="BLEND")
#: Where neither the user nor a model says: one latent, as published.
DEFAULT_BLEND = "average"

BlendName = Annotated[str, AfterValidator(BLENDS.known)]
