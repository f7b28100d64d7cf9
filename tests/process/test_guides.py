"""The configurations in the operator's guides are what they say, tried on the real server and the real tools.
What stands in the page on nginx is in test_guide_nginx.py.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import runpy
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from indrik.config.rows import BY_NAME
from tests.process.conftest import ServerFactory
from tests.process.guides import FOLDER, PAGES, adapted, block, free_port, named_blocks
from tests.process.server import DEADLINE, Server, children, get_on, is_alive, read_answer, wait_for

WSGI = "shop.wsgi:application"
#: Blocks that this module tests, by the end of their name; those of nginx's page are tested elsewhere.
TESTED = (".conf.py", ".service", ".socket", ".yaml", "Dockerfile", "uwsgi.ini", "deaths.log")


@pytest.fixture
def shop(folder: Path) -> Path:
    """A folder that stands for /srv/shop: it has the applications that the guides name."""
    (folder / "shop").mkdir()
    shutil.copy(folder / "app.py", folder / "shop" / "wsgi.py")
    with open(folder / "app.py", "a") as file:
        file.write("app = application\n")
    (folder / "static").mkdir()
    return folder


def check(folder: Path, *arguments: str, **environment: str) -> None:
    """`indrik --check-config` finds nothing to say."""
    done = subprocess.run(
        [sys.executable, "-m", "indrik", "--check-config", *arguments],
        cwd=folder, env={**os.environ, **environment}, timeout=60, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def settings(text: str) -> dict[str, Any]:
    """What a configuration file sets."""
    names: dict[str, Any] = {}
    exec(text, names)
    return {name: value for name, value in names.items() if name in BY_NAME}


def configurations() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for name in named_blocks(page):
            if name.endswith(".conf.py"):
                yield page, name


# --- every page


@pytest.mark.parametrize("page", PAGES)
def test_no_named_block_is_left_out(page: str) -> None:
    text = (FOLDER / page).read_text(encoding="utf-8")
    assert text.count("<!--") == len(named_blocks(page))
    left = [name for name in named_blocks(page) if not name.endswith(TESTED)]
    assert all(name.startswith("nginx-") and page == "behind-nginx.md" for name in left)


@pytest.mark.parametrize("page", PAGES)
def test_python_is_python(page: str) -> None:
    text = (FOLDER / page).read_text(encoding="utf-8")
    for body in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        compile(body, page, "exec")


@pytest.mark.parametrize("page", PAGES)
def test_configurations_have_names(page: str) -> None:
    """So that they are tested: a block in a language of configuration is a whole file."""
    text = (FOLDER / page).read_text(encoding="utf-8")
    found = re.findall(r"^(.*)\n```(ini|yaml|nginx|dockerfile)$", text, re.MULTILINE)
    assert [line for line, _ in found if not line.startswith("<!-- file: ")] == []


@pytest.mark.parametrize(("page", "name"), list(configurations()))
def test_indrik_takes_it(shop: Path, page: str, name: str) -> None:
    (shop / name).write_text(block(page, name).replace("/srv/shop", str(shop)))
    check(shop, "--config", name, WSGI)


@pytest.mark.parametrize("page", PAGES)
def test_settings_exist(page: str) -> None:
    """What stands alone in code and looks like a setting is one, or is known to be something else."""
    others = {
        "cache2", "fail_timeout", "proxy_buffering", "proxy_pass", "proxy_read_timeout",
        "proxy_http_version", "set_real_ip_from", "stop_grace_period", "uwsgi_pass",
    }  # fmt: skip
    text = (FOLDER / page).read_text(encoding="utf-8")
    words = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)(?: = [^`]*)?`", text))
    assert words - set(BY_NAME) - others == set()


# --- systemd.md


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze: package systemd")
@pytest.mark.parametrize("is_activated", [False, True])
def test_units(shop: Path, is_activated: bool) -> None:
    changes = {"/srv/shop/venv/bin/indrik": sys.executable, "/srv/shop": str(shop)}
    if is_activated:
        # As the page says it in words.
        text = (FOLDER / "systemd.md").read_text(encoding="utf-8")
        assert "`Requires=shop.socket` and `After=shop.socket`" in text
        changes["[Service]"] = "Requires=shop.socket\nAfter=shop.socket\n\n[Service]"
    (shop / "shop.service").write_text(block("systemd.md", "shop.service", changes))
    (shop / "shop.socket").write_text(block("systemd.md", "shop.socket"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "./shop.service", "./shop.socket"],
        cwd=shop, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    about_ours = [line for line in done.stderr.splitlines() if "shop" in line]
    assert (done.returncode, about_ours) == (0, [])


def unit() -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(block("systemd.md", "shop.service"))
    return dict(parser["Service"])


def test_the_unit_gives_time_enough(shop: Path) -> None:
    service, conf = unit(), settings(block("systemd.md", "indrik.conf.py"))
    assert int(service["TimeoutStartSec"]) > BY_NAME["boot_timeout"].default
    delay = conf.get("stop_delay", BY_NAME["stop_delay"].default)
    assert int(service["TimeoutStopSec"]) > conf["graceful_timeout"] + delay
    assert int(service["LimitNOFILE"]) > 2 * BY_NAME["worker_connections"].default
    (shop / "indrik.conf.py").write_text(block("systemd.md", "indrik.conf.py"))
    words = shlex.split(service["ExecStart"].replace("/srv/shop", str(shop)))
    check(shop, *words[1:])


@pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None, reason="no systemd-socket-activate: package systemd"
)
def test_socket_activation_by_hand(serve: ServerFactory, shop: Path) -> None:
    port = free_port()
    page = (FOLDER / "systemd.md").read_text(encoding="utf-8")
    [line] = re.findall(r"^systemd-socket-activate .*$", page, re.MULTILINE)
    line = adapted(line, {"127.0.0.1:8000": f"127.0.0.1:{port}", f"indrik {WSGI}": ""})
    # It passes on nothing of the environment that is not named.
    for name in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
        if name in os.environ:
            line += f" -E {name}={shlex.quote(os.environ[name])}"
    words = [*shlex.split(line), sys.executable, "-m", "indrik"]
    server = serve("--bind", "127.0.0.1:1", command=words, bind="", app=WSGI)
    server.wait_for_log("Listening on")
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as sock:
        assert get_on(sock).split()[1] == "1"
    assert server.address == ("127.0.0.1", port)


def test_clients_wait_during_a_restart_of_an_activated_server(serve: ServerFactory, folder: Path) -> None:
    starter = folder / "starter.py"
    starter.write_text(
        "import os, sys\n"
        "os.dup2(int(sys.argv[1]), 3)\n"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = (sys.executable, str(starter), str(listener.fileno()), "-m", "indrik")
        server = serve(bind="", command=command, pass_fds=[listener.fileno()]).wait_ready()
        assert server.stop() == 0
        with socket.create_connection(listener.getsockname(), DEADLINE) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            serve(bind="", command=command, pass_fds=[listener.fileno()])
            assert read_answer(sock)


def test_deaths_are_told_as_the_page_has_them(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(
        "import ctypes, os, time\n"
        "def application(environ, start_response):\n"
        "    deaths = {'/segv': lambda: ctypes.string_at(0), '/exit': lambda: os._exit(7),\n"
        "              '/kill': lambda: os.kill(os.getpid(), 9), '/hang': lambda: time.sleep(60)}\n"
        "    deaths[environ['PATH_INFO']]()\n"
    )
    server = serve("--timeout", "2").wait_ready()
    lines = block("systemd.md", "deaths.log").splitlines()
    for number, line in enumerate(lines, 1):
        path = re.search(r"GET (/\w+)", line)
        assert path is not None
        with server.connect() as sock:
            sock.sendall(f"GET {path[1]} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            server.wait_for_log(re.sub(r"\\?\d+(\\\.\d+)?", r"\\d+(\\.\\d+)?", re.escape(line)))
        server.wait_ready(number + 1)
    assert len(lines) == 4


# --- docker.md


def dockerfile() -> dict[str, list[str]]:
    """Instruction -> what follows it, one entry for each time; continued lines are joined."""
    text = block("docker.md", "Dockerfile").replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        if name:
            found.setdefault(name, []).append(rest)
    return found


def test_the_container_stops_in_dockers_time(shop: Path) -> None:
    conf = settings(block("docker.md", "indrik.conf.py"))
    assert conf["graceful_timeout"] + conf.get("stop_delay", 0) < 10
    (shop / "indrik.conf.py").write_text(block("docker.md", "indrik.conf.py"))
    [command] = dockerfile()["CMD"]
    check(shop, *json.loads(command)[1:])
    service = yaml.safe_load(block("docker.md", "compose.yaml"))["services"]["shop"]
    extra = service["environment"]["INDRIK_CMD_ARGS"]
    check(shop, *json.loads(command)[1:], INDRIK_CMD_ARGS=extra)
    given = dict(zip(extra.split()[::2], map(int, extra.split()[1::2]), strict=True))
    granted = int(service["stop_grace_period"].removesuffix("s"))
    assert given["--graceful-timeout"] + given["--stop-delay"] < granted


def test_health_check(serve: ServerFactory) -> None:
    server = serve().wait_ready()
    assert isinstance(server.address, tuple)
    [line] = dockerfile()["HEALTHCHECK"]
    _, _, command = line.partition("CMD ")
    words = json.loads(adapted(command, {"127.0.0.1:8000": f"127.0.0.1:{server.address[1]}"}))

    def status() -> int:
        return subprocess.run(
            [sys.executable, *words[1:]], capture_output=True, timeout=60, check=False
        ).returncode

    assert words[0] == "python"
    assert status() == 0
    server.stop()
    assert status() == 1


def can_unshare() -> bool:
    command = ["unshare", "--pid", "--fork", "--mount-proc", "true"]
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="unshare --pid needs root and CAP_SYS_ADMIN")
def test_as_process_1(serve: ServerFactory, folder: Path) -> None:
    """It gets TERM, reaps what is not its own child, and ends with 0."""
    (folder / "app.py").write_text(
        "import subprocess\n"
        "def application(environ, start_response):\n"
        "    # The shell ends before the program that it has started.\n"
        "    made = subprocess.run(['sh', '-c', 'sleep 1 & echo $!'], stdout=subprocess.PIPE)\n"
        "    start_response('200 OK', [])\n"
        "    return [made.stdout]\n"
    )
    command = ("unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-m", "indrik")
    server = serve("--graceful-timeout", "8", command=command).wait_ready()
    server.wait_for_log(r"Listening at: \S+ \(1\)")
    [master] = children(server.pid)
    inside = server.get().strip()
    wait_for(lambda: not exists_inside(master, inside), "the reaping of the program that was left behind")
    os.kill(master, signal.SIGTERM)
    assert server.wait_exit() == 0
    assert not is_alive(master)


def exists_inside(master: int, number: str) -> bool:
    """Whether a process, dead ones that nobody has reaped included, has this number in the name space of
    `master`.
    """
    space = os.readlink(f"/proc/{master}/ns/pid")
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            found = re.search(r"^NSpid:\s.*\s(\d+)$", (entry / "status").read_text(), re.MULTILINE)
            if found is not None and found[1] == number and os.readlink(entry / "ns" / "pid") == space:
                return True
        except (FileNotFoundError, ProcessLookupError):
            continue
    return False


# --- kubernetes.md


def manifests() -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings in the ConfigMap, and the specification of the pod."""
    config, deployment = yaml.safe_load_all(block("kubernetes.md", "shop.yaml"))
    return config["data"], deployment["spec"]["template"]["spec"]


