"""The command line: python -m conformance. `make conformance` runs it and then writes the page.

Every peer is started with its defaults on loopback, and meets every probe twice; where the two differ, both
outcomes are kept. About eight minutes, most of them waiting for silence.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.environment import Missing
from bench.exchange import HOST
from bench.process import StartFailed, free_port
from conformance import environment, measurements, process
from conformance.conversation import Quiet, Waited, converse, outwait
from conformance.measurements import Measurements, Waits, applies
from conformance.outcome import Outcome
from conformance.row import Patience, Row
from conformance.rows import PATIENCE, ROWS
from conformance.servers import OPTIONS, PEERS, Peer

ROUNDS = 2
#: Seconds after which nobody waits for a server any more that waits for a client.
LONGEST = 150


def start(peer: Peer, options: str) -> tuple[list[str], int]:
    """The command of a peer, and the port that it is told."""
    port = free_port()
    places = {"bin": str(environment.PEERS / "bin"), "host": HOST, "port": str(port)}
    return peer.argv(places, options), port


def measure(peer: Peer, rows: Sequence[Row]) -> dict[str, tuple[Outcome, ...]]:
    """What the peer does at each row; nothing for rows that do not apply."""
    found: dict[str, list[Outcome]] = {row.key: [] for row in rows}
    for options in OPTIONS:
        chosen = [row for row in rows if row.options == options and applies(row, peer)]
        if not chosen:
            continue
        argv, port = start(peer, options)
        with process.run(argv, port) as running:
            for _ in range(ROUNDS):
                for row in chosen:
                    outcome = converse(running.address, row, running.calls, Quiet())
                    if outcome not in found[row.key]:
                        found[row.key].append(outcome)
    say(f"{peer.name}: {sum(map(bool, found.values()))} points")
    return {key: tuple(outcomes) for key, outcomes in found.items()}


def wait(peer: Peer, patience: Patience) -> Waited:
    """How long the peer waits. It has a process of its own: some serve one client at a time."""
    argv, port = start(peer, "")
    with process.run(argv, port) as running:
        return outwait(running.address, patience, LONGEST)


def measure_all() -> Measurements:
    """All peers at all rows. The waits go on in the background, as they cost nothing but time."""
    jobs = [(peer, patience) for patience in PATIENCE for peer in PEERS]
    with ThreadPoolExecutor(len(jobs)) as background:
        waits = {(one.key, peer.name): background.submit(wait, peer, one) for peer, one in jobs}
        # One peer at a time: a busy machine must not pass for a silent server.
        outcomes = {peer.name: measure(peer, ROWS) for peer in PEERS}
        say(f"waiting for those that wait, {LONGEST} s at most")
        waited = {key: future.result() for key, future in waits.items()}
    return Measurements(
        {
            "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
            "python": platform.python_version(),
            "system": platform.system(),
            "versions": environment.versions(),
            "longest wait": LONGEST,
            "rounds": ROUNDS,
        },
        {row.key: {peer.name: outcomes[peer.name][row.key] for peer in PEERS} for row in ROWS},
        {
            one.key: {peer.name: rounded(waited[one.key, peer.name]) for peer in PEERS} for one in PATIENCE
        },
    )


def rounded(waited: Waited) -> Waits:
    """Whole seconds: what is beyond them is the machine's."""
    return Waits(waited.statuses, None if waited.seconds is None else round(waited.seconds))


def say(text: str) -> None:
    """A line for the person who waits."""
    print(f"conformance: {text}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all was measured and written, 1 with a reason otherwise."""
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument("--out", type=Path, default=measurements.PATH, help="the file of measurements")
    options = parser.parse_args(arguments)
    try:
        environment.prepare()
        measurements.save(options.out, measure_all(), ROWS, PATIENCE)
    except (Missing, StartFailed) as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 1
    say(f"written to {options.out}; python -m conformance.page --write makes the page of it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
