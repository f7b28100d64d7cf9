"""The two builds: what they compile, what they depend on, and that neither takes what the other left.

They are made of a package of three modules under the real setup.py and pyproject.toml, to take seconds.
"""

from __future__ import annotations

import email
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.repo.source import PACKAGE, ROOT, SRC, committed_files, modules

# A build takes ten seconds, and many times that beside others.
pytestmark = pytest.mark.timeout(300)

BACKEND = """
import sys
from setuptools import build_meta
print(getattr(build_meta, sys.argv[1])(sys.argv[2]))
"""
#: For C that is run but not looked at: the compiler takes half the time.
QUICKLY = {"CFLAGS": "-O0 -g0"}
NO_CYTHON = "import sys; sys.modules['cython'] = sys.modules['Cython'] = None\n"

FILES = {
    "__init__.py": '__version__ = "1.2.3"\n',
    "protocol/__init__.py": "",
    "protocol/head.py": """\
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

def is_compiled() -> bool:
    return cython.compiled
""",
    "uncompiled.py": "compiled = False\n",
    "app/__init__.py": "",
    "app/wsgiapp.py": "from indrik.protocol.head import is_compiled\nprint(is_compiled())\n",
}
COMPILED_MODULE = "protocol/head.py"
SHARED_MODULE = "_cython_shared"

