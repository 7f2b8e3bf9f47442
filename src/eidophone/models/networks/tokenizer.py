"""CLIP's tokenizer, read from `tokenizer.json` by the library `tokenizers`."""

from pathlib import Path
from typing import Any

from eidophone.media.vocoder_files import read_json


class Tokenizer:
    """Texts to token ids and back; the part of CLIPTokenizer (transformers) that text encoders use.

    Args:
        folder: With `tokenizer.json` and `tokenizer_config.json`; see `understood`.

    Attributes:
        model_max_length: Tokens of the longest text, with start and end.
        pad_token_id: Fills up shorter ones.
        eos_token_id: Ends each text.
    """

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer as Reader

        said = read_json(folder / "tokenizer_config.json")
        settings: dict[str, Any] = said if isinstance(said, dict) else {}
        self._reader = Reader.from_file(str(folder / "tokenizer.json"))
        self._reader.no_padding()
        self._reader.no_truncation()
        self.model_max_length = int(settings.get("model_max_length", 77))
        pad = self._reader.token_to_id(_text(settings.get("pad_token", "<|endoftext|>")))
        if pad is None:
            raise ValueError("its padding token is not in its vocabulary")
        self.pad_token_id: int = pad
        self.eos_token_id: int = self._reader.encode("").ids[-1]

    def __call__(
        self,
        text: str,
        *,
        add_special_tokens: bool = True,
        padding: str | bool = False,
        max_length: int | None = None,
        **_: Any,
    ) -> dict[str, list[int]]:
        """The ids of a text as "input_ids"; `padding="max_length"` fills them up to `max_length`."""
        ids: list[int] = self._reader.encode(text, add_special_tokens=add_special_tokens).ids
        if padding == "max_length" and max_length is not None:
            ids = ids + [self.pad_token_id] * (max_length - len(ids))
        return {"input_ids": ids}

    def __len__(self) -> int:
        """The number of tokens in its vocabulary."""
        return int(self._reader.get_vocab_size(with_added_tokens=True))

    def num_special_tokens_to_add(self) -> int:
        """How many tokens a text gets before and after its own."""
        return int(self._reader.num_special_tokens_to_add(False))

    def decode(self, ids: list[int]) -> str:
        """The text of tokens."""
        text: str = self._reader.decode(ids, skip_special_tokens=False)
        return text.replace("</w>", " ").strip()


def understood(folder: Path) -> bool:
    """Whether a folder holds a tokenizer that can be read here."""
    settings = folder / "tokenizer_config.json"
    if not (folder / "tokenizer.json").is_file() or not settings.is_file():
        return False
    said = read_json(settings)
    return isinstance(said, dict) and said.get("tokenizer_class") in ("CLIPTokenizer", "CLIPTokenizerFast")


def _text(token: Any) -> str:
    return str(token["content"] if isinstance(token, dict) else token)
