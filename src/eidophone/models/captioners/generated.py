"""Captioners of transformers that write word by word: Whisper-type audio captioners and audio language models.

Each hears windows of 30 s and writes greedily; a word's confidence is the product of its tokens'
probabilities.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eidophone.core.errors import BadInput
from eidophone.core.values import Caption, Floats
from eidophone.models.captioners.windows import Said, captioned
from eidophone.models.components import settled
from eidophone.models.device import choose_dtype
from eidophone.models.pretrained import checked, pretrained, running

RATE_HZ, FRAMES = 16_000, 480_000
MOST_TOKENS = 60
#: What a Whisper-type captioner was trained to go on from (Kadlčík et al., 2023), behind Whisper's own marks.
WHISPER_MARKS = ("<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>")
WHISPER_STYLE = "clotho > caption: "
#: What Qwen2-Audio is asked (Chu et al., 2024).
QWEN_QUESTION = "<|audio_bos|><|AUDIO|><|audio_eos|>Generate the caption in English:"
#: What a model that holds conversations is asked.
QUESTION = (
    "Name everything that can be heard, in one short phrase without an introduction, "
    "such as: a dog barking and rain falling."
)


@dataclass(frozen=True)
class GeneratingCaptioner:
    """See `contract.Captioner`.

    Attributes:
        network: Of transformers, ready to use.
        tokenizer: Of its words.
        prepare: What the network is given, from (frames,) at 16 kHz; what it writes follows that.
    """

    name: str
    network: Any
    tokenizer: Any
    prepare: Callable[[Floats], dict[str, Tensor]]
    rate_hz: int = RATE_HZ

    def caption(self, blocks: Iterable[Floats]) -> Caption:
        """See `contract.Captioner`."""
        return captioned(blocks, RATE_HZ, FRAMES, self._listen)

    @torch.inference_mode()
    def _listen(self, samples: Floats) -> list[Said]:
        from transformers import GenerationMixin

        # Whisper's own generate() is made for speech: it looks for time marks and languages
        with running(f"The captioner {self.name!r}"):
            found = GenerationMixin.generate(
                self.network,
                **{name: self._moved(value) for name, value in self.prepare(samples).items()},
                max_new_tokens=MOST_TOKENS,
                do_sample=False,
                num_beams=1,
                output_scores=True,
                return_dict_in_generate=True,
            )
        chances = torch.stack([score[0].float().softmax(0) for score in found.scores])
        tokens = found.sequences[0, -len(chances) :]
        sure = chances.gather(1, tokens[:, None])[:, 0]
        return words_of(tokens.tolist(), sure.tolist(), self.tokenizer)

    def _moved(self, value: Tensor) -> Tensor:
        dtype = self.network.dtype if value.is_floating_point() else value.dtype
        return value.to(self.network.device, dtype)


def words_of(tokens: Sequence[int], sure: Sequence[float], tokenizer: Any) -> list[Said]:
    """Words from tokens up to the end mark; a token that begins with a space begins a word.

    Args:
        tokens: Numbers, as they were written.
        sure: Probability of each.
        tokenizer: Of transformers.
    """
    special = set(tokenizer.all_special_ids)
    words: list[Said] = []
    begun = False
    for token, chance in zip(tokens, sure, strict=True):
        if token == tokenizer.eos_token_id:
            break
        text = "" if token in special else tokenizer.decode([token])
        begun = begun and not text[:1].isspace()
        for i, piece in enumerate(text.split()):
            if begun and i == 0:
                word, before = words[-1]
                words[-1] = word + piece, before * min(chance, 1.0)
            else:
                words.append((piece, min(chance, 1.0)))
            begun = True
        begun = begun and not text[-1:].isspace()
    return words


def load_whisper(name: str, folder: Path, device: torch.device) -> GeneratingCaptioner:
    """A Whisper-type audio captioner from a folder in transformers' layout.

    Raises:
        BadInput: a file is missing, damaged, or of another layout.
    """
    from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer

    how = {"local_files_only": True}
    tokenizer = checked(folder, lambda: WhisperTokenizer.from_pretrained(folder, **how))
    extractor = checked(folder, lambda: WhisperFeatureExtractor.from_pretrained(folder, **how))
    marks = tokenizer.convert_tokens_to_ids(list(WHISPER_MARKS))
    if None in marks or tokenizer.unk_token_id in marks[1:]:
        raise BadInput(f"{folder}: its tokenizer lacks Whisper's marks; fetch the model again.")
    style = tokenizer(WHISPER_STYLE, add_special_tokens=False)["input_ids"]
    start = torch.tensor([[*marks, *style]])

    def _prepare(samples: Floats) -> dict[str, Tensor]:
        heard = extractor(samples, sampling_rate=RATE_HZ, return_tensors="pt")["input_features"]
        return {"input_features": heard, "decoder_input_ids": start}

    network = _network(WhisperForConditionalGeneration, folder, device)
    network.generation_config.forced_decoder_ids = None
    return GeneratingCaptioner(name, network, tokenizer, _prepare)


def load_qwen2_audio(name: str, folder: Path, device: torch.device) -> GeneratingCaptioner:
    """Qwen2-Audio from a folder in transformers' layout.

    Raises:
        BadInput: a file is missing, damaged, or of another layout.
    """
    from transformers import Qwen2AudioForConditionalGeneration, Qwen2AudioProcessor

    how = {"local_files_only": True}
    processor = checked(folder, lambda: Qwen2AudioProcessor.from_pretrained(folder, **how))

    def _prepare(samples: Floats) -> dict[str, Tensor]:
        return dict(processor(text=QWEN_QUESTION, audio=samples, sampling_rate=RATE_HZ, return_tensors="pt"))

    network = _network(Qwen2AudioForConditionalGeneration, folder, device)
    return GeneratingCaptioner(name, network, processor.tokenizer, _prepare)


def load_conversing(
    name: str, folder: Path, device: torch.device, network: str, processor: str
) -> GeneratingCaptioner:
    """An audio language model that answers questions, from a folder in transformers' layout with a chat template.

    Args:
        name: As the card calls it.
        folder: Of the model.
        device: Where it runs.
        network, processor: Names of their classes in transformers.

    Raises:
        BadInput: a file is missing, damaged, or of another layout.
    """
    import transformers

    prepared = checked(
        folder, lambda: getattr(transformers, processor).from_pretrained(folder, local_files_only=True)
    )
    asked = [
        {"role": "user", "content": [{"type": "audio", "audio_url": ""}, {"type": "text", "text": QUESTION}]}
    ]
    text = checked(
        folder, lambda: prepared.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
    )

    def _prepare(samples: Floats) -> dict[str, Tensor]:
        return dict(prepared(text=[text], audio=[samples], sampling_rate=RATE_HZ, return_tensors="pt"))

    network_kind = getattr(transformers, network)
    return GeneratingCaptioner(name, _network(network_kind, folder, device), prepared.tokenizer, _prepare)


def _network(kind: Any, folder: Path, device: torch.device) -> Any:
    return settled(pretrained(kind, folder, dtype=choose_dtype("auto", device)), device)
