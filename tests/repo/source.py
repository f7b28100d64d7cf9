"""The repository as the tests of this folder see it: committed files, modules, and who imports whom."""

from __future__ import annotations

import ast
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
PACKAGE = "indrik"

CIMPORT = re.compile(
    r"^\s*(?:from\s+(?P<base>[\w.]+)\s+cimport\s+(?P<names>\([^)]*\)|[^#\n]+)|cimport\s+(?P<module>[\w.]+))",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Import:
    """One import: module `importer`, at `line` of `path`, imports module `imported` of this package."""

    importer: str
    imported: str
    path: Path
    line: int
    type_only: bool

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.importer} imports {self.imported}"


def is_made(path: Path) -> bool:
    """Whether a file lies in a folder that builds, tests or tools make (the folders of .gitignore)."""
    folders = path.relative_to(ROOT).parent.parts
    return any(
        folder in {"build", "dist", "out", "instance", "__pycache__"}
        or folder.endswith(".egg-info")
        or (folder.startswith(".") and folder != ".ci")
        for folder in folders
    )


@cache
def committed_files() -> tuple[Path, ...]:
    """Files that git tracks or would take; without git, as in an unpacked sdist, all that is not made."""
    listing = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listing.returncode:
        return tuple(sorted(path for path in ROOT.rglob("*") if path.is_file() and not is_made(path)))
    names = listing.stdout.decode().split("\0")
    return tuple(sorted(ROOT / name for name in names if name and (ROOT / name).is_file()))


@cache
def modules() -> dict[str, Path]:
    """Dotted name -> file of every module: a package is its __init__.py, a lone .pxd is itself."""
    found = {}
    for path in [*sorted((SRC / PACKAGE).rglob("*.pxd")), *sorted((SRC / PACKAGE).rglob("*.py"))]:
        parts = path.relative_to(SRC).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def resolve(dotted: str) -> str | None:
    """The module of this package that an imported dotted name means: itself or the one that holds it."""
    dotted = dotted.removeprefix("cython.cimports.")
    while dotted.split(".")[0] == PACKAGE:
        if dotted in modules():
            return dotted
        dotted = dotted.rpartition(".")[0]
    return None


def is_type_checking(test: ast.expr) -> bool:
    """Whether an `if` tests TYPE_CHECKING, so that its body never runs."""
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def imported_names(node: ast.AST, package: str) -> list[str]:
    """The dotted names that one import statement brings in, relative ones made absolute against `package`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, base] if base else above)
        return [f"{base}.{alias.name}" for alias in node.names]
    return []


def imports_of(name: str, path: Path, text: str) -> list[Import]:
    """Every import of this package's own modules in one module's text, at any depth of nesting."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = []

    def visit(node: ast.AST, type_only: bool) -> None:
        for dotted in imported_names(node, package):
            target = resolve(dotted)
            if target is not None and target != name:
                found.append(Import(name, target, path, getattr(node, "lineno", 0), type_only))
        if isinstance(node, ast.If) and is_type_checking(node.test):
            for statement in node.body:
                visit(statement, True)
            for statement in node.orelse:
                visit(statement, type_only)
            return
        for child in ast.iter_child_nodes(node):
            visit(child, type_only)

    visit(ast.parse(text, str(path)), False)
    return found


def cimports_of(name: str, path: Path, text: str) -> list[Import]:
    """Every cimport of this package's own modules in the text of a .pxd file."""
    found = []
    for match in CIMPORT.finditer(text):
        base, line = match["base"] or match["module"], text.count("\n", 0, match.start()) + 1
        names = [part.split()[0] for part in (match["names"] or "").strip("() ").split(",") if part.strip()]
        for dotted in [f"{base}.{name}" for name in names] or [base]:
            target = resolve(dotted)
            if target is not None and target != name:
                found.append(Import(name, target, path, line, False))
    return found


@cache
def imports() -> tuple[Import, ...]:
    """Every import between modules of the package, from .py and .pxd files."""
    found: list[Import] = []
    for name, path in modules().items():
        if path.suffix == ".py":
            found += imports_of(name, path, path.read_text(encoding="utf-8"))
        declarations = path.with_suffix(".pxd")
        if declarations.exists():
            found += cimports_of(name, declarations, declarations.read_text(encoding="utf-8"))
    return tuple(found)
