"""What is shown of an exception that the application has raised: from its own first frame on."""

from __future__ import annotations

import importlib
import traceback
from pathlib import Path

import pytest

from indrik.app.loader import load_application
from indrik.log.tracebacks import from_application, from_outside


def shown(error: Exception) -> list[tuple[str, int | None]]:
    """File names and lines of the frames that are shown."""
    return [
        (Path(frame.filename).name, frame.lineno) for frame in traceback.extract_tb(from_application(error))
    ]


def load(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> Exception:
    """What loading a module of that text raises; the first frame, this file's, is the server's here."""
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    with pytest.raises(Exception) as caught:
        load_application(name)
    error = caught.value
    assert error.__traceback__ is not None
    return error.with_traceback(error.__traceback__.tb_next)


def test_begins_at_the_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stock.py").write_text("\nstock = apples\n")
    error = load(tmp_path, monkeypatch, "fruit", "import stock\n")
    # The import that the application itself makes is its business.
    assert [shown(error)[0], shown(error)[-1]] == [("fruit.py", 1), ("stock.py", 2)]


def test_syntax_error_needs_no_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = load(tmp_path, monkeypatch, "greens", "this is no Python\n")
    assert shown(error) == []
    assert 'greens.py", line 1' in "".join(traceback.format_exception_only(error))


def test_the_servers_own_error_is_shown_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = load(tmp_path, monkeypatch, "empty", "")
    assert from_outside(error.__traceback__) is None
    assert shown(error)[0][0] == "loader.py"
