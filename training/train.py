"""Trains the embedded family, stage by stage: `python -m training.train STAGE ... --preset laptop|gpu|smoke`.

A stage that is done is skipped, and a network that was stopped goes on from its checkpoint. `training/run.sh`
runs all stages in order.
"""

import os
import sys

import torch

from eidophone.core.errors import EidophoneError
from training.config import TrainingError, claim, command_line, opened
from training.stages import STAGES, perform

#: Stages that torchrun may run: their loss only calls the network itself.
DISTRIBUTED = ("text", "image", "audio", "pixel", "upscaler")


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = command_line("python -m training.train", __doc__)
    listed = ", ".join(f"{stage.name} ({stage.about})" for stage in STAGES.values())
    parser.add_argument("stages", nargs="+", metavar="STAGE", choices=tuple(STAGES), help=listed)
    parser.add_argument("--stop-after", type=int, help="stop networks after this step; a later call goes on")
    given = parser.parse_args(arguments)
    try:
        run = opened(given)
        claim(run)
        if "WORLD_SIZE" in os.environ:
            join_processes(given.stages, run.device)
        for name in given.stages:
            perform(run, name, given.stop_after)
    except (TrainingError, EidophoneError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    return 0


def join_processes(stages: list[str], device: torch.device) -> None:
    """Joins the processes that torchrun started.

    Raises:
        TrainingError: a stage that cannot run in several processes.
    """
    if alone := [name for name in stages if name not in DISTRIBUTED]:
        raise TrainingError(
            f"The stage {alone[0]} runs in one process only: start it without torchrun. "
            f"torchrun can run: {', '.join(DISTRIBUTED)}."
        )
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")


if __name__ == "__main__":
    sys.exit(main())
