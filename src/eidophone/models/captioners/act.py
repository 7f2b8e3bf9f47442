"""The Audio Captioning Transformer (Mei et al., 2021), the captioner of In-the-wild Sounds, section 3.1.

Own implementation with the names and shapes of the published checkpoint `ACTm.pth`.
"""

import heapq
import itertools
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eidophone.core.errors import BadInput
from eidophone.core.values import Caption, Floats
from eidophone.media.filters import slaney_filters
from eidophone.models.captioners.vocabulary import find_vocabulary, read_vocabulary
from eidophone.models.captioners.windows import Said, captioned
from eidophone.models.components import settled
from eidophone.models.pretrained import check_keys, checked

RATE_HZ, FRAMES = 32_000, 320_000
N_FFT, HOP, BANDS, COLUMNS = 1024, 640, 64, 500
SMALLEST_POWER, RANGE_DB = 1e-10, 80.0
PATCH, WIDTH, HEADS, BLOCKS, TAGS = 4, 768, 12, 12, 527
TEXT_WIDTH, TEXT_HEADS, TEXT_BLOCKS, TEXT_INNER, LONGEST = 512, 8, 4, 2048, 2000
MOST_WORDS = 30
START, END = "<sos>", "<eos>"


def features(samples: Tensor) -> Tensor:
    """Mel power in decibels, as librosa computes it, the last column dropped.

    Shape:
        - samples: (batch, frames) at 32 kHz, cut or filled with silence to 10 s
        - Output: (batch, 500, 64)
    """
    sound = F.pad(samples[:, :FRAMES], (0, max(0, FRAMES - samples.shape[1])))
    bank = slaney_filters(N_FFT // 2 + 1, BANDS, 0.0, RATE_HZ / 2, RATE_HZ)
    window = torch.hann_window(N_FFT)
    spectrum = torch.stft(sound, N_FFT, HOP, window=window, pad_mode="constant", return_complex=True)
    power = spectrum.abs().square().transpose(1, 2)[:, :COLUMNS] @ torch.from_numpy(bank).float()
    decibels = 10 * power.clamp(min=SMALLEST_POWER).log10()
    return decibels.maximum(decibels.amax((1, 2), keepdim=True) - RANGE_DB)


class Attention(nn.Module):
    """Self-attention of twelve heads."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Sequential(nn.Linear(WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, width) -> the same."""
        q, k, v = self.qkv(x).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        mixed: Tensor = self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return mixed


class Perceptron(nn.Module):
    """Two linear maps with a GELU between."""

    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(WIDTH, 4 * WIDTH), "fc2": nn.Linear(4 * WIDTH, WIDTH)})

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, width) -> the same."""
        found: Tensor = self.mlp["fc2"](F.gelu(self.mlp["fc1"](x)))
        return found


class Normed(nn.Module):
    """Adds what a part makes of its normalised input."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.norm, self.fn = nn.LayerNorm(WIDTH), part

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, width) -> the same."""
        found: Tensor = x + self.fn(self.norm(x))
        return found


class Encoder(nn.Module):
    """A vision transformer over strips of four columns.

    Shape:
        - Input: (batch, 500, 64), decibels
        - Output: (batch, 126, 527)
    """

    def __init__(self) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.zeros(1, COLUMNS // PATCH + 1, WIDTH))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.bn0 = nn.BatchNorm1d(BANDS)
        self.patch_embed = nn.ModuleDict({"proj": nn.Linear(PATCH * BANDS, WIDTH)})
        pairs = [nn.ModuleList([Normed(Attention()), Normed(Perceptron())]) for _ in range(BLOCKS)]
        self.blocks = nn.ModuleDict({"layers": nn.ModuleList(pairs)})
        self.mlp_head = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, TAGS))

    def forward(self, decibels: Tensor) -> Tensor:
        """What is heard, token by token."""
        level = self.bn0(decibels.transpose(1, 2)).transpose(1, 2)
        strips = self.patch_embed["proj"](level.unflatten(1, (-1, PATCH)).flatten(2))
        x = torch.cat([self.cls_token.expand(len(strips), -1, -1), strips], 1) + self.pos_embedding
        pairs: Any = self.blocks["layers"]
        for attention, perceptron in pairs:
            x = perceptron(attention(x))
        tags: Tensor = self.mlp_head(x)
        return tags


class Positions(nn.Module):
    """Sinusoids, which the checkpoint holds too."""

    pe: Tensor

    def __init__(self) -> None:
        super().__init__()
        place = torch.arange(LONGEST)[:, None]
        turn = torch.exp(torch.arange(0, TEXT_WIDTH, 2) * (-math.log(10_000) / TEXT_WIDTH))
        waves = torch.stack([(place * turn).sin(), (place * turn).cos()], 2).flatten(1)
        self.register_buffer("pe", waves[:, None])


class Act(nn.Module):
    """Encoder and decoder; words are numbers below `words`."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.encoder_linear = nn.Linear(TAGS, TEXT_WIDTH)
        self.pos_encoder = Positions()
        layer = nn.TransformerDecoderLayer(TEXT_WIDTH, TEXT_HEADS, TEXT_INNER, activation="gelu")
        self.transformer_decoder = nn.TransformerDecoder(layer, TEXT_BLOCKS)
        self.word_emb = nn.Embedding(words, TEXT_WIDTH)
        self.dec_fc = nn.Linear(TEXT_WIDTH, words)

    def encode(self, decibels: Tensor) -> Tensor:
        """(batch, 500, 64) -> (126, batch, 512), not negative."""
        return F.relu(self.encoder_linear(self.encoder(decibels))).transpose(0, 1)

    def next_word(self, heard: Tensor, said: Tensor) -> Tensor:
        """Probability of each word to come next: (126, batch, 512), (batch, length) -> (batch, words)."""
        length = said.shape[1]
        x = self.word_emb(said.T) * math.sqrt(TEXT_WIDTH) + self.pos_encoder.pe[:length]
        mask = nn.Transformer.generate_square_subsequent_mask(length, device=said.device)
        logits: Tensor = self.dec_fc(self.transformer_decoder(x, heard, tgt_mask=mask)[-1])
        return logits.softmax(1)

    def greedy(self, heard: Tensor, start: int, end: int) -> tuple[Tensor, Tensor]:
        """The likeliest word each time, until all captions have ended or have 30 words.

        Returns:
            Words with the start word, and the probability of each (0 for the start word); (batch, length).
        """
        words = torch.full((heard.shape[1], 1), start, device=heard.device)
        sure = torch.zeros(words.shape, device=heard.device)
        for _ in range(MOST_WORDS):
            best = self.next_word(heard, words).max(1, keepdim=True)
            words, sure = torch.cat([words, best.indices], 1), torch.cat([sure, best.values], 1)
            if bool((words == end).any(1).all()):
                break
        return words, sure


