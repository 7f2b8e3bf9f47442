"""How the threads of torch wait for each other; set before torch is imported.

By default OpenMP threads spin while they wait. If another program holds one of the cores, every spinning
thread burns the time that the late thread needs, and a run becomes several times slower. Threads that sleep
while they wait cost a run only its share of the machine (`benchmarks/busy.py` measures both).
"""

import os

_DEFAULTS = {
    "OMP_WAIT_POLICY": "PASSIVE",  # GNU, LLVM and Intel OpenMP
    "KMP_BLOCKTIME": "0",  # LLVM and Intel, which otherwise spin for 200 ms
}
_USERS_CHOICE = (*_DEFAULTS, "GOMP_SPINCOUNT")


def let_threads_sleep() -> None:
    """Sets the waiting policy for this process and its children, unless the user has set one.

    OpenMP reads the policy once, when torch is first imported. A program that imports torch before eidophone
    keeps the policy it started with.
    """
    if not any(name in os.environ for name in _USERS_CHOICE):
        os.environ.update(_DEFAULTS)
