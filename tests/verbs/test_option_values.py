"""Every option of every verb takes any JSON value: it is used, or refused in one sentence."""

import itertools

import pytest

from eidophone.core.errors import BadInput
from eidophone.verbs import VERBS, verb_of

VALUES = (
    None, True, 0, -1, 1.5, 1e308, float("nan"), "", "x", "\0", [], [1], ["x"], {}, {"a": 1}, [[]], [None], 10**30,
)  # fmt: skip
NEEDED = ("image_prompt", "audio_prompt", "prompt", "picture", "sound")


@pytest.mark.parametrize("verb", VERBS.names())
def test_any_value_is_used_or_refused_in_one_sentence(verb: str) -> None:
    options = verb_of(verb).options
    whole = {name: "x" for name in NEEDED if name in options.model_fields}
    makers = (lambda given: options.make(**given), lambda given: options.from_recorded(given, {}))
    refused = 0
    for name, value in itertools.product(options.model_fields, VALUES):
        for make, base in itertools.product(makers, ({}, whole)):
            try:
                make({**base, name: value})
            except BadInput as error:
                assert "\n" not in str(error), (name, value)
                refused += 1
    assert refused
