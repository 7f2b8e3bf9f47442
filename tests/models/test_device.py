"""Devices, threads and memory, on machines that are not this one."""

import os
from collections import namedtuple
from pathlib import Path

import psutil
import pytest
import torch

from eidophone.core.errors import BadInput, EidophoneError
from eidophone.models import device as module
from eidophone.models.device import (
    batch_size,
    choose_device,
    choose_dtype,
    free_bytes,
    usable_cores,
    use_threads,
    within_memory,
)

GB = 1 << 30
CPU, MPS, CUDA = (torch.device(name) for name in ("cpu", "mps", "cuda"))
Memory = namedtuple("Memory", ["available"])


class Machine:
    """Sets what the machine has, in place of what it really has."""

    def __init__(self, patch: pytest.MonkeyPatch, cgroup: Path) -> None:
        self.patch, self.cgroup = patch, cgroup
        patch.setattr(module, "_CGROUP", cgroup)
        self.memory(16 * GB)
        self.cores(physical=64, allowed=128)

    def memory(self, available: int) -> None:
        self.patch.setattr(psutil, "virtual_memory", lambda: Memory(available))

    def cores(self, physical: int | None, allowed: int) -> None:
        self.patch.setattr(psutil, "cpu_count", lambda logical=True: physical)
        self.patch.setattr(os, "sched_getaffinity", lambda pid: set(range(allowed)), raising=False)
        self.patch.setattr(os, "cpu_count", lambda: allowed)

    def container(self, **files: str) -> None:
        for name, text in files.items():
            (self.cgroup / name.replace("_", ".", 1)).write_text(f"{text}\n")

    def metal(self, most: int, taken: int) -> None:
        self.patch.setattr(torch.mps, "recommended_max_memory", lambda: most)
        self.patch.setattr(torch.mps, "driver_allocated_memory", lambda: taken)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path)


@pytest.fixture
def threads() -> None:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


# --- memory --------------------------------------------------------------------------------------


def test_free_memory_is_what_this_machine_reports() -> None:
    assert 0 < free_bytes(CPU) <= psutil.virtual_memory().total


def test_any_system_reports_its_main_memory(machine: Machine) -> None:
    machine.memory(5 * GB)  # psutil asks macOS, Windows and Linux alike
    assert free_bytes(CPU) == 5 * GB


def test_a_container_has_less_memory_than_its_machine(machine: Machine) -> None:
    machine.container(memory_max=str(4 * GB), memory_current=str(3 * GB))
    assert free_bytes(CPU) == 1 * GB
    machine.container(memory_stat=f"anon 5\ninactive_file {GB // 2}")
    assert free_bytes(CPU) == 1 * GB + GB // 2
    machine.container(memory_max="max")
    assert free_bytes(CPU) == 16 * GB


def test_metal_limits_its_share_of_main_memory(machine: Machine) -> None:
    machine.metal(most=10 * GB, taken=3 * GB)
    assert free_bytes(MPS) == 7 * GB
    machine.memory(2 * GB)
    assert free_bytes(MPS) == 2 * GB
    machine.metal(most=10 * GB, taken=11 * GB)
    assert free_bytes(MPS) == 0


def test_cuda_reports_its_own(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 * GB, 80 * GB))
    assert free_bytes(CUDA) == 3 * GB


def test_batches_grow_with_memory_and_never_vanish(machine: Machine) -> None:
    sizes = []
    for gigabytes in (0, 1, 4, 16, 64):
        machine.memory(gigabytes * GB)
        sizes.append(batch_size(100, 256, 1024, 256, 4, CPU))
    assert sizes == sorted(sizes)
    assert sizes[0] == 1 and sizes[-1] == 8  # a CPU gains nothing beyond that
    machine.memory(64 * GB)
    assert batch_size(3, 256, 1024, 256, 4, CPU) == 3
    machine.metal(most=64 * GB, taken=0)
    assert batch_size(100, 128, 448, 64, 4, MPS) == 64


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    ],
)
def test_running_out_of_memory_is_said_with_a_remedy(error: Exception) -> None:
    with (
        pytest.raises(EidophoneError, match=r"^Out of memory with 4 samples at once; use --batch-size 2\.$"),
        within_memory(4),
    ):
        raise error
    with pytest.raises(EidophoneError, match=r"^Out of memory; use --dtype bfloat16"), within_memory(1):
        raise error


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="shapes"), within_memory(4):
        raise RuntimeError("shapes cannot be multiplied")


# --- threads -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("physical", "allowed", "quota", "cores"),
    [
        (8, 16, None, 8),  # two threads a core
        (64, 4, None, 4),  # taskset
        (None, 6, None, 6),  # a virtual machine that does not know
        (64, 128, "200000 100000", 2),  # docker run --cpus 2
        (64, 128, "150000 100000", 2),
        (64, 128, "50000 100000", 1),
        (64, 128, "max 100000", 64),
    ],
)
def test_usable_cores(
    machine: Machine, physical: int | None, allowed: int, quota: str | None, cores: int
) -> None:
    machine.cores(physical, allowed)
    if quota:
        machine.container(cpu_max=quota)
    assert usable_cores() == cores


def test_r17_more_threads_than_cores_are_cut_with_a_warning(machine: Machine, threads: None) -> None:
    machine.cores(physical=2, allowed=4)
    said: list[str] = []
    assert use_threads(1024, said.append) == torch.get_num_threads() == 2
    assert said == ["--threads 1024: only 2 cores can be used here; using 2. Last digits may differ."]
    assert use_threads(1, said.append) == 1
    assert len(said) == 1


def test_torchs_own_count_is_cut_in_silence(machine: Machine, threads: None) -> None:
    torch.set_num_threads(4)
    machine.cores(physical=2, allowed=2)
    said: list[str] = []
    assert use_threads(None, said.append) == 2
    assert not said


# --- choices -------------------------------------------------------------------------------------


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput, match="no such device; use --device auto or cpu"):
        choose_device("cuda:99")


@pytest.mark.parametrize(("cuda", "mps", "chosen"), [(1, 1, "cuda"), (0, 1, "mps"), (0, 0, "cpu")])
def test_auto_takes_the_fastest_device(
    monkeypatch: pytest.MonkeyPatch, cuda: int, mps: int, chosen: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(cuda))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: bool(mps))
    assert choose_device("auto").type == chosen
    assert choose_dtype("auto", torch.device(chosen)) == (torch.float32 if chosen == "cpu" else torch.float16)
