"""What tests of PasteDeploy files need: an application for them, and indrik as an installed distribution."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from tests.repo.source import ROOT

#: Answers with what its factory was given; imported by `call:shop:factory`.
SHOP = """\
import json
VERSION = "1"
def factory(global_conf, **local_conf):
    text = json.dumps({"version": VERSION, "global": global_conf, "local": local_conf}).encode()
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
        return [text]
    return application
"""

SHOP_INI = """\
[DEFAULT]
colour = red

[app:main]
use = call:shop:factory
greeting = hello

[app:admin]
use = call:shop:factory
greeting = at your service, %(title)s
"""


def install_entry_points(folder: Path) -> None:
    """Let PasteDeploy find `egg:indrik#main` if `folder` is on the Python path.

    An installed indrik has it already; in a source tree without an installation the folder gets what an
    installation would write from pyproject.toml.
    """
    try:
        if any(entry.group == "paste.server_runner" for entry in distribution("indrik").entry_points):
            return
    except PackageNotFoundError:
        pass
    # Python 3.10 has no tomllib of its own; there indrik needs the package it came from.
    tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    info = folder / "indrik-0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: indrik\nVersion: 0\n")
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
            for group, entries in groups.items()
        )
    )
