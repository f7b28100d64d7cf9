"""The peers in a virtual environment of their own, at the versions of requirements.txt."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from bench.environment import ROOT, run

PEERS = ROOT / ".venv-conformance"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def prepare() -> None:
    """Makes the environment unless it is there. bench.environment.Missing if that fails."""
    mark = PEERS / "complete"
    wanted = f"{sys.version}\n{REQUIREMENTS.read_text(encoding='utf-8')}"
    if mark.exists() and mark.read_text(encoding="utf-8") == wanted:
        return
    print(f"conformance: installing the peers into {PEERS.name}", file=sys.stderr, flush=True)
    shutil.rmtree(PEERS, ignore_errors=True)
    # Of the Python behind a virtual environment: that one's packages are not the peers' business.
    python = Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    run([str(python), "-m", "venv", str(PEERS)])
    run([str(PEERS / "bin" / "pip"), "install", "--quiet", "-r", str(REQUIREMENTS)])
    mark.write_text(wanted, encoding="utf-8")


def versions() -> dict[str, str]:
    """The version of each package that was asked for."""
    code = (
        "import importlib.metadata as m, json\n"
        "print(json.dumps({d.metadata['Name'].lower(): d.version for d in m.distributions()}))"
    )
    found = json.loads(run([str(PEERS / "bin" / "python"), "-c", code]))
    return {name: found[name] for name in asked_for()}


def asked_for() -> dict[str, str]:
    """The packages of requirements.txt and their versions."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    pins = (line.partition("==") for line in lines if line and not line.startswith("#"))
    return {name: version for name, _, version in pins}
