"""Runs one harness on mutations of its seeds: `python -m fuzz.mutated NAME CRASHERS CORPUS SECONDS`.

For the compiled build, where nothing guides a fuzzer: it takes what the guided run on the uncompiled build
keeps in CORPUS, read anew from time to time. The input of each run stands in a mapped file, which outlives
a crash of the process.
"""

from __future__ import annotations

import hashlib
import mmap
import random
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType

from fuzz import harnesses, mutation

#: Runs between two looks at the corpus.
_BATCH = 5000

#: Seconds after which one input counts as a hang.
_HANG = 20

#: Octets of the mapped file: a length and an input. Mutations can grow a little beyond their seeds.
_ROOM = 1 << 20


class _Hang(BaseException):
    """One input took too long."""


def _on_alarm(number: int, frame: FrameType | None) -> None:
    raise _Hang


class Present:
    """The input that is being run, in a file."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(_ROOM))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _ROOM)

    def set(self, data: bytes) -> None:
        """Notes `data`."""
        self._map[: 4 + len(data)] = len(data).to_bytes(4, "big") + data


def read_present(path: Path) -> bytes:
    """What `Present` has noted in `path`."""
    data = path.read_bytes()
    return data[4 : 4 + int.from_bytes(data[:4], "big")]


def present_path(corpus: Path) -> Path:
    """Where the present input of a run with `corpus` stands."""
    return corpus.with_suffix(".present")


def keep(data: bytes, crashers: Path) -> Path:
    """Writes an input that broke an invariant to where the tests find it."""
    path = crashers / f"crash-{hashlib.sha1(data).hexdigest()}"
    path.write_bytes(data)
    return path


def _kept(corpus: Path) -> list[bytes]:
    found = []
    for path in corpus.iterdir():
        try:
            found.append(path.read_bytes())
        except FileNotFoundError:
            # The guided run has found a shorter one with the same effect.
            continue
    return found


def main(name: str, crashers: str, corpus: str, seconds: str) -> int:
    """Fuzzes for `seconds`, or until an invariant is broken; 1 then."""
    harness = harnesses.load(name)
    present = Present(present_path(Path(corpus)))
    give_up_at = time.monotonic() + float(seconds)
    signal.signal(signal.SIGALRM, _on_alarm)
    count = 0
    data = b""
    seed = random.randrange(1 << 60)
    print(f"seed {seed}")
    try:
        while time.monotonic() < give_up_at:
            seeds = [*harness.SEEDS, *_kept(Path(corpus))]
            for data in mutation.mutations(seeds, harness.WORDS, seed + count, _BATCH):
                present.set(data)
                if count % 64 == 0:
                    signal.alarm(_HANG)
                    if time.monotonic() >= give_up_at:
                        break
                harness.check(data)
                count += 1
    except BaseException:
        traceback.print_exc()
        print(f"broken by {data!r}, kept in {keep(data, Path(crashers))}")
        return 1
    finally:
        signal.alarm(0)
        print(f"stat::number_of_executed_units: {count}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
