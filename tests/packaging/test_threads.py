"""Threads sleep while they wait, unless the user chose otherwise."""

import os
import subprocess
import sys

import pytest

ASK = "import eidophone, os; print(os.environ.get('OMP_WAIT_POLICY'), os.environ.get('KMP_BLOCKTIME'))"
SPIN = (
    "import os, sys; os.environ['OMP_DISPLAY_ENV'] = 'verbose'; import eidophone, torch;"
    "torch.ones(1000, 1000) @ torch.ones(1000, 1000)"
)
CHOICES = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT")


def run(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in CHOICES}
    return subprocess.run(
        [sys.executable, "-c", program], env=kept | variables, capture_output=True, text=True, check=True
    )


def test_importing_the_package_sets_the_policy() -> None:
    assert run(ASK).stdout.split() == ["PASSIVE", "0"]


@pytest.mark.parametrize(
    ("name", "value", "seen"),
    [
        ("OMP_WAIT_POLICY", "ACTIVE", ["ACTIVE", "None"]),
        ("KMP_BLOCKTIME", "200", ["None", "200"]),
        ("GOMP_SPINCOUNT", "1000", ["None", "None"]),
    ],
)
def test_what_the_user_set_stays(name: str, value: str, seen: list[str]) -> None:
    assert run(ASK, **{name: value}).stdout.split() == seen


@pytest.mark.skipif(sys.platform != "linux", reason="asks GNU OpenMP")
def test_openmp_reads_it_before_torch_starts_threads() -> None:
    said = run(SPIN).stderr
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in said
    assert "GOMP_SPINCOUNT = '0'" in said
