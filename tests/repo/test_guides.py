"""The operator's guides hold together: indrik, systemd and YAML take the files in them; times and names fit.
What the files do is tested in tests/process.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from indrik.config.rows import BY_NAME
from tests.process.guides import (
    FOLDER,
    PAGES,
    block,
    configurations,
    dockerfile,
    named_blocks,
    settings,
)
from tests.process.server import APP

WSGI = "shop.wsgi:application"
#: Blocks that are tested, here or in tests/process, by the end of their name. nginx's have their own module.
TESTED = (".conf.py", ".service", ".socket", ".yaml", "Dockerfile", "uwsgi.ini", "deaths.log")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder that stands for /srv/shop: it has the applications that the guides name."""
    (tmp_path / "app.py").write_text(APP + "app = application\n")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "wsgi.py").write_text(APP)
    (tmp_path / "static").mkdir()
    return tmp_path


def check(folder: Path, *arguments: str, **environment: str) -> None:
    """`indrik --check-config` finds nothing to say."""
    done = subprocess.run(
        [sys.executable, "-m", "indrik", "--check-config", *arguments],
        cwd=folder, env={**os.environ, **environment}, timeout=60, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


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


@pytest.mark.parametrize(("page", "name"), configurations())
def test_indrik_takes_it(shop: Path, page: str, name: str) -> None:
    (shop / name).write_text(block(page, name).replace("/srv/shop", str(shop)))
    check(shop, "--config", name, WSGI)


@pytest.mark.parametrize("page", PAGES)
def test_settings_exist(page: str) -> None:
    """What stands alone in code and looks like a setting is one, or is known to be something else."""
    others = {
        "cache2", "proxy_buffering", "proxy_pass", "proxy_read_timeout",
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


# --- docker.md


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


def test_every_row_of_hops_is_accepted(shop: Path) -> None:
    page = (FOLDER / "behind-a-load-balancer.md").read_text(encoding="utf-8")
    rows = re.findall(r"\| `(\{[^`]*\})` \|$", page, re.MULTILINE)
    assert len(rows) == 3
    for row in rows:
        (shop / "conf.py").write_text(f"forwarded = {row}\n")
        check(shop, "--config", "conf.py", WSGI)


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
