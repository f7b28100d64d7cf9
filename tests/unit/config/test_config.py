from __future__ import annotations

import ipaddress
import os
from types import SimpleNamespace
from typing import Any

import pytest

from indrik.config import Config
from indrik.config.config import format_value
from indrik.config.resolved import no_hook
from indrik.errors import ConfigError
from indrik.log import Logger


class SampleWorker:
    """A worker class that counts how often it was set up."""

    set_up = 0

    @classmethod
    def setup(cls) -> None:
        cls.set_up += 1


class SampleLogger:
    installed = False

    @classmethod
    def install(cls) -> None:
        cls.installed = True


@pytest.fixture
def cfg() -> Config:
    return Config(prog="indrik")


def test_attributes_are_the_values(cfg: Config) -> None:
    assert cfg.workers == 1
    cfg.set("workers", "0x3")
    assert cfg.workers == 3
    assert cfg.settings["workers"].source == "set by the application"


def test_assignment_is_refused(cfg: Config) -> None:
    with pytest.raises(AttributeError, match=r"cfg.set\('workers', …\)"):
        cfg.workers = 3
    with pytest.raises(AttributeError):
        cfg.worker_class = "sync"  # type: ignore[misc]  # also where a property stands before the setting
    assert cfg.workers == 1


def test_other_attributes_can_be_assigned(cfg: Config) -> None:
    cfg.usage = "something"
    assert cfg.usage == "something"


def test_unknown_names(cfg: Config) -> None:
    with pytest.raises(AttributeError, match=r"there is no setting 'wokers' \(did you mean 'workers'\?\)"):
        _ = cfg.wokers
    with pytest.raises(AttributeError, match=r"there is no setting 'wokers' \(did you mean 'workers'\?\)"):
        cfg.set("wokers", 3)


def test_two_configs_share_nothing(cfg: Config) -> None:
    cfg.secure_scheme_headers["X-OTHER"] = "yes"
    assert "X-OTHER" not in Config().secure_scheme_headers


@pytest.mark.parametrize(
    ("variable", "text", "setting", "value"),
    [
        ("PORT", "8080", "bind", ["0.0.0.0:8080"]),
        ("PORT", "", "bind", ["127.0.0.1:8000"]),
        ("WEB_CONCURRENCY", "4", "workers", 4),
        ("FORWARDED_ALLOW_IPS", "10.0.0.0/8,*", "forwarded_allow_ips", ["10.0.0.0/8", "*"]),
        ("FORWARDED_ALLOW_IPS", "", "forwarded_allow_ips", []),
        ("SENDFILE", "yes", "sendfile", True),
        ("SENDFILE", "off", "sendfile", False),
    ],
)
def test_environment(
    variable: str, text: str, setting: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    assert getattr(Config(), setting) == value


def test_wrong_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "four")
    with pytest.raises(ConfigError, match=r"workers: 'four' \(environment variable WEB_CONCURRENCY\)"):
        Config()


def test_original_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE", "before")
    cfg = Config()
    os.environ["SAMPLE"] = "after"
    assert cfg.env_orig["SAMPLE"] == "before"


def test_address(cfg: Config) -> None:
    cfg.set("bind", ["127.0.0.1:80", "[::1]:81", "unix:/run/x", "fd://3", "localhost"])
    assert cfg.address == [("127.0.0.1", 80), ("::1", 81), "/run/x", 3, ("localhost", 8000)]


def test_validate_reads_the_addresses(cfg: Config) -> None:
    cfg.set("bind", "127.0.0.1:http")
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:http"):
        cfg.validate()


def test_validate_knows_the_worker_kinds(cfg: Config) -> None:
    cfg.validate()
    cfg.set("worker_class", "synk")
    with pytest.raises(ConfigError, match=r"'synk' is not known.*did you mean 'sync'"):
        cfg.validate()


def test_user_and_group(cfg: Config) -> None:
    assert (cfg.uid, cfg.gid) == (os.geteuid(), os.getegid())
    cfg.set("user", 12)
    cfg.set("group", "13")
    assert (cfg.uid, cfg.gid) == (12, 13)