def test_the_pod(shop: Path) -> None:
    data, pod = manifests()
    [name] = data
    (shop / name).write_text(data[name])
    conf = settings(data[name])
    [container] = pod["containers"]
    words = [word.replace("/etc/shop/", f"{shop}/") for word in container["args"]]
    assert words[0] == "indrik"
    check(shop, *words[1:])
    assert pod["terminationGracePeriodSeconds"] > conf["stop_delay"] + conf["graceful_timeout"]
    liveness = container["livenessProbe"]
    assert liveness["periodSeconds"] * liveness["failureThreshold"] > BY_NAME["timeout"].default
    assert int(conf["bind"].rpartition(":")[2]) == container["ports"][0]["containerPort"]
    assert conf["keepalive"] > 60
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


# --- behind-a-load-balancer.md


def told(server: Server, *fields: str, before: bytes = b"") -> tuple[str, str]:
    """Address and scheme, as the application is told them."""
    with server.connect() as sock:
        lines = ["GET / HTTP/1.1", "Host: a", "Connection: close", *fields, "", ""]
        sock.sendall(before + "\r\n".join(lines).encode())
        address, scheme = read_answer(sock).split(" ")
        return address, scheme


@pytest.fixture
def balanced(serve: ServerFactory, folder: Path) -> Any:
    """Starts a server with one of the page's files, whose balancers are then the loopback."""
    (folder / "app.py").write_text(
        "def application(environ, start_response):\n"
        "    text = f\"{environ['REMOTE_ADDR']} {environ['wsgi.url_scheme']}\"\n"
        "    start_response('200 OK', [('Content-Length', str(len(text)))])\n"
        "    return [text.encode()]\n"
    )

    def start(name: str) -> Server:
        changes = {"10.0.0.0/16": "127.0.0.0/8", "0.0.0.0:8000": "127.0.0.1:0"}
        (folder / "conf.py").write_text(block("behind-a-load-balancer.md", name, changes))
        return serve("--config", "conf.py", bind="").wait_ready()

    return start


