"""What a run finds missing before it measures."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench import environment
from bench.serverrow import Server


def place(folder: Path, says: str) -> dict[str, str]:
    """A folder of programs with a Python and a server that says this for its version."""
    (folder / "python").symlink_to(sys.executable)
    program = folder / "server"
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    return {"root": str(folder), "indrik": str(folder), "peers": str(folder)}


compiled = Server(
    "ours", "{indrik}/server {crowd} --bind {host}:{port} {app}", "", "x", reports_build="compiled"
)


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    where = {"root": "/", "indrik": str(tmp_path), "peers": str(tmp_path)}
    with pytest.raises(environment.Missing, match=r"ours: .*server is missing; `make build`"):
        environment.check_servers([compiled], where)


def test_the_build_that_a_row_claims_to_be(tmp_path: Path) -> None:
    environment.check_servers([compiled], place(tmp_path, "indrik 1.0 (compiled, CPython 3.11)"))


@pytest.mark.parametrize("says", ["indrik 1.0 (uncompiled, CPython 3.11)", "indrik 1.0"])
def test_another_build_than_the_row_claims(says: str, tmp_path: Path) -> None:
    with pytest.raises(environment.Missing, match=r"--version should say 'compiled', but says 'indrik"):
        environment.check_servers([compiled], place(tmp_path, says))


def refusing(folder: Path, says: str) -> dict[str, str]:
    where = place(folder, "")
    script = f"case \"$*\" in *--version*) echo compiled;; *--check-config*) echo '{says}' >&2; exit 1;; esac"
    (folder / "server").write_text(f"#!/bin/sh\n{script}\n")
    return where


@pytest.mark.parametrize("says", ["x: not supported yet: later", "error: unrecognized arguments: --fast"])
def test_a_row_that_the_build_has_not_learnt_is_told_apart(says: str, tmp_path: Path) -> None:
    assert environment.check_servers([compiled], refusing(tmp_path, says)) == {"ours": says}


def test_an_option_for_crowds_only_is_asked_for_too(tmp_path: Path) -> None:
    where = place(tmp_path, "")
    script = (
        "case $* in *--version*) echo compiled;; *--vast*) echo unrecognized arguments: --vast; exit 2; esac"
    )
    (tmp_path / "server").write_text(f"#!/bin/sh\n{script}\n")
    vast = replace(compiled, crowd="--vast")
    assert environment.check_servers([vast], where) == {"ours": "unrecognized arguments: --vast"}
    assert environment.check_servers([replace(compiled, crowd="")], where) == {}


def test_a_row_that_the_build_runs_is_not_refused(tmp_path: Path) -> None:
    assert environment.check_servers([compiled], place(tmp_path, "compiled")) == {}


def test_a_row_that_fails_otherwise_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(environment.Missing, match=r"(?s)ours: .*--check-config failed:.*no such file"):
        environment.check_servers([compiled], refusing(tmp_path, "no such file"))


def test_another_python_than_the_peers(tmp_path: Path) -> None:
    where = place(tmp_path, "compiled")
    python = tmp_path / "python"
    python.unlink()
    python.write_text("#!/bin/sh\necho 2.7.18\n")
    python.chmod(0o755)
    with pytest.raises(environment.Missing, match=r"ours runs under Python 2.7.18, the peers under 3"):
        environment.check_servers([compiled], where)


def test_a_missing_package_is_named_to_who_cannot_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(environment.PACKAGES, "/nowhere/ev.h", "libnowhere-dev")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(environment.Missing, match=r"install .*libnowhere-dev.* first \(Debian: sudo apt-get"):
        environment.prepare_system()


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(environment.Missing, match=r"(?s)failed:.*no such luck"):
        environment.run([sys.executable, "-c", "raise SystemExit('no such luck')"])


def test_more_files_than_the_hard_limit_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 100))
    with pytest.raises(environment.Missing, match="101 open files are needed and the hard limit is 100"):
        environment.allow_files(101)


def test_the_soft_limit_is_raised_for_the_servers() -> None:
    code = (
        "import resource, subprocess, sys; from bench import environment\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))\n"
        "environment.allow_files(100)\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=environment.ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout == "100\n"
