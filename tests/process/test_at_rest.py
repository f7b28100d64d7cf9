"""What a worker holds while it does nothing: its modules, which are most of its memory and of the start, and
what it shares with its master.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import installed
from tests.process.conftest import ServerFactory

APP = """\
import sys

def application(environ, start_response):
    text = " ".join(sys.modules).encode()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]
"""

#: Each was there once, or would come with a careless import, and costs every process that serves. Some other
#: module of the standard library may import one of them in a later Python: then it is not ours to keep out.
UNWANTED = {
    "asyncio",
    "base64",
    "calendar",
    "concurrent.futures",
    "csv",
    "ctypes",
    "decimal",
    "email",
    "encodings.idna",
    "gevent",
    "html",
    "http",
    "importlib.metadata",
    "importlib.resources",
    "json",
    "logging.config",
    "logging.handlers",
    "multiprocessing",
    "pathlib",
    "pickle",
    "pkgutil",
    "platform",
    "queue",
    "random",
    "shutil",
    "socketserver",
    "sqlite3",
    "ssl",
    "stringprep",
    "subprocess",
    "tempfile",
    "unittest",
    "urllib.request",
    "uuid",
    "xml",
    "zipfile",
}

#: What nothing of the server can do without; what it imports itself is not the server's choice.
NEEDED = (
    "argparse",
    "ast",
    "contextvars",
    "dataclasses",
    "datetime",
    "faulthandler",
    "gettext",
    "inspect",
    "ipaddress",
    "logging",
    "mmap",
    "selectors",
    "shlex",
    "socket",
    "struct",
    "textwrap",
    "threading",
    "traceback",
    "typing",
    "urllib.parse",
)

#: Modules of the server's own in a sync worker, master's part included. One that only some servers need is
#: imported by these; what all need raises the number.
MOST_OWN = 148

#: What brings each of the server's own modules that only some configurations need.
ON_DEMAND = {
    "indrik.engine.sticky": 'sticky = "query:who"',
    "indrik.engine.waiting_room": 'routes = {"/slow": {"concurrency": 1}}',
    "indrik.gateway.file_answer": 'x_sendfile_roots = ["/srv"]',
    "indrik.gateway.file_root": 'x_sendfile_roots = ["/srv"]',
    "indrik.gateway.forwarding": "proxy_headers = True",
    "indrik.gateway.route_limits": 'routes = {"/slow": {"concurrency": 1}}',
    "indrik.gateway.x_sendfile": 'x_sendfile_roots = ["/srv"]',
    "indrik.log.access_format": 'accesslog = "-"',
    "indrik.log.access_writer": 'accesslog = "-"',
    "indrik.log.atoms": 'accesslog = "-"',
    "indrik.log.json_lines": 'accesslog = "-"; access_log_format = "json"',
    "indrik.protocol.conditions": 'x_sendfile_roots = ["/srv"]',
    "indrik.protocol.forwarded": "proxy_headers = True",
    "indrik.protocol.proxy_header": 'proxy_protocol = "v1"',
    "indrik.protocol.ranges": 'x_sendfile_roots = ["/srv"]',
}

#: Says what the master has imported before it forks a worker.
TELLING = """\
import sys
def pre_fork(server, worker):
    server.log.info("imported: %s;", " ".join(sys.modules))
"""

#: Answers with what the process alone holds, in kB, before the collector has looked at everything and after.
COLLECTING = """\
import gc

def private():
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_Dirty:"))

def application(environ, start_response):
    before = private()
    gc.collect()
    text = f"{before} {private()}".encode()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]
"""

#: What a collection may cost, in kB: it writes to what the worker alone holds, and brings some code in.
#: Without care it is a third of what the worker shares with its master, which is some 8 MB.
MOST_FOR_A_COLLECTION = 1000


def modules_without_the_server(compiled: bool) -> set[str]:
    """What such an interpreter has imported without the server."""
    names = [*NEEDED, "setproctitle"]
    if not compiled:
        # Its stand-in, and what stops a thread where no C code can.
        names += ["cython", "ctypes"]
    program = "import sys, importlib, contextlib\nfor name in sys.argv[1:]:\n"
    program += "    with contextlib.suppress(ImportError):\n        importlib.import_module(name)\n"
    program += "print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program, *names], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("arguments", [(), ("-k", "gthread", "--threads", "4")], ids=["sync", "gthread"])
def test_it_has_imported_no_more_than_it_needs(
    serve: ServerFactory, folder: Path, arguments: tuple[str, ...]
) -> None:
    (folder / "app.py").write_text(APP)
    found = set(serve(*arguments).wait_ready().get().split())
    before = modules_without_the_server(installed()[0] == "compiled")
    assert sorted((found & UNWANTED) - before) == []
    own = {name for name in found if name.partition(".")[0] == "indrik"}
    assert len(own) <= MOST_OWN, sorted(own)
    assert sorted(own & ON_DEMAND.keys()) == []


@pytest.mark.parametrize("line", sorted(set(ON_DEMAND.values())))
def test_what_a_setting_needs_is_imported_before_the_fork(
    serve: ServerFactory, folder: Path, line: str
) -> None:
    (folder / "app.py").write_text(APP)
    (folder / "telling.py").write_text(f"{TELLING}{line}\n")
    server = serve("--config", "telling.py")
    found = server.wait_for_log(r"imported: ([^;]*);")[1].split()
    server.wait_ready()
    assert {name for name, setting in ON_DEMAND.items() if setting == line} <= set(found)


def test_the_master_of_gevent_workers_has_openssl_and_nothing_that_is_patched(
    serve: ServerFactory, folder: Path
) -> None:
    pytest.importorskip("_ssl")
    (folder / "app.py").write_text(APP)
    (folder / "telling.py").write_text(TELLING)
    found = serve("-k", "gevent", "--config", "telling.py").wait_for_log(r"imported: ([^;]*);")[1].split()
    assert "_ssl" in found
    unwanted = {"concurrent.futures", "gevent", "greenlet", "queue", "ssl", "subprocess"}
    assert sorted(unwanted & set(found)) == []


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="there is no smaps_rollup here")
@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["each", "preloaded"])
def test_the_collector_leaves_shared_what_the_master_has_made(
    serve: ServerFactory, folder: Path, preload: tuple[str, ...]
) -> None:
    (folder / "app.py").write_text(COLLECTING)
    before, after = map(int, serve(*preload).wait_ready().get().split())
    assert after - before < MOST_FOR_A_COLLECTION


def test_the_list_is_of_this_language() -> None:
    """A name that is written wrong would never be found."""
    known = set(sys.stdlib_module_names) | {"gevent"}
    assert {name.partition(".")[0] for name in UNWANTED} <= known
