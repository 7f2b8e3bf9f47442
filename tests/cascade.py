"""Stages I and II in DeepFloyd IF's layout, with random weights."""

import json
from pathlib import Path

import torch

# as IF's repositories have it; thresholding is left out where one step is compared without a sampling_steps
SCHEDULE = {
    "_class_name": "DDPMScheduler", "beta_start": 0.0001, "beta_end": 0.02, "trained_betas": None,
    "beta_schedule": "squaredcos_cap_v2", "clip_sample": True, "clip_sample_range": 1.0,
    "num_train_timesteps": 1000, "prediction_type": "epsilon", "variance_type": "learned_range",
    "thresholding": True, "dynamic_thresholding_ratio": 0.95, "sample_max_value": 1.5,
}  # fmt: skip
UNET = {
    "out_channels": 6, "block_out_channels": (16, 32), "layers_per_block": 1, "norm_num_groups": 8,
    "down_block_types": ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn", "cross_attention_norm": "group_norm",
    "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"), "cross_attention_dim": 32,
    "encoder_hid_dim": 24, "attention_head_dim": 8, "resnet_time_scale_shift": "scale_shift",
    "addition_embed_type": "text", "addition_embed_type_num_heads": 2, "act_fn": "gelu",
}  # fmt: skip


def write_words(folder: Path) -> None:
    """A T5 tokenizer that knows letters and a few words."""
    from transformers import T5Tokenizer

    pieces = ["<pad>", "</s>", "<unk>", "▁", "▁red", "▁fire", "▁truck", "▁a", *"abcdefghijklmnopqrstuvwxyz"]
    T5Tokenizer(vocab=[(piece, -float(i)) for i, piece in enumerate(pieces)], extra_ids=0).save_pretrained(
        folder
    )


def make_cascade(root: Path) -> tuple[Path, Path]:
    """Folders of stage I and stage II, as diffusers and transformers save them."""
    from diffusers import UNet2DConditionModel
    from transformers import T5Config, T5EncoderModel

    first, second = root / "first", root / "second"
    torch.manual_seed(0)
    T5EncoderModel(
        T5Config(vocab_size=40, d_model=24, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    ).save_pretrained(first / "text_encoder")
    write_words(first / "tokenizer")
    UNet2DConditionModel(in_channels=3, sample_size=16, **UNET).save_pretrained(first / "unet")
    large = {"in_channels": 6, "sample_size": (32, 64), "class_embed_type": "timestep"}
    UNet2DConditionModel(**large, **UNET).save_pretrained(second / "unet")
    for place in (first / "scheduler", second / "scheduler", second / "image_noising_scheduler"):
        place.mkdir(parents=True)
        (place / "scheduler_config.json").write_text(json.dumps(SCHEDULE))
    return first, second