THE_IMPORT = """\
if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project with the build of this one."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, folder)
    for name, text in FILES.items():
        path = folder / "src" / PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    return folder


def run_backend(project: Path, hook: str, **environment: str) -> Path:
    """Call a PEP 517 hook in the project; what it made, in the project's folder `out`."""
    made = subprocess.run(
        [sys.executable, "-c", BACKEND, hook, "out"],
        cwd=project,
        env={**os.environ, "INDRIK_PURE": "", **environment},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return project / "out" / made.stdout.strip().splitlines()[-1]


def unpack(wheel: Path, folder: Path) -> Path:
    """Unpack a wheel into a fresh folder."""
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run_python(code: str, folder: Path) -> str:
    """What a Python with `folder` in front of its path prints."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.strip()


def requirements(metadata: Path) -> set[str]:
    """Names of what an installation without extras pulls in on every Python."""
    message = email.message_from_string(metadata.read_text(encoding="utf-8"))
    return {line.split(">")[0] for line in message.get_all("Requires-Dist", []) if ";" not in line}


def libraries(folder: Path) -> list[str]:
    return sorted(path.name.split(".")[0] for path in folder.rglob("*.so"))


def test_compiled_wheel(project: Path, tmp_path: Path) -> None:
    wheel = run_backend(project, "build_wheel")
    unpacked = unpack(wheel, tmp_path / "unpacked")
    assert libraries(unpacked) == [SHARED_MODULE, "head"]
    # What is shared is not in the module as well: the attributes of Cython's function type, for one.
    library = next(unpacked.rglob("head.*.so")).read_bytes()
    assert SHARED_MODULE.encode() in library
    assert b"__kwdefaults__" not in library
    assert (unpacked / PACKAGE / COMPILED_MODULE).exists(), "tracebacks need the source"
    assert requirements(next(unpacked.glob("*.dist-info")) / "METADATA") == set()
    assert run_python(NO_CYTHON + "import indrik.app.wsgiapp", unpacked) == "True"
    assert libraries(project / "src") == []
    assert not list((project / "src").rglob("*.c"))


@pytest.mark.parametrize(
    "environment", [{"INDRIK_PURE": "1"}, {"CC": "/bin/false"}], ids=["asked for", "no compiler"]
)
def test_uncompiled_wheel(project: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    wheel = run_backend(project, "build_wheel", **environment)
    assert wheel.name.endswith("-py3-none-any.whl")
    unpacked = unpack(wheel, tmp_path / "unpacked")
    assert libraries(unpacked) == []
    assert requirements(next(unpacked.glob("*.dist-info")) / "METADATA") == set()
    assert run_python(NO_CYTHON + "import indrik.app.wsgiapp", unpacked) == "False"


def test_compiled_or_nothing(project: Path) -> None:
    with pytest.raises(AssertionError, match="INDRIK_PURE=0 asks for a compiled build"):
        run_backend(project, "prepare_metadata_for_build_wheel", INDRIK_PURE="0", CC="/bin/false")


def test_wrong_wish_is_refused(project: Path) -> None:
    with pytest.raises(AssertionError, match="INDRIK_PURE must be 0, 1 or unset, not 'yes'"):
        run_backend(project, "prepare_metadata_for_build_wheel", INDRIK_PURE="yes")


def test_builds_leave_nothing_to_each_other(project: Path, tmp_path: Path) -> None:
    unpacked = tmp_path / "unpacked"
    run_backend(project, "build_wheel", **QUICKLY)

    unpack(run_backend(project, "build_wheel", INDRIK_PURE="1"), unpacked)
    assert libraries(unpacked) == []

    (project / "src" / PACKAGE / COMPILED_MODULE).unlink()
    other = project / "src" / PACKAGE / "protocol" / "other.py"
    other.write_text(FILES[COMPILED_MODULE], encoding="ascii")
    unpack(run_backend(project, "build_wheel", **QUICKLY), unpacked)
    assert libraries(unpacked) == [SHARED_MODULE, "other"]
    assert not (unpacked / PACKAGE / COMPILED_MODULE).exists(), "a removed module came back"


@pytest.mark.parametrize(("wish", "compiled"), [("0", True), ("1", False)])
def test_editable(project: Path, tmp_path: Path, wish: str, compiled: bool) -> None:
    wheel = run_backend(project, "build_editable", INDRIK_PURE=wish, **QUICKLY)
    unpacked = unpack(wheel, tmp_path / "unpacked")
    # A .pth file counts in a site directory only.
    code = f"import site; site.addsitedir({str(unpacked)!r}); sys = __import__('sys')\n"
    code += "sys.path.insert(0, sys.path.pop()); import indrik.app.wsgiapp"
    assert run_python(code, tmp_path) == str(compiled)
    assert libraries(project / "src") == []


def test_sdist_has_what_a_packager_needs(tmp_path: Path) -> None:
    copy = tmp_path / "project"
    for path in committed_files():
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    with tarfile.open(run_backend(copy, "build_sdist", INDRIK_PURE="1")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {str(path.relative_to(ROOT)) for path in committed_files() if path.is_relative_to(SRC)}
    wanted |= {"tests/repo/test_build.py", "Makefile", "LICENSE", "CHANGELOG.md", "docs/README.md"}
    assert wanted <= names


def build_script() -> ModuleType:
    """setup.py, without building."""
    spec = importlib.util.spec_from_file_location("setup", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def compiled_modules() -> list[str]:
    """The modules that setup.py compiles."""
    setup = build_script()
    names = [extension.name for extension in setup.extensions() if extension.name != setup.SHARED]
    assert "indrik.scoreboard.slot" in names
    return names


def test_the_installed_build_is_whole() -> None:
    """All modules of setup.py's list are compiled, or none."""
    names = compiled_modules()
    suffixes = {}
    for name in names:
        found = importlib.util.find_spec(name)
        assert found is not None, f"{name} is not installed"
        assert found.origin is not None
        suffixes[name] = Path(found.origin).suffix
    assert len(set(suffixes.values())) == 1, suffixes
    shared = importlib.util.find_spec(build_script().SHARED)
    assert (shared is not None) is (suffixes["indrik.scoreboard.slot"] == ".so")


def test_no_module_needs_cython() -> None:
    code = NO_CYTHON + f"import importlib\nfor name in {compiled_modules()}: importlib.import_module(name)"
    made = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert made.returncode == 0, made.stderr


def test_cython_is_imported_for_the_compiler_only() -> None:
    """Python finds the stand-in instead: see indrik/uncompiled.py."""
    texts = {path: path.read_text(encoding="utf-8") for path in modules().values() if path.suffix == ".py"}
    assert any(THE_IMPORT in text for text in texts.values())
    plain = [
        str(path.relative_to(SRC))
        for path, text in texts.items()
        if re.search(r"^ *import cython|^from cython", text.replace(THE_IMPORT, ""), re.MULTILINE)
    ]
    assert not plain, f"{plain}: write this instead\n{THE_IMPORT}"
