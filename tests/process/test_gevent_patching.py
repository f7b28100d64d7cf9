"""What gevent must find when it patches a worker, which has kept from the collector what its master made."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.process.conftest import ServerFactory

#: Starts the server while it is imported itself, and is imported once more by the application that it serves.
IMPORTED = """\
import sys
if "indrik" not in sys.modules:
    from indrik.app.wsgiapp import run
    run()
"""

APP = """\
{imports}
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "1")])
    return [b"1"]
"""


def test_an_import_that_goes_on_around_the_server_holds_nobody_up(serve: ServerFactory, folder: Path) -> None:
    """Its lock is held by the thread that forked. gevent finds it, and hands it to the main greenlet."""
    (folder / "imported.py").write_text(IMPORTED)
    (folder / "app.py").write_text(APP.format(imports="import imported"))
    server = serve("-k", "gevent", command=(sys.executable, "-c", "import imported"))
    server.wait_ready()
    assert server.get() == "1"
    assert server.stop() == 0


def test_gevent_still_warns_of_what_the_master_has_imported(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(APP.format(imports=""))
    (folder / "holder.py").write_text("from ssl import SSLContext\n")
    (folder / "conf.py").write_text("import sys\nsys.path.insert(0, '.')\nimport holder\n")
    server = serve("-k", "gevent", "--config", "conf.py")
    server.wait_for_log("MonkeyPatchWarning.*ssl")
    server.wait_ready()
