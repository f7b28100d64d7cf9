"""What is in a wheel: all that runs, the sources, the licence; nothing of the machine that has built it."""

from __future__ import annotations

import email
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from release.steps import ReleaseError

#: Sizes in bytes above which a wheel has something in it that it should not have.
LARGEST_COMPILED = 8_000_000
LARGEST_UNCOMPILED = 1_000_000
#: Below the package: modules, extensions, the tables that modules read, and PEP 561's mark.
PACKAGE_ENDINGS = (".py", ".so", ".json", "/py.typed")
METADATA = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "top_level.txt", "licenses/LICENSE")
# Sections of an ELF file that only debuggers read (https://refspecs.linuxfoundation.org/elf/elf.pdf).
DEBUGGING = (b"\0.symtab\0", b"\0.debug_info\0")


@dataclass(frozen=True)
class Wheel:
    """A wheel, read whole: names of files with their bytes."""

    path: Path
    files: dict[str, bytes]

    @property
    def tags(self) -> tuple[str, str, str]:
        """Python, ABI and platform, as the file's name has them (PEP 427)."""
        python, abi, platform = self.path.stem.split("-")[-3:]
        return python, abi, platform

    @property
    def is_compiled(self) -> bool:
        return self.tags[2] != "any"

    @property
    def information(self) -> str:
        """The folder of the metadata."""
        return "-".join(self.path.name.split("-")[:2]) + ".dist-info/"

    def message(self, name: str) -> Message:
        """One of the metadata's files, which have the form of a message."""
        return email.message_from_bytes(self.files[self.information + name])


def read(path: Path) -> Wheel:
    """The wheel in a file."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        return Wheel(path, {name: archive.read(name) for name in names})


def module_of(name: str) -> str:
    """Such as "indrik.engine.loop" for "indrik/engine/loop.cpython-311-x86_64-linux-gnu.so"."""
    return name.partition(".")[0].replace("/", ".")


def extensions(wheel: Wheel) -> list[str]:
    """Names of the modules that are compiled in a wheel."""
    return sorted(module_of(name) for name in wheel.files if name.endswith(".so"))


def foreign_files(wheel: Wheel) -> list[str]:
    """Files that no wheel of this project has."""
    wanted = {wheel.information + name for name in METADATA}
    return [
        name
        for name in wheel.files
        if name not in wanted
        and not (name.startswith("indrik/") and name.endswith(PACKAGE_ENDINGS))
    ]


def faults(wheel: Wheel, source: Path, compiled: Sequence[str], places: Collection[Path]) -> list[str]:
    """What is wrong with a wheel, a line each.

    `source` is the folder of the sources, `compiled` names the modules that a compiled build compiles,
    and `places` are folders of this machine that no file may name.
    """
    found = [f"has {name}, which does not belong there" for name in foreign_files(wheel)]
    modules = {str(path.relative_to(source.parent)) for path in source.rglob("*.py")}
    found += [f"lacks {name}" for name in sorted(modules - set(wheel.files))]
    extra = {name for name in wheel.files if name.endswith(".py")} - modules
    found += [f"has {name}, which the sources do not have" for name in sorted(extra)]
    lacking = [name for name in METADATA if wheel.information + name not in wheel.files]
    found += [f"lacks {name} in its metadata" for name in lacking]
    wanted = sorted(compiled) if wheel.is_compiled else []
    if extensions(wheel) != wanted:
        found.append(f"has the extension modules {extensions(wheel)}, not {wanted}")
    for name, data in wheel.files.items():
        if name.endswith(".so") and any(section in data for section in DEBUGGING):
            found.append(f"has {name} with symbols for debuggers")
    for place in places:
        named = [name for name, data in wheel.files.items() if str(place).encode() in data]
        if named:
            found.append(f"names {place}, a folder of this machine, in {len(named)} files: {named[0]}...")
    if wheel.is_compiled and not wheel.tags[2].startswith("manylinux"):
        found.append(f"has the platform tag {wheel.tags[2]}, with which no index takes it")
    size = wheel.path.stat().st_size
    largest = LARGEST_COMPILED if wheel.is_compiled else LARGEST_UNCOMPILED
    if size > largest:
        found.append(f"has {size} bytes, more than {largest}")
    return found + requirement_faults(wheel)


def requirement_faults(wheel: Wheel) -> list[str]:
    """indrik needs no other package, except that Python 3.10 has no reader for TOML."""
    needed = wheel.message("METADATA").get_all("Requires-Dist", [])
    return [
        f"needs {line}"
        for line in needed
        if "extra ==" not in line and not (line.startswith("tomli") and 'python_version < "3.11"' in line)
    ]


def check(wheel: Wheel, source: Path, compiled: Sequence[str], places: Collection[Path]) -> None:
    """Raise ReleaseError with all faults of a wheel, if it has any."""
    found = faults(wheel, source, compiled, places)
    if found:
        raise ReleaseError("\n".join(f"{wheel.path.name} {fault}" for fault in found))