def test_a_balancer(balanced: Any) -> None:
    server = balanced("http.conf.py")
    proto = "X-Forwarded-Proto: https"
    assert told(server, "X-Forwarded-For: 192.0.2.1", proto) == ("192.0.2.1", "https")
    assert told(server, "X-Forwarded-For: 203.0.113.9, 192.0.2.1", proto) == ("192.0.2.1", "https")
    assert told(server) == ("127.0.0.1", "http")


def test_two_proxies(balanced: Any) -> None:
    server = balanced("two-proxies.conf.py")
    fields = ("X-Forwarded-For: 203.0.113.9, 192.0.2.1, 198.51.100.7", "X-Forwarded-Proto: https")
    assert told(server, *fields) == ("192.0.2.1", "https")


def test_every_row_of_hops_is_accepted(shop: Path) -> None:
    page = (FOLDER / "behind-a-load-balancer.md").read_text(encoding="utf-8")
    rows = re.findall(r"\| `(\{[^`]*\})` \|$", page, re.MULTILINE)
    assert len(rows) == 3
    for row in rows:
        (shop / "conf.py").write_text(f"forwarded = {row}\n")
        check(shop, "--config", "conf.py", WSGI)


def header(command: int, addresses: bytes = b"") -> bytes:
    """A PROXY header of version 2; command 0 is LOCAL, 1 is PROXY."""
    family = 0x11 if addresses else 0
    start = struct.pack("!BBH", 0x20 | command, family, len(addresses))
    return b"\r\n\r\n\0\r\nQUIT\n" + start + addresses


