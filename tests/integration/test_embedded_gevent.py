"""`indrik.gevent.WSGIServer` in a program of one's own, patched and not."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """\
import sys
if sys.argv[1] == "patched":
    from gevent import monkey
    monkey.patch_all()
import gevent, gevent.event, gevent.socket
from indrik.gevent import WSGIServer

is_inside = gevent.event.Event()

def application(environ, start_response):
    if environ["PATH_INFO"] == "/sleep":
        is_inside.set()
        gevent.sleep(0.3)
    if environ["PATH_INFO"] == "/fail":
        raise ValueError("broken")
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]

def get(path):
    with gevent.socket.create_connection(("127.0.0.1", server.server_port)) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n".encode())
        received = b""
        while data := sock.recv(1000):
            received += data
    return received[:12].decode(), received[-5:]

server = WSGIServer(("127.0.0.1", 0), application, settings={"worker_greenlets": 5})
server.start()
assert server.started
print(get("/"))
jobs = [gevent.spawn(get, "/sleep") for _ in range(12)]
print({job.get() for job in jobs})
print(get("/fail")[0])
is_inside.clear()
job = gevent.spawn(get, "/sleep")
assert is_inside.wait(30)
server.stop()
print(job.get(), server.started)
try:
    get("/")
except ConnectionRefusedError:
    print("refused")
forever = WSGIServer(("127.0.0.1", 0), application)
gevent.spawn_later(0.2, forever.stop, 1)
forever.serve_forever()
print("over")
"""


@pytest.mark.parametrize("how", ["patched", "plain"])
def test_a_program_serves_in_its_own_hub(how: str) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, how], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    good = ("HTTP/1.1 200", b"hello")
    assert run.stdout.splitlines() == [
        str(good),
        str({good}),
        "HTTP/1.1 500",
        f"{good} False",
        "refused",
        "over",
    ]
    # What the application raises goes to the hub's handler of errors, and nothing else is there to be said.
    assert run.stderr.count("Traceback") == 1
    assert "ValueError: broken" in run.stderr


LIMITED = """\
import sys
if sys.argv[1] == "patched":
    from gevent import monkey
    monkey.patch_all()
import gevent, gevent.socket
from indrik.errors import ConfigError
from indrik.gevent import WSGIServer

inside = most = 0

def application(environ, start_response):
    global inside, most
    inside += 1
    most = max(most, inside)
    gevent.sleep(0.05)
    inside -= 1
    start_response("200 OK", [("Content-Length", "0")])
    return []

def get(path):
    with gevent.socket.create_connection(("127.0.0.1", server.server_port)) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n".encode())
        received = b""
        while data := sock.recv(1000):
            received += data
    return received[9:12].decode()

routes = {"/slow/<name>": {"concurrency": 2}, "/rare": {"rate": "3/hour"}}
server = WSGIServer(("127.0.0.1", 0), application, settings={"routes": routes})
server.start()
jobs = [gevent.spawn(get, f"/slow/{number}") for number in range(10)]
print({job.get() for job in jobs}, most)
print(sorted(get("/rare") for _ in range(5)))
server.stop()
try:
    WSGIServer(("127.0.0.1", 0), application, settings={"routes": {"endpoint": {"concurrency": 1}}}).start()
except ConfigError:
    print("refused")
"""


@pytest.mark.parametrize("how", ["patched", "plain"])
def test_limits_of_routes(how: str) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIMITED, how], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["{'200'} 2", "['200', '200', '200', '429', '429']", "refused"]