def test_process_name(cfg: Config) -> None:
    assert cfg.proc_name == "indrik"
    cfg.set("default_proc_name", "shop:app")
    assert cfg.proc_name == "shop:app"
    cfg.set("proc_name", "shop")
    assert cfg.proc_name == "shop"


def test_raw_environment(cfg: Config) -> None:
    cfg.set("raw_env", ["A=1=2", "B="])
    assert cfg.env == {"A": "1=2", "B": ""}
    with pytest.raises(ConfigError, match="'C' must have the form KEY=VALUE"):
        cfg.set("raw_env", ["C"])


@pytest.mark.parametrize(("value", "on"), [(None, True), (True, True), (False, False)])
def test_sendfile(cfg: Config, value: bool | None, on: bool) -> None:
    cfg.set("sendfile", value)
    assert cfg.sendfile is on


def test_tls_is_off(cfg: Config) -> None:
    assert cfg.is_ssl is False
    assert cfg.ssl_options["cert_reqs"] == 0
    assert set(cfg.ssl_options) == {name for name, bound in cfg.settings.items() if bound.section == "SSL"}


def test_paste_global_conf(cfg: Config) -> None:
    assert cfg.paste_global_conf == {}
    cfg.settings["raw_paste_global_conf"].value = ["a=1", r"b\=c=2=3"]
    assert cfg.paste_global_conf == {"a": "1", "b=c": "2=3"}
    cfg.settings["raw_paste_global_conf"].value = [r"a\=1"]
    with pytest.raises(ConfigError, match="must have the form KEY=VALUE"):
        _ = cfg.paste_global_conf


def test_trusted_networks_follow_the_setting(cfg: Config) -> None:
    assert cfg.forwarded_allow_networks() == [ipaddress.ip_network("127.0.0.1"), ipaddress.ip_network("::1")]
    assert cfg.forwarded_allow_networks() is cfg.forwarded_allow_networks()
    cfg.set("forwarded_allow_ips", "*,10.0.0.0/8")
    assert cfg.forwarded_allow_networks() == [ipaddress.ip_network("10.0.0.0/8")]
    assert cfg.proxy_allow_networks() == [ipaddress.ip_network("127.0.0.1"), ipaddress.ip_network("::1")]


def test_worker_class_by_name(cfg: Config) -> None:
    assert cfg.worker_class_str == "sync"
    assert cfg.worker_class.__name__ == "SyncWorker"


def test_gunicorns_names_are_understood(cfg: Config) -> None:
    ours = cfg.worker_class
    cfg.set("worker_class", "gunicorn.workers.sync.SyncWorker")
    cfg.set("logger_class", "gunicorn.glogging.Logger")
    assert cfg.worker_class is ours
    assert cfg.logger_class is Logger
    with pytest.raises(ConfigError, match="not supported yet"):
        cfg.set("worker_class", "gunicorn.workers.gtornado.TornadoWorker")
    cfg.set("worker_class", "gunicorn.workers.ggevent.GeventWorker")
    assert cfg.worker_class.__name__ == "GeventWorker"
    cfg.set("worker_class", "gunicorn.workers.ggevent.GeventPyWSGIWorker")
    assert cfg.worker_class_str == "gevent_pywsgi"


@pytest.mark.parametrize(
    ("value", "parsed"), [(True, True), ("no", False), ("yes", True), ({"ssl": False}, {"ssl": False})]
)
def test_gevent_patch(cfg: Config, value: object, parsed: object) -> None:
    cfg.set("gevent_patch", value)
    assert cfg.gevent_patch == parsed


@pytest.mark.parametrize("value", ["perhaps", 1, {"sockets": True}, {"ssl": "no"}])
def test_gevent_patch_of_another_kind(cfg: Config, value: object) -> None:
    with pytest.raises(ConfigError, match="gevent_patch"):
        cfg.set("gevent_patch", value)


