"""A program that serves an application with run_simple: the arguments are its first one, as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from indrik.werkzeug import run_simple


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    if environ["PATH_INFO"] == "/crash":
        raise ValueError("crash requested")
    start_response("200 OK", [("Content-Type", "text/plain")])
    about = {name: environ[name] for name in ("wsgi.multithread", "wsgi.multiprocess", "PATH_INFO")}
    return [json.dumps(about).encode()]


if __name__ == "__main__":
    arguments: dict[str, Any] = {"hostname": "127.0.0.1", "port": 0, **json.loads(sys.argv[1])}
    try:
        run_simple(application=application, **arguments)
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
    Path("after").write_text("run_simple has returned")
