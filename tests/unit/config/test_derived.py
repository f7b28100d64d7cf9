from __future__ import annotations

import json
from pathlib import Path

import pytest

from indrik.config.derived import PAGES, main, reference, schema, unsupported_rows
from indrik.config.rows import ROWS

ROOT = Path(__file__).parents[3]


def test_pages_in_the_tree_are_fresh() -> None:
    assert main(["--check", "--root", str(ROOT)]) == 0


def test_write_then_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "--root", str(tmp_path)]) == 1
    assert main(["--write", "--root", str(tmp_path)]) == 0
    assert main(["--check", "--root", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["--write", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""  # nothing was stale


@pytest.mark.parametrize("name", PAGES)
def test_a_stale_page_is_found(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--write", "--root", str(tmp_path)])
    page = tmp_path / name
    page.write_text(page.read_text() + "\n")
    assert main(["--check", "--root", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"stale: {name}")


def test_pages_do_not_depend_on_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = reference(), schema()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "1234")
    monkeypatch.setattr("sys.platform", "freebsd14")
    assert (reference(), schema()) == before


def test_every_setting_is_in_the_reference() -> None:
    page = reference()
    for row in ROWS:
        assert f"\n### {row.name}\n" in page
        for flag in row.flags:
            assert f"`{flag}`" in page


def test_schema() -> None:
    document = json.loads(schema())
    assert document["additionalProperties"] is False
    properties = document["properties"]
    assert set(properties) == {row.name for row in ROWS} - {"config"}
    assert properties["threads"]["type"] == "integer"
    assert properties["threads"]["minimum"] == 0
    assert properties["workers"]["anyOf"] == [
        {"type": "integer", "minimum": 0, "maximum": 1000},
        {"const": "auto"},
    ]
    assert properties["header_map"]["enum"] == ["drop", "refuse", "dangerous"]
    assert "default" not in properties["chdir"]


def test_unsupported_settings_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--unsupported"]) == 0
    *lines, total = capsys.readouterr().out.splitlines()
    rows = unsupported_rows()
    assert [line.split(" ")[0].rstrip(":") for line in lines] == [row.name for row in rows]
    assert total.startswith(f"{len(rows)} of {len(ROWS)} settings")


def test_exactly_one_task(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert "required" in capsys.readouterr().err
