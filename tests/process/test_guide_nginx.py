"""docs/how-to/behind-nginx.md as it stands there, with a real nginx; only ports and paths are others."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.process.conftest import ServerFactory
from tests.process.guide_app import PIECES, piece
from tests.process.guides import Nginx, block, free_port
from tests.process.server import DEADLINE, Server

PAGE = "behind-nginx.md"
CLIENT = "127.0.0.2"
NginxFactory = Callable[..., Nginx]
Shop = Callable[..., Server]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cert.pem and key.pem."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=shop.example", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    return folder


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[NginxFactory]:
    started: list[Nginx] = []

    def start(http: str, port: int, stream: str = "") -> Nginx:
        started.append(Nginx(tmp_path / "nginx", http, port, stream))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def shop(serve: ServerFactory, folder: Path) -> Shop:
    """Starts the server with one of the page's configurations."""

    def start(app: str, configuration: str, *arguments: str) -> Server:
        shutil.copy(Path(__file__).with_name("guide_app.py"), folder)
        text = block(PAGE, configuration, {"/run/shop/": f"{folder}/"})
        (folder / "conf.py").write_text(text)
        return serve("--config", "conf.py", *arguments, bind="", app=f"guide_app:{app}").wait_ready()

    return start


@pytest.fixture
def https(nginx: NginxFactory, folder: Path, certificate: Path) -> Callable[[], Nginx]:
    def start() -> Nginx:
        port = free_port()
        changes = {
            "/run/shop/": f"{folder}/",
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/ssl/shop/": f"{certificate}/",
            "/srv/shop/protected/": f"{folder}/protected/",
        }
        return nginx(block(PAGE, "nginx-http.conf", changes), port)

    return start


def trusting() -> ssl.SSLContext:
    """TLS with whoever answers: the certificate is the test's own."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def client(port: int) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection(
        "127.0.0.1", port, timeout=DEADLINE, context=trusting(), source_address=(CLIENT, 0)
    )


def ask(connection: http.client.HTTPConnection, path: str = "/", **headers: str) -> bytes:
    connection.request("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})
    response = connection.getresponse()
    body = response.read()
    assert response.status == 200, (response.status, body)
    return body


def told(connection: http.client.HTTPConnection, **headers: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask(connection, **headers))
    return found


def test_the_client_is_seen_and_not_nginx(shop: Shop, https: Callable[[], Nginx], folder: Path) -> None:
    shop("application", "indrik.conf.py")
    assert (folder / "http.sock").stat().st_mode & 0o777 == 0o770
    connection = client(https().port)
    environ = told(connection, Host="shop.example:8443")
    assert (environ["wsgi.url_scheme"], environ["REMOTE_ADDR"]) == ("https", CLIENT)
    assert environ["HTTP_HOST"] == "shop.example:8443"
    assert "HTTP_CONNECTION" not in environ or environ["HTTP_CONNECTION"] != "close"
    # What the client writes itself changes nothing.
    lies = {
        "X_Forwarded_For": "203.0.113.1",
        "X_Forwarded_Proto": "http",
        "Forwarded": "for=203.0.113.1;proto=http",
    }
    environ = told(connection, **lies)
    assert (environ["wsgi.url_scheme"], environ["REMOTE_ADDR"]) == ("https", CLIENT)
    connection.close()


def test_bodies_both_ways(shop: Shop, https: Callable[[], Nginx]) -> None:
    shop("application", "indrik.conf.py")
    connection = client(https().port)
    assert ask(connection, "/big") == b"".join(map(piece, range(PIECES)))
    connection.request("POST", "/length", b"x" * 9_000_000)
    assert connection.getresponse().read() == b"9000000"
    connection.request("POST", "/length", b"x" * 11_000_000)
    assert connection.getresponse().status == 413
    connection.close()


def test_a_file_that_the_application_gives_away(shop: Shop, https: Callable[[], Nginx], folder: Path) -> None:
    (folder / "protected").mkdir()
    (folder / "protected" / "invoice").write_bytes(b"pay me")
    shop("application", "indrik.conf.py")
    connection = client(https().port)
    assert ask(connection, "/give/invoice") == b"pay me"
    connection.request("GET", "/protected/invoice")
    assert connection.getresponse().status == 404
    connection.close()


def test_websocket_and_event_stream(shop: Shop, https: Callable[[], Nginx]) -> None:
    # One worker, because one request releases the other.
    shop("asgi", "indrik.conf.py", "--workers", "1")
    port = https().port
    options: dict[str, Any] = {"open_timeout": DEADLINE, "proxy": None, "source_address": (CLIENT, 0)}
    with connect(f"wss://127.0.0.1:{port}/", ssl=trusting(), **options) as websocket:
        scheme, (host, _) = json.loads(websocket.recv(DEADLINE))
        assert (scheme, host) == ("wss", CLIENT)
        for message in ("text", b"octets" * 20_000):
            websocket.send(message)
            assert websocket.recv(DEADLINE) == message
    connection, other = client(port), client(port)
    connection.request("GET", "/events")
    stream = connection.getresponse()
    assert stream.readline() == b"data: 1\n"
    other.request("GET", "/")
    assert other.getresponse().read() == b"data: 2\n\n"
    assert stream.read() == b"\ndata: 2\n\n"
    connection.close()
    other.close()


def test_nginx_closes_idle_connections_first() -> None:
    for name in ("indrik.conf.py", "tcp.conf.py"):
        keepalive = re.search(r"^keepalive = (\d+)$", block(PAGE, name), re.MULTILINE)
        assert keepalive is not None
        # nginx's default for an upstream with `keepalive` is 60 s.
        assert int(keepalive[1]) > 60
    assert "keepalive_timeout" not in block(PAGE, "nginx-http.conf")


def test_proxy_protocol(shop: Shop, nginx: NginxFactory, folder: Path) -> None:
    shop("application", "proxied.conf.py")
    port = free_port()
    changes = {"listen 8080": f"listen 127.0.0.1:{port}", "/run/shop/": f"{folder}/"}
    nginx("", port, stream=block(PAGE, "nginx-stream.conf", changes))
    connection = http.client.HTTPConnection("127.0.0.1", port, DEADLINE, source_address=(CLIENT, 0))
    environ = told(connection, X_Forwarded_Proto="https")
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == (CLIENT, "http")
    connection.close()


def test_nginx_behind_a_balancer(shop: Shop, nginx: NginxFactory, folder: Path) -> None:
    shop("application", "indrik.conf.py")
    port = free_port()
    upstream = f"upstream shop {{ server unix:{folder}/http.sock; }}\n"
    server = block(PAGE, "nginx-behind-balancer.conf", {"listen 8081": f"listen 127.0.0.1:{port}"})
    nginx(upstream + server, port)
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as sock:
        sock.sendall(b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        response = http.client.HTTPResponse(sock)
        response.begin()
        environ = json.loads(response.read())
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("192.0.2.7", "https")
