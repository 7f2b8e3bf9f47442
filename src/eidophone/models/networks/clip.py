"""CLIP's text encoder (Radford et al., 2021): the states of all tokens after its last layer."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eidophone.core.settings import Settings
from eidophone.models.networks.base import Network
from eidophone.models.networks.config import completed

DEFAULTS: dict[str, Any] = {
    "vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12,
    "num_attention_heads": 8, "max_position_embeddings": 77, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
}  # fmt: skip
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "gelu": F.gelu,
}


class Embeddings(nn.Module):
    """Of tokens and their places."""

    def __init__(self, config: Settings) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embedding = nn.Embedding(config.max_position_embeddings, config.hidden_size)

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, tokens) -> (batch, tokens, width)."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        found: Tensor = self.token_embedding(tokens) + self.position_embedding(places)
        return found


class SelfAttention(nn.Module):
    """Attention of each token to itself and those before it."""

    def __init__(self, config: Settings) -> None:
        super().__init__()
        wide, self.heads = config.hidden_size, config.num_attention_heads
        self.k_proj, self.v_proj, self.q_proj, self.out_proj = (nn.Linear(wide, wide) for _ in range(4))

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """(batch, tokens, width), (tokens, tokens) -> (batch, tokens, width)."""
        asked = (proj(states) for proj in (self.q_proj, self.k_proj, self.v_proj))
        q, k, v = (each.unflatten(-1, (self.heads, -1)).transpose(1, 2) for each in asked)
        found = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        answer: Tensor = self.out_proj(found.transpose(1, 2).flatten(2))
        return answer


class Feed(nn.Module):
    """The feed-forward part of a layer."""

    def __init__(self, config: Settings) -> None:
        super().__init__()
        self.act = ACTIVATIONS[config.hidden_act]
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, states: Tensor) -> Tensor:
        """(batch, tokens, width) -> the same."""
        found: Tensor = self.fc2(self.act(self.fc1(states)))
        return found


class Layer(nn.Module):
    """Attention and a feed-forward part."""

    def __init__(self, config: Settings) -> None:
        super().__init__()
        self.self_attn, self.mlp = SelfAttention(config), Feed(config)
        self.layer_norm1, self.layer_norm2 = (
            nn.LayerNorm(config.hidden_size, config.layer_norm_eps) for _ in range(2)
        )

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """(batch, tokens, width), (tokens, tokens) -> (batch, tokens, width)."""
        states = states + self.self_attn(self.layer_norm1(states), mask)
        found: Tensor = states + self.mlp(self.layer_norm2(states))
        return found


class Layers(nn.Module):
    """All layers, one after another."""

    def __init__(self, config: Settings) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Layer(config) for _ in range(config.num_hidden_layers)])


class ClipText(Network):
    """Token ids to states."""

    DEFAULTS: ClassVar[Mapping[str, Any]] = DEFAULTS
    WEIGHTS_FILE: ClassVar[str] = "model.safetensors"

    @classmethod
    def understands(cls, given: Mapping[str, Any]) -> bool:
        """See `Network`."""
        known = completed(given, DEFAULTS).hidden_act in ACTIVATIONS
        return given.get("model_type") == "clip_text_model" and known

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__()
        self.config = config = completed(given, DEFAULTS)
        self.embeddings, self.encoder = Embeddings(config), Layers(config)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, tokens: Tensor) -> tuple[Tensor]:
        """(batch, tokens) -> (batch, tokens, width), alone in a tuple."""
        states = self.embeddings(tokens)
        count = tokens.shape[1]
        lowest = torch.finfo(states.dtype).min
        mask = torch.full((count, count), lowest, dtype=states.dtype, device=states.device).triu(1)
        for layer in self.encoder.layers:
            states = layer(states, mask)
        return (self.final_layer_norm(states),)
