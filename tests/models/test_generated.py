"""Captioners of transformers, proven on small random networks in the real layout."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eidophone.core.errors import BadInput, WeightsAbsent
from eidophone.models.captioners.generated import (
    FRAMES,
    QUESTION,
    QWEN_QUESTION,
    WHISPER_MARKS,
    WHISPER_STYLE,
    load_conversing,
    load_qwen2_audio,
    load_whisper,
    words_of,
)
from eidophone.models.captioners.load import load_captioner

CPU = torch.device("cpu")
SOUND = 0.1 * np.random.default_rng(0).standard_normal(32_000).astype(np.float32)


def byte_vocabulary() -> dict[str, int]:
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return {letter: i for i, letter in enumerate(bytes_to_unicode().values())}


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import (
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizer,
    )

    folder = tmp_path_factory.mktemp("whisper")
    words = byte_vocabulary()
    words["<|endoftext|>"] = len(words)
    (folder / "vocab.json").write_text(json.dumps(words))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = WhisperTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.add_special_tokens({"additional_special_tokens": list(WHISPER_MARKS)})
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    torch.manual_seed(0)
    start, end = tokenizer.convert_tokens_to_ids(["<|startoftranscript|>", "<|endoftext|>"])
    config = WhisperConfig(
        vocab_size=len(tokenizer), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, bos_token_id=end, eos_token_id=end,
        pad_token_id=end, decoder_start_token_id=start, suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    network = WhisperForConditionalGeneration(config)
    torch.nn.init.normal_(network.model.decoder.embed_tokens.weight, std=1.0)
    network.save_pretrained(folder)
    return folder


def small_tokenizer(folder: Path, marks: list[str]) -> Any:
    """Of single bytes and marks, the last of which ends a text."""
    from transformers import Qwen2Tokenizer

    (folder / "vocab.json").write_text(json.dumps(byte_vocabulary()))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = Qwen2Tokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.add_special_tokens({"additional_special_tokens": marks, "eos_token": marks[-1]})
    return tokenizer


def small_text(tokenizer: Any) -> dict[str, object]:
    """Settings of a language model of one layer."""
    return {
        "model_type": "qwen2", "vocab_size": len(tokenizer), "hidden_size": 16, "intermediate_size": 16,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
        "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None,
    }  # fmt: skip


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import (
        Qwen2AudioConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2AudioProcessor,
        WhisperFeatureExtractor,
    )

    folder = tmp_path_factory.mktemp("qwen")
    tokenizer = small_tokenizer(folder, ["<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>", "<|endoftext|>"])
    Qwen2AudioProcessor(WhisperFeatureExtractor(feature_size=128), tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2AudioConfig(
        audio_config={
            "d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 16,
        },
        text_config=small_text(tokenizer),
        audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    )  # fmt: skip
    Qwen2AudioForConditionalGeneration(config).save_pretrained(folder)
    return folder


#: Marks of the conversation and the place of the sound, as in both published templates.
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% for part in message.content %}"
    "{% if part.type == 'audio' %}SOUND{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def asked(folder: Path, sound: str) -> None:
    (folder / "chat_template.jinja").write_text(TEMPLATE.replace("SOUND", sound))


@pytest.fixture(scope="module")
def flamingo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import (
        AudioFlamingo3Config,
        AudioFlamingo3ForConditionalGeneration,
        AudioFlamingo3Processor,
        WhisperFeatureExtractor,
    )

    folder = tmp_path_factory.mktemp("flamingo")
    tokenizer = small_tokenizer(folder, ["<sound>", "<|im_start|>", "<|im_end|>"])
    AudioFlamingo3Processor(WhisperFeatureExtractor(feature_size=128), tokenizer).save_pretrained(folder)
    asked(folder, "<sound>")
    torch.manual_seed(0)
    config = AudioFlamingo3Config(
        audio_config={
            "model_type": "audioflamingo3_encoder", "hidden_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 16,
        },
        text_config=small_text(tokenizer),
        audio_token_id=tokenizer.convert_tokens_to_ids("<sound>"),
    )  # fmt: skip
    AudioFlamingo3ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def test_whisper_writes_what_a_loop_of_its_own_writes(whisper: Path) -> None:
    captioner = load_whisper("w", whisper, CPU)
    given = captioner.prepare(SOUND)
    prefix = captioner.tokenizer.decode(given["decoder_input_ids"][0])
    assert prefix == "".join(WHISPER_MARKS) + WHISPER_STYLE
    tokens, chances = given["decoder_input_ids"], []
    with torch.inference_mode():
        for _ in range(60):
            logits = captioner.network(given["input_features"], decoder_input_ids=tokens).logits[0, -1]
            best = logits.softmax(0).max(0)
            tokens, chances = torch.cat([tokens, best.indices.view(1, 1)], 1), [*chances, float(best.values)]
            if best.indices == captioner.tokenizer.eos_token_id:
                break
    expected = words_of(tokens[0, -len(chances) :].tolist(), chances, captioner.tokenizer)
    found = captioner._listen(SOUND)
    assert [word for word, _ in found] == [word for word, _ in expected]
    assert [sure for _, sure in found] == pytest.approx([sure for _, sure in expected], rel=1e-3)


@pytest.mark.parametrize("kind", ["whisper", "qwen", "flamingo"])
def test_a_folder_is_a_captioner_by_its_own_word(kind: str, request: pytest.FixtureRequest) -> None:
    captioner = load_captioner(str(request.getfixturevalue(kind)), CPU, offline=True)
    assert captioner.rate_hz == 16_000
    assert captioner.caption([np.zeros(16_000, np.float32)]).text == "silence"


def test_qwen_hears_as_many_places_as_the_sound_is_long(qwen: Path) -> None:
    captioner = load_qwen2_audio("q", qwen, CPU)
    place = captioner.tokenizer.convert_tokens_to_ids("<|AUDIO|>")
    short, long = (
        int((captioner.prepare(sound)["input_ids"] == place).sum()) for sound in (SOUND, np.tile(SOUND, 4))
    )
    assert 0 < short < long
    assert captioner.prepare(SOUND)["input_features"].shape == (1, 128, 3000)
    assert QWEN_QUESTION.endswith(captioner.tokenizer.decode(captioner.prepare(SOUND)["input_ids"][0, -5:]))
    assert all(0 <= sure <= 1 for _, sure in captioner._listen(SOUND))


def test_a_model_that_converses_is_asked_what_can_be_heard(flamingo: Path, qwen: Path) -> None:
    captioner = load_captioner(str(flamingo), CPU, offline=True)
    place = captioner.tokenizer.convert_tokens_to_ids("<sound>")  # type: ignore[attr-defined]
    given = [captioner.prepare(sound) for sound in (SOUND, np.tile(SOUND, 4))]  # type: ignore[attr-defined]
    short, long = (int((each["input_ids"] == place).sum()) for each in given)
    assert 0 < short < long
    text = captioner.tokenizer.decode(given[0]["input_ids"][0])  # type: ignore[attr-defined]
    assert text.endswith(f"{QUESTION}<|im_end|>\n<|im_start|>assistant\n")
    assert all(0 <= sure <= 1 for _, sure in captioner._listen(SOUND))  # type: ignore[attr-defined]


def test_qwen_that_converses_hears_the_whole_sound(qwen: Path, tmp_path: Path) -> None:
    for file in qwen.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    asked(tmp_path, "<|audio_bos|><|AUDIO|><|audio_eos|>")
    names = ("Qwen2AudioForConditionalGeneration", "Qwen2AudioProcessor")
    captioner = load_conversing("q", tmp_path, CPU, *names)
    place = captioner.tokenizer.convert_tokens_to_ids("<|AUDIO|>")
    assert int((captioner.prepare(SOUND)["input_ids"] == place).sum()) > 1
    assert all(0 <= sure <= 1 for _, sure in captioner._listen(SOUND))


def test_without_a_chat_template_the_folder_is_named(flamingo: Path, tmp_path: Path) -> None:
    for file in flamingo.iterdir():
        if file.name != "chat_template.jinja":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(BadInput, match=str(tmp_path)):
        load_captioner(str(tmp_path), CPU, offline=True)


@pytest.mark.parametrize("name", ["qwen2-audio-instruct", "audio-flamingo-3"])
def test_absent_weights_are_said_to_be_absent(name: str) -> None:
    with pytest.raises(WeightsAbsent, match=name):
        load_captioner(name, CPU, offline=True)


class Letters:
    eos_token_id, all_special_ids = 9, (8, 9)
    pieces = (" a", " do", "g", " bar", "king", ".", " then", "  ")

    def decode(self, tokens: list[int]) -> str:
        return self.pieces[tokens[0]]


def test_a_words_confidence_is_the_product_of_its_tokens() -> None:
    found = words_of([0, 1, 2, 8, 3, 4, 5, 9, 0], [0.5] * 9, Letters())
    assert found == [("a", 0.5), ("dog", 0.25), ("barking.", 0.125)]


def test_spaces_part_words_wherever_they_stand() -> None:
    assert [word for word, _ in words_of([2, 4, 7, 2, 6], [1.0] * 5, Letters())] == ["gking", "g", "then"]


def test_a_folder_without_weights_is_named(whisper: Path, tmp_path: Path) -> None:
    for file in whisper.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(BadInput, match=str(tmp_path)):
        load_captioner(str(tmp_path), CPU, offline=True)


def test_a_window_is_half_a_minute(whisper: Path) -> None:
    captioner = load_whisper("w", whisper, CPU)
    heard: list[int] = []
    object.__setattr__(captioner, "prepare", lambda samples: heard.append(len(samples)) or prepared)
    prepared = load_whisper("w", whisper, CPU).prepare(SOUND)
    captioner.caption([np.full(FRAMES + 5, 0.1, np.float32)])
    assert heard == [FRAMES, 5]