#: Most nodes of a search.
_MOST_NODES = 2000


def best_first(
    next_words: Callable[[list[int]], Tensor], start: int, end: int, beams: int
) -> list[tuple[int, float]]:
    """The published beam search: always extends the caption with the highest log probability per word.

    Args:
        next_words: Probabilities of the next word, (words,), from the words so far.
        start, end: The marks; the caption contains neither.
        beams: Extensions of a caption that are tried, the likeliest ones; 1 is greedy.

    Returns:
        Words and their probabilities.
    """
    queue: list[tuple[float, int, list[tuple[int, float]], float]] = [(0.0, 0, [], 0.0)]
    nodes = 1
    while True:
        _, _, said, total = heapq.heappop(queue)
        if (said and said[-1][0] == end) or len(said) == MOST_WORDS or nodes > _MOST_NODES:
            return said[:-1] if said and said[-1][0] == end else said
        likeliest = next_words([start, *(word for word, _ in said)]).topk(beams)
        for word, chance in zip(likeliest.indices.tolist(), likeliest.values.tolist(), strict=True):
            longer = total + math.log(max(chance, 1e-30))
            heapq.heappush(queue, (-longer / (len(said) + 1), nodes, [*said, (word, chance)], longer))
            nodes += 1


class ActCaptioner:
    """ACT over windows of 10 s; see `contract.Captioner`.

    Args:
        name: As the card calls it.
        network: Ready to use.
        words: By their numbers.
        beams: See `best_first`; 1 is greedy, as in the publication's run.
    """

    rate_hz = RATE_HZ

    def __init__(self, name: str, network: Act, words: tuple[str, ...], beams: int = 1) -> None:
        self.name = name
        self._network, self._words, self._beams = network, words, beams

    def caption(self, blocks: Iterable[Floats]) -> Caption:
        """See `contract.Captioner`."""
        return captioned(blocks, RATE_HZ, FRAMES, self._listen)

    @torch.inference_mode()
    def _listen(self, samples: Floats) -> list[Said]:
        device = self._network.dec_fc.weight.device
        heard = self._network.encode(features(torch.from_numpy(samples)[None]).to(device))
        start, end = self._words.index(START), self._words.index(END)
        if self._beams > 1:

            def _next_words(said: list[int]) -> Tensor:
                return self._network.next_word(heard, torch.tensor([said], device=device))[0]

            found = best_first(_next_words, start, end, self._beams)
        else:
            numbers, sure = self._network.greedy(heard, start, end)
            pairs = zip(numbers[0, 1:].tolist(), sure[0, 1:].tolist(), strict=True)
            found = list(itertools.takewhile(lambda pair: pair[0] != end, pairs))
        return [(self._words[number], min(chance, 1.0)) for number, chance in found]


def load_act(name: str, path: Path, device: torch.device, beams: int = 1) -> ActCaptioner:
    """ACT from a checkpoint like `ACTm.pth`, with its vocabulary beside it, ready to use.

    Raises:
        BadInput: the vocabulary is missing, a file is damaged or wants to run code, keys are missing or too
            many.
    """
    vocabulary = find_vocabulary(path.parent)
    words = read_vocabulary(vocabulary)
    for mark in (START, END):
        if mark not in words:
            raise BadInput(f"{vocabulary}: the word {mark} is missing; it is not ACT's vocabulary.")
    given = checked(path, lambda: torch.load(path, map_location="cpu", weights_only=True))
    if isinstance(given, dict) and isinstance(given.get("model"), dict):
        given = given["model"]
    with torch.device("meta"):
        network = Act(len(words))
    check_keys(path, {k: tuple(v.shape) for k, v in network.state_dict().items()}, given)
    network.load_state_dict(given, assign=True)
    return ActCaptioner(name, settled(network, device), words, beams)
