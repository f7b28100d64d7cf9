"""How the steps of a release run other programs, and how they fail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class ReleaseError(Exception):
    """A published file is wrong, or cannot be made; the text says which, why, and what to do."""


def say(text: str) -> None:
    """A line about what happens now."""
    print(f"== {text}", flush=True)


def clean_environment(folder: Path, **more: str) -> dict[str, str]:
    """What the programs see of the environment: not flags, settings and the language of whoever calls.

    Only where to find programs stays, and where pip finds packages. `folder` is the home directory.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "TMPDIR") or name.startswith(("PIP_", "SSL_")) or name.lower().endswith("_proxy")
    }
    kept.pop("PIP_REQUIRE_VIRTUALENV", None)
    return {**kept, "HOME": str(folder), "LC_ALL": "C.UTF-8", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **more}


Words = Sequence[str | Path]


def run(argv: Words, *, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> str:
    """What a program prints. Its failure is a ReleaseError that has all of its output."""
    words = [str(word) for word in argv]
    made = subprocess.run(
        words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if made.returncode:
        output = (made.stdout + made.stderr).rstrip()
        raise ReleaseError(f"{' '.join(words)}\nends with {made.returncode}:\n{output}")
    return made.stdout


def module(name: str, *arguments: str | Path) -> list[str | Path]:
    """The command of a tool that is installed beside this program."""
    return [sys.executable, "-m", name, *arguments]
