"""Runs one harness under libFuzzer, by atheris: `python -m fuzz.guided NAME CRASHERS CORPUS [OPTIONS]`.

OPTIONS are libFuzzer's. For the uncompiled build, whose every branch guides it; compiled modules have no
bytecode to instrument, see `mutated`.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path

import atheris

#: What is instrumented: the code under test, not the references nor the harnesses.
PARTS = ("indrik.protocol", "indrik.engine", "indrik.gateway")

#: Octets of an input at most: beyond it limits are tested, which the harnesses lower instead.
LONGEST = 1500

#: Seconds after which one input counts as a hang.
HANG = 20


def _dictionary(words: tuple[bytes, ...], folder: str) -> str:
    path = Path(folder, "words")
    lines = ('"' + "".join(f"\\x{octet:02x}" for octet in word) + '"\n' for word in words)
    path.write_text("".join(lines), encoding="ascii")
    return str(path)


def main(name: str, crashers: str, corpus: str, *options: str) -> None:
    """Fuzzes until libFuzzer's options say that it is enough; exits with its status."""
    with atheris.instrument_imports(include=list(PARTS), enable_loader_override=False):
        harness = importlib.import_module(f"fuzz.{name}")
    with tempfile.TemporaryDirectory(prefix="indrik-fuzz-") as folder:
        arguments = [
            name,
            corpus,
            f"-dict={_dictionary(harness.WORDS, folder)}",
            f"-artifact_prefix={crashers}/",
            f"-max_len={LONGEST}",
            f"-timeout={HANG}",
            "-rss_limit_mb=1024",
            "-print_final_stats=1",
            *options,
        ]
        atheris.Setup(arguments, lambda data: harness.check(data) and None, enable_python_coverage=True)
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
