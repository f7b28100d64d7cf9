"""What one build is enough for is there, and calls nothing that is compiled."""

from __future__ import annotations

import ast

import pytest

from tests.conftest import LONGEST, NEVER_COMPILED
from tests.repo.source import ROOT, imported_names

COMPILED = (
    "indrik.protocol",
    "indrik.engine",
    "indrik.gateway",
    "indrik.scoreboard",
    "indrik.log.access_format",
    "indrik.log.access_writer",
    "indrik.log.atoms",
    "indrik.log.escape",
    "indrik.log.handlers",
    "indrik.log.json_lines",
)


@pytest.mark.parametrize("prefix", [*NEVER_COMPILED, *LONGEST])
def test_it_exists(prefix: str) -> None:
    name, _, member = prefix.partition("::")
    path = ROOT / name
    assert path.is_dir() if name.endswith("/") else path.is_file()
    if member:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert member in {getattr(node, "name", None) for node in tree.body}


@pytest.mark.parametrize("prefix", NEVER_COMPILED)
def test_no_compiled_module_is_imported(prefix: str) -> None:
    path = ROOT / prefix.partition("::")[0]
    faults = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in ([path] if path.is_file() else sorted(path.rglob("*.py")))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        for name in imported_names(node, "")
        if name.startswith(COMPILED)
    ]
    assert not faults
