"""The embedded captioner: the tagger's classes and their course in time, as a sentence.

Sources that the embedded family knows are told by a small head on the tagger's embedding, trained by
`recipes/listener.py` on single sounds and mixtures; all others by the tagger's own classes.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from eidophone.models.captioners.plain import plain
from eidophone.models.captioners.sentence import Heard, sentence, silence
from eidophone.models.captioners.table import Source, sources
from eidophone.models.captioners.timeline import Timeline
from eidophone.models.captioners.windows import SILENCE, loudness
from eidophone.models.cards import package_folder, shipped
from eidophone.models.tagger import CONFIG, RATE_HZ, SPAN, STEP, WEIGHTS, Tagger, load_tagger
from eidophone.values import Caption, Floats

FOLDER = "tiny/captioner"
#: A source is named from this confidence on, and from this share of the surest one's.
FLOOR, SHARE = 0.08, 0.2
#: What a source needs that is told by the tagger's classes alone, which are quick to name a single window.
CLASS_FLOOR, CLASS_DOUBT = 0.4, np.float32(1)
MOST_SOURCES = 3
WINDOWS_AT_ONCE = 32
WHOLE = SPAN + (WINDOWS_AT_ONCE - 1) * STEP


@dataclass(frozen=True)
class TaggedCaptioner:
    """Names up to three sources of a sound; see `contract.Captioner`.

    Attributes:
        tagger: Who listens.
        head: Logits of `known` from the tagger's embedding.
        known: Names of the sources that the head tells.
        name, rate_hz: As the contract says.
    """

    tagger: Tagger
    head: nn.Linear
    known: tuple[str, ...]
    name: str = "tiny"
    rate_hz: int = RATE_HZ

    def caption(self, blocks: Iterable[Floats]) -> Caption:
        """See `contract.Captioner`."""
        timeline = Timeline(len(sources()), STEP / RATE_HZ)
        sounding, frames = False, 0
        for i, part in enumerate(_parts(blocks)):
            windows = _windows(part)
            loud = np.array([loudness(window) >= SILENCE for window in windows])
            found = np.zeros((len(loud), len(sources())), np.float32)
            if loud.any():
                found[loud] = _plainly(windows, self.probabilities(part))[loud]
            timeline.add(found)
            sounding |= bool(loud.any())
            frames = i * WINDOWS_AT_ONCE * STEP + len(part)
        length_s = frames / RATE_HZ
        if not sounding:
            return silence(length_s)
        return sentence(self._chosen(timeline, length_s))

    @torch.inference_mode()
    def probabilities(self, samples: Floats) -> Floats:
        """Of every source in each window of a sound: (frames,) at 16 kHz -> (windows, sources)."""
        embeddings = self.tagger.embeddings(torch.from_numpy(samples))
        classes = self.tagger.head(embeddings).sigmoid()
        known = dict(zip(self.known, self.head(embeddings).sigmoid().unbind(1), strict=True))
        columns = [self._probability(source, classes, known) for source in sources()]
        found: Floats = torch.stack(columns, 1).numpy()
        return found

    def _probability(self, source: Source, classes: Tensor, known: dict[str, Tensor]) -> Tensor:
        if source.name in known:
            return known[source.name]
        return classes[:, [self.tagger.classes.index(name) for name in source.heard]].amax(1)

    def _chosen(self, timeline: Timeline, length_s: float) -> list[Heard]:
        table = sources()
        by_class = np.array([source.name not in self.known for source in table])
        sure = timeline.confidence(by_class.astype(np.float32) * CLASS_DOUBT)
        special = [i for i in np.argsort(-sure) if not table[i].general]
        floors = np.maximum(np.where(by_class, CLASS_FLOOR, FLOOR), SHARE * sure[special[0]])
        chosen: list[int] = []
        for i in special:
            echo = by_class[i] and any(table[i].kind == table[j].kind != "" for j in chosen)
            if sure[i] >= floors[i] and not echo:
                chosen.append(i)
        kinds = {table[i].kind for i in chosen}
        chosen += [
            i for i, s in enumerate(table) if s.general and sure[i] >= CLASS_FLOOR and s.kind not in kinds
        ]
        chosen = chosen[:MOST_SOURCES] or [int(sure.argmax())]
        spans = [timeline.span(i, SPAN / RATE_HZ) for i in chosen]
        return [
            Heard(table[i].phrase, float(sure[i]), start, min(end, length_s))
            for i, (start, end) in zip(chosen, spans, strict=True)
        ]


def _parts(blocks: Iterable[Floats]) -> Iterator[Floats]:
    """Parts whose windows, one after the other, are those of the whole sound."""
    kept = np.zeros(0, np.float32)
    for block in blocks:
        kept = np.concatenate([kept, block])
        while len(kept) > WHOLE:
            yield kept[:WHOLE]
            kept = kept[WINDOWS_AT_ONCE * STEP :]
    if len(kept):
        yield kept


def _windows(part: Floats) -> Floats:
    """The tagger's windows, the last one filled with silence; (windows, SPAN)."""
    count = 1 + max(0, -(-(len(part) - SPAN) // STEP))
    padded = np.pad(part, (0, max(0, SPAN + (count - 1) * STEP - len(part))))
    windows: Floats = np.lib.stride_tricks.sliding_window_view(padded, SPAN)[::STEP]
    return windows


def _plainly(windows: Floats, probabilities: Floats) -> Floats:
    """The same, where a window is plainly a tone or noise: that, and nothing else."""
    names = [source.name for source in sources()]
    for window, row in zip(windows, probabilities, strict=True):
        if (kind := plain(window)) is not None:
            row[:] = 0
            row[names.index(kind.value)] = 1
    return probabilities


def load_tagged(folder: Path | None = None) -> TaggedCaptioner:
    """The embedded captioner, on the processor.

    Args:
        folder: Where the head's `model.safetensors` and `config.json` lie; by default in this package.

    Raises:
        WeightsAbsent: they are not there.
    """
    folder = shipped("The captioner", folder or package_folder(FOLDER), WEIGHTS, "recipes.listener")
    weights = {key: value.float() for key, value in load_file(folder / WEIGHTS).items()}
    known = tuple(json.loads((folder / CONFIG).read_text(encoding="utf-8"))["sources"])
    head = nn.Linear(weights["weight"].shape[1], len(known))
    head.load_state_dict(weights)
    return TaggedCaptioner(load_tagger(), head.eval().requires_grad_(False), known)
