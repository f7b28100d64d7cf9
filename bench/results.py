"""The raw numbers of a run as JSON files, one for each kind of measurement, and what every file says about
the run.

The table and the plots are made from these files alone, so that whoever doubts a table can make it again.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.environment import packages
from bench.machine import Machine
from bench.serverrow import Server

FORMAT = 1


@dataclass(frozen=True)
class Row:
    """A server as it was measured: enough to start it again by hand. `refused` is why it was not measured."""

    name: str
    version: str
    interface: str
    settings: str
    command: str
    refused: str = ""


@dataclass(frozen=True)
class Run:
    """One measurement. `samples` are flat records whose fields its own module defines; `conditions` what was
    set for all.
    """

    measurement: str
    date: str
    machine: Machine
    conditions: Mapping[str, Any]
    servers: Sequence[Row]
    samples: Sequence[Mapping[str, Any]] = field(default_factory=list)

    def of(self, server: str, **fields: Any) -> list[Mapping[str, Any]]:
        """The samples of a server that have these values."""
        wanted = {"server": server, **fields}
        return [
            sample
            for sample in self.samples
            if all(sample.get(key) == value for key, value in wanted.items())
        ]


def today() -> str:
    """The date in UTC."""
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


def row(
    server: Server, version: str, crowded: bool = False, threads: int | None = None, refused: str = ""
) -> Row:
    """The server's row, its command with paths that mean something on another machine."""
    here = {
        "root": ".",
        "peers": ".venv-bench/bin",
        "indrik": ".venv/bin",
        "files": ".venv-bench/files",
        "packages": packages(Path(".venv-bench")),
        "host": "127.0.0.1",
        "port": "8000",
    }
    words = server.argv({**here, "app": "APPLICATION"}, crowded, threads)
    env = [f"{name}={value}" for name, value in server.environment(here).items()]
    command = " ".join([*env, *words])
    return Row(server.name, version, server.interface, server.settings, command, refused)


def save(run: Run, folder: Path) -> Path:
    """Write the run's file and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{run.measurement}.json"
    data = {"format": FORMAT, **dataclasses.asdict(run)}
    samples = ",\n    ".join(json.dumps(sample) for sample in data.pop("samples"))
    head = json.dumps(data, indent=2).removesuffix("\n}")
    path.write_text(f'{head},\n  "samples": [\n    {samples}\n  ]\n}}\n', encoding="utf-8")
    return path


def load(path: Path) -> Run:
    """Read a run's file. ValueError for a file of another format."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if data.pop("format", None) != FORMAT:
        raise ValueError(f"{path} is not of format {FORMAT}")
    data["machine"] = Machine(**data["machine"])
    data["servers"] = [Row(**server) for server in data["servers"]]
    return Run(**data)
