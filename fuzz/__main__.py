"""Fuzzes each harness, guided on the uncompiled build and beside it on the compiled one.

`python -m fuzz --uncompiled PYTHON --compiled PYTHON [--seconds N] [NAME ...]`. Inputs that break an
invariant are kept in fuzz/crashers/NAME, where the short run of the tests finds them.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from fuzz import harnesses, mutated

HERE = Path(__file__).resolve().parent
CRASHERS = HERE / "crashers"
CORPUS = HERE.parent / "build" / "fuzz"

#: Seconds beyond its time that libFuzzer may take to read its corpus and to end.
_GRACE = 120

_RUNS = re.compile(r"stat::number_of_executed_units: *(\d+)")


def _seed(name: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for data in harnesses.load(name).SEEDS:
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def _start(
    build: str, python: str, name: str, corpus: Path, seconds: int, report: Path
) -> subprocess.Popen[bytes]:
    crashers = CRASHERS / name
    crashers.mkdir(parents=True, exist_ok=True)
    module, option = {
        "uncompiled": ("guided", f"-max_total_time={seconds}"),
        "compiled": ("mutated", str(seconds)),
    }[build]
    with report.open("wb") as output:
        return subprocess.Popen(
            [python, "-m", f"fuzz.{module}", name, str(crashers), str(corpus), option],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=HERE.parent,
        )


def fuzz(name: str, pythons: dict[str, str], seconds: int) -> bool:
    """Runs one harness on each build side by side; prints a line for each; whether nothing was found."""
    corpus = CORPUS / name
    _seed(name, corpus)
    before = set((CRASHERS / name).glob("*"))
    started = time.monotonic()
    runs = {
        build: _start(build, python, name, corpus, seconds, CORPUS / f"{name}-{build}.log")
        for build, python in pythons.items()
    }
    is_clean = True
    for build, process in runs.items():
        try:
            status = process.wait(timeout=seconds + _GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        took = time.monotonic() - started
        log = CORPUS / f"{name}-{build}.log"
        found = _RUNS.search(text := log.read_text(encoding="utf-8", errors="replace"))
        count = int(found[1]) if found else 0
        print(f"{name:15} {build:11} {count:>10} runs {count / took:>8.0f}/s  status {status}", flush=True)
        if status < 0 and build == "compiled":
            mutated.keep(mutated.read_present(mutated.present_path(corpus)), CRASHERS / name)
        if status or not found:
            is_clean = False
            print("\n".join(text.splitlines()[-40:]), f"\n{name}: see {log}", flush=True)
    for path in sorted(set((CRASHERS / name).glob("*")) - before):
        print(f"{name}: kept {path.relative_to(HERE.parent)}", flush=True)
    return is_clean


def main() -> int:
    """Runs the harnesses that were named, all if none; 1 if an invariant was broken."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--uncompiled", metavar="PYTHON", help="interpreter with the uncompiled package")
    parser.add_argument("--compiled", metavar="PYTHON", help="interpreter with the compiled package")
    parser.add_argument("--seconds", type=int, default=int(os.environ.get("FUZZ_SECONDS", "600")))
    parser.add_argument("names", nargs="*", default=list(harnesses.NAMES), metavar="NAME")
    arguments = parser.parse_args()
    pythons = {build: path for build in ("uncompiled", "compiled") if (path := getattr(arguments, build))}
    if not pythons:
        parser.error("name at least one interpreter")
    results = [fuzz(name, pythons, arguments.seconds) for name in arguments.names]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
