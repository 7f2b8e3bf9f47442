"""What `benchmarks.embedded` asks for: words, pairs, and words that stood in no caption."""

from training.data.captions import ADVISED, WIDE, article
from training.data.pictures import concepts as picture_concepts
from training.data.sounds import concepts as sound_concepts
from training.networks.judge import JUDGED

#: Concepts of sounds.toml that the sound pack does not hold (docs/embedded-family.md).
ABSENT = ("horse", "sheep")

#: Pairs of the kind that Images that Sound shows: (seen, heard).
PAIRS = (
    ("castle", "bell"), ("dog", "dog"), ("cat", "cat"), ("train", "train"), ("bird", "bird"),
    ("frog", "frog"), ("rooster", "rooster"), ("owl", "owl"), ("cow", "cow"), ("clock", "clock"),
    ("car", "car"), ("airplane", "airplane"), ("guitar", "guitar"), ("violin", "violin"),
    ("trumpet", "trumpet"), ("flower", "bird"), ("ship", "waves"), ("tree", "wind"),
    ("telephone", "telephone"), ("heart", "heartbeat"),
)  # fmt: skip

#: Words that stood in no caption, with the concept that they mean.
SYNONYMS = {
    "seen": (
        ("pooch", "dog"), ("feline", "cat"), ("steed", "horse"), ("chimpanzee", "monkey"),
        ("airliner", "airplane"), ("vessel", "ship"), ("timepiece", "clock"), ("citadel", "castle"),
        ("sapling", "tree"), ("blaze", "fire"),
    ),
    "heard": (
        ("a mutt woofing", "dog"), ("ribbit ribbit", "frog"), ("a downpour", "rain"),
        ("freight wagons rattling", "train"), ("breeze", "wind"), ("toddler sobbing", "baby"),
        ("ovation", "applause"), ("giggling", "laughter"), ("fowl at sunrise", "rooster"),
        ("breakers", "waves"),
    ),
}  # fmt: skip


def sound_side() -> list[str]:
    """Thirty sounds: two of every three in the pack, in its order, so that nobody chose."""
    packed = [name for name in sound_concepts() if name not in ABSENT]
    return [name for n, name in enumerate(packed) if n % 3 != 2]


def picture_side() -> list[str]:
    """Forty things to see."""
    return list(JUDGED)


def picture_prompt(concept: str) -> str:
    """A prompt in the form that the family's card advises, for a concept or a word."""
    noun = picture_concepts()[concept]["one"][0] if concept in picture_concepts() else concept
    return ADVISED.format(article(noun))


def wide_prompt(concept: str) -> str:
    """A prompt in the form that fills a canvas that is also a sound."""
    return WIDE.format(picture_concepts()[concept]["many"][0])


def sound_prompt(concept: str) -> str:
    """The first caption of a sound."""
    return sound_concepts()[concept].captions[0]
