"""One smoke run of the real script, for all tests of training."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "training" / "run.sh"


def run_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    """training/run.sh with this interpreter and this checkout."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    given = os.environ | {"PYTHON": sys.executable, "PYTHONPATH": path}
    return subprocess.run([SCRIPT, *arguments], env=given, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder that `training/run.sh smoke` leaves; not to be changed."""
    pytest.importorskip("mido", reason="needs the extra `training`")
    work = tmp_path_factory.mktemp("smoke")
    done = run_script("smoke", "--work", str(work), "--device", "cpu")
    assert done.returncode == 0, done.stdout + done.stderr
    return work
