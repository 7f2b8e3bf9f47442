"""Where memory runs out, batches become smaller and the run goes on."""

import pytest
import torch

import eidophone
from eidophone.core.errors import OutOfMemory
from eidophone.models.networks.unet import Middle
from eidophone.verbs.shared.batches import in_batches


def test_a_batch_that_is_too_large_is_halved_and_so_are_those_after_it() -> None:
    made: list[list[int]] = []
    said: list[str] = []

    def make(batch) -> int:
        if len(batch) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        made.append(list(batch))
        return len(batch)

    found = list(in_batches(range(11), 8, make, said.append))
    assert made == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10]]
    assert [count for _, count in found] == [2, 2, 2, 2, 2, 1]
    assert said == [
        "Out of memory with 8 samples at once; going on with 4.",
        "Out of memory with 4 samples at once; going on with 2.",
    ]


def test_a_single_sample_that_is_too_large_ends_the_run() -> None:
    def make(_) -> None:
        raise MemoryError

    with pytest.raises(OutOfMemory, match="smaller --width"):
        list(in_batches([1, 2], 2, make, lambda _: None))


def test_other_errors_end_the_run() -> None:
    def make(_) -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes"):
        list(in_batches([1, 2], 2, make, lambda _: None))


def test_memory_that_runs_out_inside_the_unet_costs_no_sample(
    settings: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like a GPU whose memory holds one sample: the network fails on more, at its smallest size."""
    told = {"count": 3, "steps": 2, "height": 32, "width": 64, **settings}
    alone = eidophone.compose("a castle", "a bell", batch_size=1, **told)

    whole = Middle.forward

    def narrow(self, cells, time, condition):
        if len(cells) > 2:  # both prompts of one sample
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return whole(self, cells, time, condition)

    monkeypatch.setattr(Middle, "forward", narrow)
    warned: list[str] = []
    results = eidophone.compose(
        "a castle", "a bell", batch_size=3, **told,
        events=lambda event: warned.append(getattr(event, "message", "")),
    )  # fmt: skip
    assert [result.index for result in results] == [0, 1, 2]
    assert any("going on with 1" in text for text in warned)
    for ours, theirs in zip(results, alone, strict=True):
        assert abs(ours.spectrogram - theirs.spectrogram).max() < 1e-5
