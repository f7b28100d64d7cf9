"""The build: compile the hot modules with Cython where that is possible, else install them as plain Python.

What is static is in pyproject.toml. Here are the list of compiled modules and the choice of the build:

- INDRIK_PURE unset or empty: compiled if a C compiler and Python's headers work, else uncompiled.
- INDRIK_PURE=1: uncompiled, whatever the machine has.
- INDRIK_PURE=0: compiled, or the build fails. For packagers, who must not ship the other one by accident.

Generated C and the extension modules stay below build/, never in src/, so that a run with PYTHONPATH=src is
always uncompiled.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from setuptools import Distribution, Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel

ROOT = Path(__file__).resolve().parent
SOURCE = Path("src")

# Globs below src/ of the modules that are compiled. A package's __init__.py never is: it only re-exports.
COMPILED = (
    "indrik/protocol/*.py",
    "indrik/engine/*.py",
    "indrik/gateway/*.py",
    "indrik/scoreboard/*.py",
    # What a line of the access log passes through.
    "indrik/log/access_format.py",
    "indrik/log/access_writer.py",
    "indrik/log/atoms.py",
    "indrik/log/escape.py",
    "indrik/log/handlers.py",
    "indrik/log/json_lines.py",
)

# Python's own flags ask for debugging information, which would be four fifths of a wheel and a third of the
# build's time. Whoever wants it sets CFLAGS=-g.
# What CFLAGS says of optimisation and of debugging information goes before.
CFLAGS = os.environ.get("CFLAGS", "")
COMPILE_ARGS = ([] if "-O" in CFLAGS else ["-O2"]) + ([] if CFLAGS else ["-g0"])
# An error with GCC 14 and later, and so with every compiler.
COMPILE_ARGS.append("-Werror=incompatible-pointer-types")

# Bounds checks and negative indexes keep Python's meaning. A module that switches one off does so itself,
# with the proof beside it.
DIRECTIVES = {"language_level": 3, "annotation_typing": True}

# What Cython writes into every module alike (its function type, parsing of keywords, imports, exceptions) is
# compiled once, into a module of its own: a fifth of the code otherwise.
SHARED = "indrik._cython_shared"

GENERATED = os.path.join("build", "cython")

PROBE = """\
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "probe", NULL, -1, NULL, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_probe(void) { return PyModule_Create(&module); }
"""


def extensions() -> list[Extension]:
    """One extension for each file that the globs of COMPILED match today, and what they share."""
    files = {
        path.relative_to(ROOT)
        for pattern in COMPILED
        for path in (ROOT / SOURCE).glob(pattern)
        if path.name != "__init__.py"
    }
    modules = [(".".join(path.relative_to(SOURCE).with_suffix("").parts), path) for path in sorted(files)]
    if modules:
        # Only its place below build/ comes from this name; Cython writes it.
        modules.append((SHARED, SOURCE.joinpath(*SHARED.split(".")).with_suffix(".c")))
    return [Extension(name, [str(path)], extra_compile_args=COMPILE_ARGS) for name, path in modules]


def is_current() -> bool:
    """Whether the C files that are there were made as this file says. Cython itself compares a C file with
    its module only.
    """
    made = Path(GENERATED, SOURCE, *SHARED.split(".")).with_suffix(".c")
    return made.exists() and made.stat().st_mtime >= Path(__file__).stat().st_mtime


def can_compile() -> bool:
    """Whether extension modules can be compiled and linked here: found out by doing it as the build does."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        source.write_text(PROBE, encoding="ascii")
        # setuptools puts the object file of an absolute source elsewhere, so the source is a relative one.
        before = os.getcwd()
        os.chdir(folder)
        try:
            module = Extension("probe", ["probe.c"])
            command = build_ext(Distribution({"name": "probe", "ext_modules": [module]}))
            command.build_lib = command.build_temp = folder
            command.ensure_finalized()
            command.run()
        except Exception as error:  # setuptools raises several families here, by compiler and by step
            print(f"indrik: cannot compile an extension module here: {error}", file=sys.stderr)
            return False
        finally:
            os.chdir(before)
    return True


def choose_compiled() -> bool:
    """The build that this run makes, from INDRIK_PURE and from what the machine can do."""
    wish = os.environ.get("INDRIK_PURE", "")
    if wish not in ("", "0", "1"):
        raise SystemExit(f"indrik: INDRIK_PURE must be 0, 1 or unset, not {wish!r}")
    if wish == "1":
        return False
    if can_compile():
        return True
    if wish == "0":
        raise SystemExit("indrik: INDRIK_PURE=0 asks for a compiled build, which does not work here")
    print("indrik: building the uncompiled package", file=sys.stderr)
    return False


class BuildPy(build_py):
    """build_py that first removes what an earlier build left: setuptools packs all that it finds there."""

    def run(self) -> None:
        if not self.editable_mode:
            self._prune(Path(self.build_lib, "indrik"))
        super().run()

    def _prune(self, package: Path) -> None:
        wanted = {Path(name).resolve() for name in self.get_outputs(include_bytecode=False)}
        if self.distribution.has_ext_modules():
            command = self.get_finalized_command("build_ext")
            wanted |= {Path(name).resolve() for name in command.get_outputs()}
        for path in [path for path in package.rglob("*") if path.is_file()]:
            if path.resolve() not in wanted:
                path.unlink()


class BuildExt(build_ext):
    """build_ext that runs Cython when it builds, not when setup.py is merely asked for metadata."""

    def finalize_options(self) -> None:
        super().finalize_options()
        if self.editable_mode:
            self.inplace = False  # see EditableWheel
        self.parallel = self.parallel or os.cpu_count()

    def run(self) -> None:
        from Cython.Build import cythonize

        names = {extension.name: extension for extension in self.extensions}
        compiled = cythonize(
            extensions(),
            build_dir=GENERATED,
            include_path=[str(SOURCE)],
            compiler_directives=DIRECTIVES,
            shared_utility_qualified_name=SHARED,
            force=not is_current(),
        )
        # The objects that setuptools prepared (with attributes of its own) stay, now with C files as sources.
        for made in compiled:
            names[made.name].sources = made.sources
            names[made.name].depends = made.depends
        super().run()


class EditableWheel(editable_wheel):
    """An editable install: src/ itself when uncompiled, else a tree of links below build/ with extensions."""

    def finalize_options(self) -> None:
        if self.mode is None and self.distribution.has_ext_modules():
            self.mode = "strict"
        super().finalize_options()


def main() -> None:
    """Run setuptools with what pyproject.toml cannot say."""
    compiled = bool(extensions()) and choose_compiled()
    setup(
        ext_modules=extensions() if compiled else [],
        cmdclass={"build_py": BuildPy, "build_ext": BuildExt, "editable_wheel": EditableWheel},
    )


if __name__ == "__main__":
    main()
