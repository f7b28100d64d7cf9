from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from release import building
from release.steps import ReleaseError

DATE = 1_700_000_000
FILES = {"indrik-1/setup.py": 0o644, "indrik-1/a/run": 0o755, "indrik-1/a/README.md": 0o640}


def make_sdist(path: Path, names: list[str], mtime: int, owner: str) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.mtime, member.mode, member.uname, member.uid = mtime, FILES[name], owner, len(owner)
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))


def test_an_sdist_is_the_same_wherever_it_is_made(tmp_path: Path) -> None:
    made, results = tmp_path / "made.tar.gz", []
    for names, mtime, owner in ((list(FILES), 1, "one"), (list(FILES)[::-1], 2, "another")):
        make_sdist(made, names, mtime, owner)
        building.normalise_sdist(made, tmp_path / "sdist.tar.gz", DATE)
        results.append((tmp_path / "sdist.tar.gz").read_bytes())
    assert results[0] == results[1]
    with tarfile.open(tmp_path / "sdist.tar.gz") as archive:
        members = archive.getmembers()
        assert {member.name: member.mode for member in members} == {**FILES, "indrik-1/a/README.md": 0o644}
        assert {member.mtime for member in members} == {DATE}
        assert {(member.uid, member.uname) for member in members} == {(0, "")}
        for member in members:
            file = archive.extractfile(member)
            assert file is not None
            assert file.read() == member.name.encode()


def test_without_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The answer is no date: without git there is nothing to make a release of."""
    monkeypatch.setattr(building, "ROOT", tmp_path)
    with pytest.raises(ReleaseError, match="is no git checkout, or there is no git"):
        building.has_changes()


def test_date_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "123")
    assert building.source_date() == 123


def test_wrong_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(ReleaseError, match="must be seconds since 1970, not 'yesterday'"):
        building.source_date()


def test_neither_date_nor_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.setattr(building, "ROOT", tmp_path)
    with pytest.raises(ReleaseError, match="set SOURCE_DATE_EPOCH"):
        building.source_date()
