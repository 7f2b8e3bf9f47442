"""What a pipeline gets besides its options: loaded models, somebody to report to, a folder."""

from dataclasses import dataclass, field
from pathlib import Path

from eidophone.core.events import Reporter
from eidophone.models.registry import Registry


@dataclass(frozen=True)
class Context:
    """Where a pipeline finds models and what it reports to.

    Attributes:
        registry: Keeps loaded networks for the next call.
        report: Receives steps, previews and warnings; raises if the run was cancelled.
        folder: Where the samples are stored, for verbs that keep checkpoints beside them; None stores nothing.
    """

    registry: Registry = field(default_factory=Registry)
    report: Reporter = field(default_factory=Reporter)
    folder: Path | None = None
