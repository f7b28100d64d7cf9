"""Pages that are made from tables in the code are what the tables would make today."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.source import PACKAGE, ROOT, SRC, committed_files

# Modules that make pages: each has --write and --check, and works on the folder it is run in.
MAKERS = ("conformance.page", "indrik.config.derived", "indrik.log.derived", "indrik.signals")
MARK = re.compile(r"`python -m (?P<module>[\w.]+) --write`")


def run_maker(module: str, option: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, option]
    # Makers that are no part of the package are found in the checkout, wherever they run.
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    env = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("module", MAKERS)
def test_is_fresh(module: str) -> None:
    made = run_maker(module, "--check", ROOT)
    assert made.returncode == 0, made.stdout + made.stderr


@pytest.mark.parametrize("module", MAKERS)
def test_a_change_by_hand_is_seen(module: str, tmp_path: Path) -> None:
    for folder in ("reference", "how-to"):
        (tmp_path / "docs" / folder).mkdir(parents=True)
    assert run_maker(module, "--write", tmp_path).returncode == 0
    assert run_maker(module, "--check", tmp_path).returncode == 0
    pages = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert pages
    for page in pages:
        text = page.read_text(encoding="utf-8")
        page.write_text(text + " ", encoding="utf-8")
        made = run_maker(module, "--check", tmp_path)
        assert made.returncode == 1
        assert page.name in made.stdout + made.stderr
        page.write_text(text, encoding="utf-8")


def test_every_maker_is_known() -> None:
    named = {
        match["module"]
        for path in committed_files()
        if path.suffix in {".md", ".json"}
        for match in MARK.finditer(path.read_text(encoding="utf-8"))
    }
    able = {
        ".".join(path.relative_to(base).with_suffix("").parts)
        for base, folder in ((SRC, PACKAGE), (ROOT, "conformance"))
        for path in (base / folder).rglob("*.py")
        if '"--write"' in path.read_text(encoding="utf-8")
    }
    assert named | able == set(MAKERS)