def test_worker_class_of_ones_own(cfg: Config) -> None:
    SampleWorker.set_up = 0
    cfg.set("worker_class", SampleWorker)
    assert cfg.worker_class_str == "SampleWorker"
    assert cfg.worker_class is SampleWorker
    cfg.validate()
    assert cfg.worker_class is SampleWorker
    assert SampleWorker.set_up == 1
    cfg.set("worker_class", "tests.unit.config.test_config.SampleWorker")
    assert cfg.worker_class_str == "tests.unit.config.test_config.SampleWorker"
    assert cfg.worker_class.__name__ == "SampleWorker"


def test_threads_turn_sync_into_gthread(cfg: Config) -> None:
    cfg.settings["threads"].value = 4  # the row may not allow it yet
    assert cfg.worker_class_str == "gthread"
    cfg.set("worker_class", SampleWorker)
    assert cfg.worker_class_str == "SampleWorker"


def test_logger_class(cfg: Config) -> None:
    assert cfg.logger_class is Logger
    cfg.set("logger_class", SampleLogger)
    chosen: Any = cfg.logger_class
    assert chosen is SampleLogger
    assert SampleLogger.installed


def test_check_classes(cfg: Config) -> None:
    cfg.set("loglevel", "WARNING")
    cfg.check_classes()
    cfg.set("loglevel", "warn")
    with pytest.raises(ConfigError, match=r"loglevel: 'warn' is not one of .*did you mean 'warning'"):
        cfg.check_classes()
    cfg.set("logger_class", SampleLogger)  # knows no levels, so judges none
    cfg.check_classes()


def test_deprecated_tls_version_only_warns(cfg: Config) -> None:
    cfg.set("ssl_version", 2, "a file")
    assert cfg.warnings == []
    cfg.set("ssl_version", "TLSv1_2", "a file")
    assert [text.partition(" ")[0] for text in cfg.warnings] == ["ssl_version:"]


def test_post_request_is_called_with_everything(cfg: Config) -> None:
    assert cfg.post_request is no_hook
    cfg.set("post_request", lambda worker, req: (worker, req))
    assert cfg.post_request(1, 2, 3, 4) == (1, 2)


def test_pre_request_logs_by_default(cfg: Config) -> None:
    lines: list[str] = []
    worker = SimpleNamespace(log=SimpleNamespace(debug=lambda text, *args: lines.append(text % args)))
    cfg.pre_request(worker, SimpleNamespace(method="GET", path="/x"))
    assert lines == ["GET /x"]
    assert cfg.settings["pre_request"].is_default


def test_ssl_context_uses_the_factory_by_default(cfg: Config) -> None:
    assert cfg.ssl_context(cfg, lambda: "made") == "made"


def test_shown_with_sources(cfg: Config) -> None:
    cfg.set("workers", 3, "command line")
    cfg.set("when_ready", lambda server: None)
    shown = {line.partition(" ")[0]: line for line in str(cfg).splitlines()}
    assert list(shown) == sorted(cfg.settings)
    assert shown["workers"].split() == ["workers", "=", "3", "#", "command", "line"]
    assert shown["backlog"].endswith("# default")
    assert "<lambda>()>" in shown["when_ready"]
    assert len({line.index(" = ") for line in shown.values()}) == 1


@pytest.mark.parametrize(
    ("platform", "address"),
    [
        ("linux", "udp://localhost:514"),
        ("darwin", "unix:///var/run/syslog"),
        ("freebsd14", "unix:///var/run/log"),
        ("openbsd7", "unix:///dev/log"),
    ],
)
def test_syslog_address_of_the_platform(platform: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", platform)
    assert Config().syslog_addr == address


@pytest.mark.parametrize(
    ("value", "text"),
    [(SampleWorker, f"{__name__}.SampleWorker"), (no_hook, "<no_hook()>"), (None, "None"), (["a"], "['a']")],
)
def test_format_value(value: Any, text: str) -> None:
    assert format_value(value) == text
