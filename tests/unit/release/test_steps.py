from __future__ import annotations

import sys
from pathlib import Path

import pytest

from release.pythons import find, python_at
from release.steps import ReleaseError, clean_environment, run


def test_a_failure_shows_all_output(tmp_path: Path) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    with pytest.raises(ReleaseError, match=r"(?s)ends with 3:\nout\nerr$"):
        run([sys.executable, "-c", code], cwd=tmp_path)


def test_flags_of_the_caller_do_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CFLAGS", "LDFLAGS", "PYTHONPATH", "INDRIK_PURE", "LANG"):
        monkeypatch.setenv(name, "x")
    environment = clean_environment(tmp_path, INDRIK_PURE="0")
    assert environment["INDRIK_PURE"] == "0"
    assert environment["HOME"] == str(tmp_path)
    assert not {"CFLAGS", "LDFLAGS", "PYTHONPATH", "LANG"} & set(environment)


def test_what_is_no_supported_python(tmp_path: Path) -> None:
    program = tmp_path / "python3.9"
    program.write_text("#!/bin/sh\necho cpython 3.9 3.9.18\n")
    program.chmod(0o755)
    with pytest.raises(ReleaseError, match=r"is cpython 3\.9: wheels are made for CPython 3\.10 and newer"):
        python_at(program)


def test_this_python_once() -> None:
    (found,) = find([Path(sys.executable), Path(sys.executable)])
    assert found.tag == f"cp{sys.version_info[0]}{sys.version_info[1]}"
