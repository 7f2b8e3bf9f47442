"""The options of every call as typed keyword arguments. Written by scripts/arguments.py; do not edit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

from eidophone.core.events import CancelToken, Listener, Progress


class RunArguments(TypedDict, total=False):
    """Keyword arguments of every verb: where results go, and who listens."""

    out: str | Path | None
    keep_arrays: bool
    events: Listener | None
    cancel: CancelToken | None
    progress: Progress | None
    sound_format: Literal["wav", "flac", "mp3", "opus"] | None
    sound_rate: int | None
    sound_bits: Literal[16, 24, "float"] | None
    loudness: float | None
    stereo: str | Path | None
    extend_band: bool | None


class ComposeArguments(RunArguments, total=False):
    """Keyword arguments of `ComposeOptions`."""

    fit: Literal["contain", "cover", "stretch"]
    levels: bool
    brightness: float
    contrast: float
    gamma: float
    picture: Any
    sound: Any
    strength: float
    mask: Path | None
    judges: str
    rank_by: Literal["weaker", "both", "weights"]
    looks_weight: float
    device: str
    threads: int | None
    offline: bool
    preset: Literal["paper", "fast", "draft"]
    count: int
    seed: int
    index: int
    image_model: str | Path
    audio_model: str | Path
    image_negative: str
    dtype: Literal["auto", "float32", "bfloat16", "float16"]
    samples: Sequence[int]
    resume: bool
    example: str
    audio_negative: str
    height: int | None
    width: int | None
    seconds: float | None
    crop: bool
    vocoder: Literal["auto", "hifi-gan", "griffin-lim"]
    batch_size: int | None
    from_: int | None
    early_rejection: bool
    window_width: int | None
    loop: bool
    scene: Sequence[str]
    fade: float
    sampler: str
    steps: int
    image_guidance: float | None
    audio_guidance: float | None
    image_start_step: int
    audio_start_step: int
    guidance_start_step: int
    guidance_stop_step: int | None
    lora: Path | None
    audio_lora: Path | None
    lora_scale: float
    engine: Literal["auto", "torch", "openvino"]
    low_memory: bool
    quantize: Literal["none", "int8"]
    reuse_steps: int
    audio_weight: float | None
    blend: str | None
    drawing_size: float
    audio_weights: str
    cutoff: bool
    view: str
    also_image: Sequence[str]
    also_audio: Sequence[str]
    image_band: Literal["all", "low-pass", "high-pass"]
    audio_band: Literal["all", "low-pass", "high-pass"]
    view_seed: int
    morph: bool


class ImprintArguments(RunArguments, total=False):
    """Keyword arguments of `ImprintOptions`."""

    fit: Literal["contain", "cover", "stretch"]
    levels: bool
    brightness: float
    contrast: float
    gamma: float
    judges: str
    rank_by: Literal["weaker", "both", "weights"]
    looks_weight: float
    device: str
    threads: int | None
    offline: bool
    preset: Literal["paper", "fast", "draft"]
    count: int
    seed: int
    index: int
    image_model: str | Path
    audio_model: str | Path
    image_negative: str
    dtype: Literal["auto", "float32", "bfloat16", "float16"]
    samples: Sequence[int]
    resume: bool
    example: str
    audio_negative: str
    height: int | None
    width: int | None
    seconds: float | None
    crop: bool
    vocoder: Literal["auto", "hifi-gan", "griffin-lim"]
    batch_size: int | None
    from_: int | None
    early_rejection: bool
    window_width: int | None
    loop: bool
    picture: Any
    sound: Any
    sampler: str
    image_steps: int
    audio_steps: int
    image_guidance: float | None
    audio_guidance: float | None
    magnitude_ratio: float
    invert: bool


class ColorizeArguments(RunArguments, total=False):
    """Keyword arguments of `ColorizeOptions`."""

    device: str
    threads: int | None
    offline: bool
    preset: Literal["paper", "fast", "draft"]
    count: int
    seed: int
    index: int
    image_model: str | Path
    audio_model: str | Path
    image_negative: str
    dtype: Literal["auto", "float32", "bfloat16", "float16"]
    samples: Sequence[int]
    resume: bool
    audio_prompt: str
    sound: Any
    upscaler: str | Path
    vocoder: Literal["auto", "hifi-gan", "griffin-lim"]
    sampler: str
    steps: int
    upscale_steps: int
    start_step: int
    image_guidance: float | None
    noise_level: int
    known_gray: bool
    fresh_gray_noise: bool
    learned_variance: bool
    double_start: bool
    invert: bool
    antialias: bool


class DistillArguments(RunArguments, total=False):
    """Keyword arguments of `DistillOptions`."""

    device: str
    threads: int | None
    offline: bool
    preset: Literal["paper", "fast", "draft"]
    count: int
    seed: int
    index: int
    image_model: str | Path
    audio_model: str | Path
    image_negative: str
    dtype: Literal["auto", "float32", "bfloat16", "float16"]
    samples: Sequence[int]
    resume: bool
    example: str
    audio_negative: str
    height: int | None
    width: int | None
    seconds: float | None
    crop: bool
    vocoder: Literal["auto", "hifi-gan", "griffin-lim"]
    batch_size: int | None
    representation: Literal["implicit", "pixels", "latent"]
    color: bool
    gray: Literal["mean", "ntsc", "luminance"]
    frequencies: int
    frequency_scale: float
    features: int
    iterations: int
    rate: float | None
    weight_decay: float
    image_guidance: float
    audio_guidance: float
    image_weight: float
    audio_weight: float
    image_start_step: int
    audio_start_step: int
    annealed: bool
    highest: float
    lowest: float
    image_highest: float | None
    image_lowest: float | None
    audio_highest: float | None
    audio_lowest: float | None
    weighting: Literal["variance", "clean"]
    noise_share: float
    crops: int
    window: int | None
    window_timesteps: Literal["shared", "separate"]
    preview_every: int
    checkpoint_every: int


class PaintArguments(RunArguments, total=False):
    """Keyword arguments of `PaintOptions`."""

    device: str
    threads: int | None
    offline: bool
    preset: Literal["paper", "fast", "draft"]
    count: int
    seed: int
    index: int
    image_model: str | Path
    audio_model: str | Path
    image_negative: str
    dtype: Literal["auto", "float32", "bfloat16", "float16"]
    samples: Sequence[int]
    resume: bool
    captioner: str | Path
    caption: str
    nouns: Literal["wordnet", "flair"]
    attention: Literal["both", "audio", "sentence", "none"]
    style: str | None
    size: str | None
    embedder: str | Path
    text_embedder: str | Path
    sampler: str
    steps: int
    eta: float
    image_guidance: float | None
    optimise: int
    keep: Literal["best", "last"]
    weights_per: Literal["token", "channel"]
    noun_rate: float
    other_rate: float
    condition_share: float
    gradient_steps: int | None
    checkpointing: bool
    patience: int | None
    sources: bool
    separator: str
    colors: bool
    color_model: str | Path
    plays: bool
    strength: float | None
    start_s: float
    duration_s: float | None


class HearArguments(RunArguments, total=False):
    """Keyword arguments of `HearOptions`."""

    audio_model: str | Path
    vocoder: Literal["auto", "hifi-gan", "griffin-lim"]
    loop: bool
    invert: bool
    midi: bool
    threads: int | None
    offline: bool


class SeeArguments(RunArguments, total=False):
    """Keyword arguments of `SeeOptions`."""

    record: float | None
    audio_model: str | Path
    start_s: float
    duration_s: float | None
    normalize: bool
    offline: bool


class CaptionArguments(TypedDict, total=False):
    """Keyword arguments of `CaptionOptions`."""

    device: str
    threads: int | None
    offline: bool
    captioner: str | Path


class ScoreArguments(TypedDict, total=False):
    """Keyword arguments of `ScoreOptions`."""

    device: str
    threads: int | None
    offline: bool
    judges: str
    rank_by: Literal["weaker", "both", "weights"]
    looks_weight: float
    image_prompt: str
    audio_prompt: str


class EvaluateArguments(TypedDict, total=False):
    """Keyword arguments of `EvaluateOptions`."""

    device: str
    threads: int | None
    offline: bool
    judges: str
    rank_by: Literal["weaker", "both", "weights"]
    looks_weight: float
    data: Path | None
    datasets: str
    recordings: int | None
    fold: int | None
    captioner: str | Path
    embedder: str | Path
    text_embedder: str | Path
    fid: Path | None
    fad: Path | None
    fid_features: str
    fad_features: str
    select_by: Literal["both", "looks"]
    replay: Literal["stored", "griffin-lim"]
    first: int | None
    questionnaire: bool
    answers: bool
    key: Path | None
    pairs: int
    repeats: int
    catches: int
    order_seed: int
    looks_bar: float | None
    sounds_bar: float | None
    select: float | None
    consistency: bool
    shown: int
    protocol: str
    methods: str
    prompts: int | None
    samples: int | None
    preset: Literal["paper", "fast", "draft"]
    image_model: str | Path
    audio_model: str | Path
