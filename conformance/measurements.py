"""The file of measurements: what each peer did at each probe, and with which versions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.outcome import Outcome
from conformance.row import Patience, Row
from conformance.servers import OPTIONS, PEERS, Peer

PATH = Path(__file__).resolve().parent.parent / "docs" / "reference" / "http-peers.json"


class Stale(Exception):
    """The measurements are not those of the rows; the text says what to do."""


def applies(row: Row, peer: Peer) -> bool:
    """Whether the server has what the row is about."""
    return OPTIONS[row.options][peer.column] is not None and not (row.only_wsgi and peer.name == "uvicorn")


@dataclass(frozen=True)
class Waits:
    """How a peer took a silent client. seconds: until it closed, None if not within the longest wait."""

    statuses: tuple[int, ...]
    seconds: int | None


@dataclass(frozen=True)
class Measurements:
    """conditions: versions and the like. outcomes: by row and peer; several where two rounds differed, none
    where the point does not apply. waits: by row and peer.
    """

    conditions: Mapping[str, Any]
    outcomes: Mapping[str, Mapping[str, tuple[Outcome, ...]]]
    waits: Mapping[str, Mapping[str, Waits]]


def save(path: Path, found: Measurements, rows: Iterable[Row], patience: Iterable[Patience]) -> None:
    """Write what was found for these rows."""
    data = {
        "made by": "make conformance",
        "conditions": dict(found.conditions),
        "rows": {
            row.key: {
                "probe": row.digest(),
                "peers": {
                    name: [outcome.as_json() for outcome in outcomes]
                    for name, outcomes in found.outcomes[row.key].items()
                },
            }
            for row in rows
        },
        "waits": {
            one.key: {
                "probe": one.digest(),
                "peers": {
                    name: {"statuses": list(waits.statuses), "seconds": waits.seconds}
                    for name, waits in found.waits[one.key].items()
                },
            }
            for one in patience
        },
    }
    path.write_text(_format(data) + "\n", encoding="utf-8")


def _format(data: Mapping[str, Any]) -> str:
    """JSON with one line a peer's outcome, so that a difference is a line."""

    def lines(value: Any, depth: int) -> str:
        if isinstance(value, dict) and depth < 4 and value:
            blanks = " " * (depth + 1)
            inner = ",\n".join(
                f"{blanks}{json.dumps(key)}: {lines(item, depth + 1)}" for key, item in value.items()
            )
            return f"{{\n{inner}\n{' ' * depth}}}"
        return json.dumps(value)

    return lines(data, 0)


def load(path: Path, rows: Iterable[Row], patience: Iterable[Patience]) -> Measurements:
    """The measurements of exactly these rows. Stale if there are others, or of another probe."""
    data = json.loads(path.read_text(encoding="utf-8"))
    _check(data["rows"], {row.key: row.digest() for row in rows})
    _check(data["waits"], {one.key: one.digest() for one in patience})
    return Measurements(
        data["conditions"],
        {
            key: {
                peer.name: tuple(Outcome.of_json(one) for one in row["peers"][peer.name]) for peer in PEERS
            }
            for key, row in data["rows"].items()
        },
        {
            key: {
                peer.name: Waits(
                    tuple(row["peers"][peer.name]["statuses"]), row["peers"][peer.name]["seconds"]
                )
                for peer in PEERS
            }
            for key, row in data["waits"].items()
        },
    )


def _check(measured: Mapping[str, Any], wanted: Mapping[str, str]) -> None:
    for key in wanted.keys() | measured.keys():
        if key not in wanted:
            raise Stale(f"{key!r} is measured and no row any more: run make conformance")
        if key not in measured or measured[key]["probe"] != wanted[key]:
            raise Stale(f"the probe of {key!r} is not the one that was measured: run make conformance")
