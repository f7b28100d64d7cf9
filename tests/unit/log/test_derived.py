from __future__ import annotations

from pathlib import Path

import pytest

from indrik.log.atoms import ATOMS
from indrik.log.derived import PAGE, main, page
from indrik.log.json_lines import KEYS

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_in_the_tree_is_fresh() -> None:
    assert (ROOT / "docs/reference" / PAGE).read_text(encoding="utf-8") == page()


def test_every_row_is_on_the_page() -> None:
    for atom in ATOMS.values():
        assert f"| `{atom.name}` | {atom.meaning} |" in page()
    for key in KEYS:
        assert f"| `{key.name}` | {key.meaning} |" in page()


def test_write_then_check_then_a_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = f"--directory={tmp_path}"
    assert main(["--check", place]) == 1
    assert main(["--write", place]) == 0
    assert main(["--check", place]) == 0
    (tmp_path / PAGE).write_text("old")
    assert main(["--check", place]) == 1
    assert "is stale: run python -m indrik.log.derived --write" in capsys.readouterr().err


def test_without_the_directory_it_says_where_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check", f"--directory={tmp_path / 'none'}"]) == 2
    assert "run this at the top of a checkout" in capsys.readouterr().err
