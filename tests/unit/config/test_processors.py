from __future__ import annotations

import os
from pathlib import Path

import pytest

from indrik.config.processors import usable_processors


@pytest.fixture(autouse=True)
def eight_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))


def counted(folder: Path, membership: str | None, files: dict[str, str]) -> int:
    """The number found on a machine whose /proc/self/cgroup and control groups are these."""
    proc, groups = folder / "proc", folder / "cgroup"
    (proc / "self").mkdir(parents=True)
    if membership is not None:
        (proc / "self" / "cgroup").write_text(membership)
    for name, text in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text)
    return usable_processors(str(proc), str(groups))


@pytest.mark.parametrize(
    ("share", "number"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("50000 100000", 1),
        ("1000 100000", 1),
        ("6400000 100000", 8),
        ("", 8),
        ("100000 0", 8),
    ],
)
def test_version_2(tmp_path: Path, share: str, number: int) -> None:
    assert counted(tmp_path, "0::/a/b.service\n", {"a/b.service/cpu.max": f"{share}\n"}) == number


def test_a_group_further_up_grants_less(tmp_path: Path) -> None:
    files = {"a/b/cpu.max": "400000 100000\n", "a/cpu.max": "300000 100000\n"}
    assert counted(tmp_path, "0::/a/b\n", files) == 3


def test_container_that_sees_the_path_outside(tmp_path: Path) -> None:
    assert counted(tmp_path, "0::/kubepods/pod1/c\n", {"cpu.max": "200000 100000\n"}) == 2


@pytest.mark.parametrize(("quota", "number"), [("-1", 8), ("250000", 3)])
def test_version_1(tmp_path: Path, quota: str, number: int) -> None:
    files = {"cpu/a/cpu.cfs_quota_us": f"{quota}\n", "cpu/a/cpu.cfs_period_us": "100000\n"}
    memberships = "5:cpuset:/a\n3:cpu,cpuacct:/a\n1:name=systemd:/\n0::/\n"
    assert counted(tmp_path, memberships, files) == number


@pytest.mark.parametrize("membership", [None, "", "0::/\n"])
def test_no_control_groups(tmp_path: Path, membership: str | None) -> None:
    assert counted(tmp_path, membership, {}) == 8


def test_affinity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {5})
    assert counted(tmp_path, "0::/\n", {"cpu.max": "400000 100000\n"}) == 1


def test_system_without_affinity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert counted(tmp_path, None, {}) == 3
