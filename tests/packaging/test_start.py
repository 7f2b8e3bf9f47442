"""A run imports only what it uses: heavy libraries that the embedded family does not need stay out."""

import subprocess
import sys
from pathlib import Path

#: Each costs half a second or more.
HEAVY = ("diffusers", "transformers", "torch._dynamo", "sympy", "scipy", "accelerate", "fastapi", "pandas")
RUN = """
import sys
from eidophone.cli import main
assert main(sys.argv[1:]) == 0
print("HERE", *(name for name in {heavy} if name in sys.modules))
"""


def test_compose_with_the_embedded_family_imports_no_heavy_library(tmp_path: Path) -> None:
    command = [
        "compose", "a frog", "frog croaking", "--steps", "2", "--count", "1", "--device", "cpu", "--out",
        str(tmp_path / "out"),
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(heavy=HEAVY), *command], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "HERE"
    assert list(tmp_path.glob("out/*/sound.wav"))