def test_a_balancer_of_tcp(balanced: Any) -> None:
    server = balanced("tcp.conf.py")
    client = struct.pack("!4B4BHH", 192, 0, 2, 1, 198, 51, 100, 2, 40000, 443)
    # The client's own word on the scheme is not believed.
    assert told(server, "X-Forwarded-Proto: https", before=header(1, client)) == ("192.0.2.1", "http")
    assert told(server, before=header(0)) == ("127.0.0.1", "http")
    with server.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_keepalive_is_longer_than_each_balancers() -> None:
    page = (FOLDER / "behind-a-load-balancer.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| (\d+) s, [^|]+ \| (\d+) \|$", page, re.MULTILINE)
    assert len(rows) == 4
    assert all(int(ours) > int(theirs) for theirs, ours in rows)
    conf = settings(block("behind-a-load-balancer.md", "http.conf.py"))
    assert conf["keepalive"] > 60 > conf["request_timeout"]
    assert conf["timeout"] > conf["request_timeout"]


# --- moving-from-uwsgi.md


def test_the_two_files_say_the_same() -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(block("moving-from-uwsgi.md", "uwsgi.ini"))
    old, new = parser["uwsgi"], settings(block("moving-from-uwsgi.md", "indrik.conf.py"))
    same = {
        "http-socket": "bind", "chdir": "chdir", "module": "wsgi_app", "processes": "workers",
        "threads": "threads", "harakiri": "request_timeout", "max-requests": "max_requests",
        "reload-on-rss": "max_worker_memory", "max-worker-lifetime": "max_worker_lifetime",
        "buffer-size": "limit_request_line", "limit-post": "limit_request_body", "listen": "backlog",
    }  # fmt: skip
    assert {name: old[name] for name in same} == {name: str(new[ours]) for name, ours in same.items()}
    [(prefix, directory)] = new["static"].items()
    assert old["static-map"] == f"{prefix}={directory}"


def test_the_table_names_settings() -> None:
    page = (FOLDER / "moving-from-uwsgi.md").read_text(encoding="utf-8")
    table = page.partition("## Option by option")[2].partition("\n## ")[0]
    cells = [line.split("|")[2] for line in table.splitlines() if line.startswith("| `")]
    names = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    assert len(cells) > 40
    assert names - set(BY_NAME) == set()


# --- moving-from-gunicorn.md


def test_the_shared_file_has_nothing_that_gunicorn_refuses(tmp_path: Path) -> None:
    path = tmp_path / "gunicorn.conf.py"
    path.write_text(block("moving-from-gunicorn.md", "gunicorn.conf.py"))
    own = {name for name in runpy.run_path(str(path)) if name in BY_NAME and BY_NAME[name].own}
    assert own == {"request_timeout", "stop_delay"}
    assert settings(path.read_text())["workers"] != "auto"
