from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from release import contents

COMPILED = ["indrik.engine.loop"]
PLACE = Path("/builder/home")
NAME = "indrik-1.0-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"
INFORMATION = "indrik-1.0.dist-info/"
SHARED = "indrik/engine/loop.cpython-311-x86_64-linux-gnu.so"

#: A wheel without faults.
GOOD = {
    "indrik/__init__.py": "",
    "indrik/py.typed": "",
    "indrik/engine/loop.py": "",
    SHARED: "\x7fELF",
    **{INFORMATION + name: "" for name in contents.METADATA},
    INFORMATION + "METADATA": """\
Name: indrik
Requires-Dist: tomli>=2; python_version < "3.11"
Requires-Dist: Flask>=3.1; extra == "flask"
""",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The package's sources."""
    folder = tmp_path / "src" / "indrik"
    for name in ("__init__.py", "engine/loop.py"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def faults(source: Path, changed: dict[str, str | None], name: str = NAME) -> list[str]:
    """What is wrong with a wheel like GOOD. None: the file is not in it."""
    path = source.parent / name
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in {**GOOD, **changed}.items():
            if text is not None:
                archive.writestr(inner, text)
    return contents.faults(contents.read(path), source, COMPILED, [PLACE])


def test_a_good_one(source: Path) -> None:
    assert faults(source, {}) == []


def test_a_good_one_without_compiled_modules(source: Path) -> None:
    assert faults(source, {SHARED: None}, "indrik-1.0-py3-none-any.whl") == []


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"indrik/engine/loop.c": ""}, "has indrik/engine/loop.c, which does not belong there"),
        ({"indrik/engine/loop.pxd": ""}, "has indrik/engine/loop.pxd, which does not belong there"),
        ({"tests/test_loop.py": ""}, "has tests/test_loop.py, which does not belong there"),
        ({"indrik.libs/libz.so": ""}, "has indrik.libs/libz.so, which does not belong there"),
        ({"indrik/engine/loop.py": None}, "lacks indrik/engine/loop.py"),
        ({"indrik/engine/old.py": ""}, "has indrik/engine/old.py, which the sources do not have"),
        ({INFORMATION + "licenses/LICENSE": None}, "lacks licenses/LICENSE in its metadata"),
        ({SHARED: None}, "has the extension modules [], not ['indrik.engine.loop']"),
        ({SHARED: "\x7fELF \0.symtab\0"}, f"has {SHARED} with symbols for debuggers"),
        (
            {SHARED: f"RUNPATH {PLACE}/lib"},
            f"names {PLACE}, a folder of this machine, in 1 files: {SHARED}...",
        ),
        ({INFORMATION + "METADATA": "Requires-Dist: cython>=3.3\n"}, "needs cython>=3.3"),
        ({INFORMATION + "METADATA": "Requires-Dist: tomli>=2\n"}, "needs tomli>=2"),
    ],
)
def test_faults(source: Path, changed: dict[str, str | None], fault: str) -> None:
    assert fault in faults(source, changed)


def test_uncompiled_is_uncompiled(source: Path) -> None:
    found = faults(source, {}, "indrik-1.0-py3-none-any.whl")
    assert "has the extension modules ['indrik.engine.loop'], not []" in found


def test_the_tag_of_one_machine(source: Path) -> None:
    (fault,) = faults(source, {}, "indrik-1.0-cp311-cp311-linux_x86_64.whl")
    assert fault == "has the platform tag linux_x86_64, with which no index takes it"


def test_size(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "LARGEST_COMPILED", 100)
    (fault,) = faults(source, {})
    assert fault.endswith(" bytes, more than 100")
