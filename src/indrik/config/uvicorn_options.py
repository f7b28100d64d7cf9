"""Every option of uvicorn, and what it is here: a setting, several, or nothing, with the reason.

The command line takes the names that a setting does not have already, `indrik.run` takes them as keywords,
and the page for those who move over is made from this table.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from indrik.config.kinds import RejectedValue
from indrik.errors import ConfigError

#: The defaults of uvicorn's --host and --port.
HOST = "127.0.0.1"
PORT = 8000

Settings = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Option:
    """One option of uvicorn.

    flags: as typed; the first stands for on or for the value, a second for off. name: as a keyword of
    `uvicorn.run`. settings: what it sets here; empty if it is refused. note: how the two differ, or why it is
    refused. has_own_row: the flag is that of a setting, with the same meaning. make: from the value to
    settings, for what is not simply the value of `settings[0]`; raises `RejectedValue`. metavar: None for a
    flag without a value.
    """

    flags: tuple[str, ...]
    name: str
    settings: tuple[str, ...] = ()
    note: str = ""
    has_own_row: bool = False
    make: Callable[[Any], Settings] | None = None
    metavar: str | None = None
    number: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether giving it stops the start."""
        return not self.settings and self.make is None and not self.has_own_row


def _same(flag: str, name: str, setting: str, note: str = "") -> Option:
    return Option((flag,), name, (setting,), note, has_own_row=True)


def _alias(flag: str, name: str, setting: str, note: str = "", metavar: str = "VALUE") -> Option:
    return Option((flag,), name, (setting,), note, metavar=metavar)


def _refused(flags: str, name: str, note: str) -> Option:
    return Option(tuple(flags.split("/")), name, (), note)


def _place(flag: str, metavar: str, note: str = "", number: bool = False) -> Option:
    return Option((flag,), flag[2:], ("bind",), note, make=_unused, metavar=metavar, number=number)


def _unused(value: Any) -> Settings:
    raise AssertionError("places are put together by bind_of")


def _only(word: str, reason: str) -> Callable[[Any], Settings]:
    """For an option of which one value asks for what is the case here."""

    def make(value: Any) -> Settings:
        if value != word:
            raise RejectedValue(f"only {word!r} is possible: {reason}")
        return {}

    return make


def _asserts(wanted: bool, reason: str) -> Callable[[Any], Settings]:
    """For a pair of flags of which one asks for what is the case here."""

    def make(value: Any) -> Settings:
        if bool(value) is not wanted:
            raise RejectedValue(reason)
        return {}

    return make


def _server_header(value: Any) -> Settings:
    return {"server_header": bool(value)}


def _access_log(value: Any) -> Settings:
    return {"accesslog": "-" if value else None}


def _proxy_headers(value: Any) -> Settings:
    # Without it no field may tell the scheme either, which Gunicorn's defaults allow.
    return {"proxy_headers": True} if value else {"proxy_headers": False, "secure_scheme_headers": {}}


def _log_config(value: Any) -> Settings:
    if isinstance(value, Mapping):
        return {"logconfig_dict": value}
    return {"logconfig_json" if str(value).endswith(".json") else "logconfig": value}


def _reload_dirs(value: Any) -> Settings:
    folders = [value] if isinstance(value, str) else list(value)
    for folder in folders:
        if not os.path.isdir(folder):
            raise RejectedValue(f"there is no directory {folder!r}")
    patterns = [os.path.join(glob.escape(os.path.abspath(folder)), "**", "*.py") for folder in folders]
    return {"reload_extra_files": patterns}


def _interface(value: Any) -> Settings:
    if value == "asgi3":
        return {"worker_class": "asgi"}
    if value == "wsgi":
        raise RejectedValue("a WSGI application is served by the kinds sync and gthread: give -k gthread")
    return _only("auto", "ASGI 2 is not supported, asgi3 is -k asgi")(value)


_ONE_PARSER = "indrik has one HTTP implementation of its own"
_ONE_WEBSOCKET = "indrik has one WebSocket implementation of its own, and it cannot be left out"
_IN_PROXY = "let the application or the proxy do it"

OPTIONS: tuple[Option, ...] = (
    _place("--host", "HOST", "A name with several addresses is bound to one of them, IPv4 if it can be."),
    _place("--port", "PORT", "Without `--host`, on 127.0.0.1.", number=True),
    _place("--uds", "PATH", "The same as `--bind unix:PATH`; its mode follows `umask`."),
    _place("--fd", "NUMBER", "The same as `--bind fd://NUMBER`.", number=True),
    _same("--reload", "reload", "reload", "Goes together with several workers."),
    Option(
        ("--reload-dir",),
        "reload_dirs",
        ("reload_extra_files",),
        "The `.py` files below it are watched, and as always every file that a loaded module came from.",
        make=_reload_dirs,
        metavar="DIR",
    ),
    _refused(
        "--reload-include",
        "reload_includes",
        "files beside the loaded modules are named by `--reload-extra-file`, patterns too",
    ),
    _refused(
        "--reload-exclude",
        "reload_excludes",
        "only files of loaded modules and those in `--reload-extra-file` are watched, so none need be left "
        "out",
    ),
    _refused(
        "--reload-delay",
        "reload_delay",
        "changes are seen at once with the package watchfiles (`--reload-engine inotify`), five times "
        "a second without",
    ),
    _same("--workers", "workers", "workers", "`WEB_CONCURRENCY` counts as well."),
    _alias(
        "--loop", "loop", "asgi_loop", "`auto`, `asyncio` and `uvloop`; a loop of your own: `serve`.", "NAME"
    ),
    Option(
        ("--http",),
        "http",
        (),
        f"Only `auto`: {_ONE_PARSER}.",
        make=_only("auto", _ONE_PARSER),
        metavar="NAME",
    ),
    _refused("--http2", "http2", "HTTP/2 has its own settings: `http_protocols` and `http2_cleartext`"),
    Option(
        ("--ws",),
        "ws",
        (),
        f"Only `auto`: {_ONE_WEBSOCKET}.",
        make=_only("auto", _ONE_WEBSOCKET),
        metavar="NAME",
    ),
    _alias(
        "--ws-max-size",
        "ws_max_size",
        "websocket_max_message_size",
        "0 is any size here.",
        metavar="BYTES",
    ),
    _refused(
        "--ws-max-queue",
        "ws_max_queue",
        "messages that wait for the application are counted in bytes: at 64 KiB the client is held back",
    ),
    _same("--ws-ping-interval", "ws_ping_interval", "ws_ping_interval", "0 is never."),
    _same("--ws-ping-timeout", "ws_ping_timeout", "ws_ping_timeout", "0 is any time."),
    _same("--ws-per-message-deflate", "ws_per_message_deflate", "ws_per_message_deflate"),
    _alias("--lifespan", "lifespan", "asgi_lifespan", metavar="MODE"),
    Option(
        ("--interface",),
        "interface",
        ("worker_class",),
        "`auto` and `asgi3`; for `wsgi` choose one of the kinds for it. ASGI 2 is not supported.",
        make=_interface,
        metavar="NAME",
    ),
    _same(
        "--env-file",
        "env_file",
        "env_file",
        "Needs python-dotenv too. `WEB_CONCURRENCY` and the like in it do not configure the server.",
    ),
    Option(
        ("--log-config",),
        "log_config",
        ("logconfig",),
        "The ini form; JSON is `--log-config-json`, YAML is not read. The loggers are `indrik.error` and "
        "`indrik.access`.",
        has_own_row=True,
        make=_log_config,
    ),
    _same("--log-level", "log_level", "loglevel", "There is no level `trace`."),
    Option(
        ("--access-log", "--no-access-log"),
        "access_log",
        ("accesslog",),
        "The access log is off unless it is asked for; the flag sends it to standard output.",
        make=_access_log,
    ),
    Option(
        ("--use-colors", "--no-use-colors"),
        "use_colors",
        (),
        "Only `--no-use-colors`: logs are never coloured.",
        make=_asserts(False, "logs are never coloured"),
    ),
    Option(
        ("--proxy-headers", "--no-proxy-headers"),
        "proxy_headers",
        ("proxy_headers", "secure_scheme_headers"),
        "Off unless it is asked for, as in Gunicorn; then of these fields only `X-Forwarded-Proto` counts. "
        "`--no-proxy-headers` empties `secure_scheme_headers` too. A proxy on a unix socket is always "
        "trusted.",
        make=_proxy_headers,
    ),
    Option(
        ("--server-header", "--no-server-header"),
        "server_header",
        ("server_header",),
        "The field says `indrik`.",
        make=_server_header,
    ),
    Option(
        ("--date-header", "--no-date-header"),
        "date_header",
        (),
        "Only `--date-header`: RFC 9110 section 6.6.1 wants the field.",
        make=_asserts(True, "RFC 9110 section 6.6.1 wants the field Date"),
    ),
    _same(
        "--forwarded-allow-ips",
        "forwarded_allow_ips",
        "forwarded_allow_ips",
        "Addresses, networks and `*`; names and paths are refused.",
    ),
    _same("--root-path", "root_path", "root_path"),
    _same(
        "--limit-concurrency",
        "limit_concurrency",
        "limit_concurrency",
        "Counts requests and WebSockets, not idle connections. One too many waits for its turn, for "
        "`queue_timeout` at most, before it gets 503.",
    ),
    _same("--backlog", "backlog", "backlog"),
    _alias(
        "--limit-max-requests",
        "limit_max_requests",
        "max_requests",
        "The worker goes when its successor is ready, with one worker too.",
        "INT",
    ),
    _alias("--limit-max-requests-jitter", "limit_max_requests_jitter", "max_requests_jitter", "", "INT"),
    _alias(
        "--timeout-keep-alive", "timeout_keep_alive", "keepalive", "The default is 2 s, not 5.", "SECONDS"
    ),
    _alias(
        "--timeout-graceful-shutdown",
        "timeout_graceful_shutdown",
        "graceful_timeout",
        "The default is 30 s, not any time.",
        "SECONDS",
    ),
    _alias(
        "--timeout-worker-healthcheck",
        "timeout_worker_healthcheck",
        "timeout",
        "The default is 30 s, not 5. An event loop that is blocked for so long ends the worker.",
        "SECONDS",
    ),
    _alias("--ssl-keyfile", "ssl_keyfile", "keyfile", metavar="FILE"),
    _alias("--ssl-certfile", "ssl_certfile", "certfile", metavar="FILE"),
    _refused("--ssl-keyfile-password", "ssl_keyfile_password", "the hook `ssl_context` can load such a key"),
    _same("--ssl-version", "ssl_version", "ssl_version", "Ignored with a warning: it is negotiated."),
    _alias("--ssl-cert-reqs", "ssl_cert_reqs", "cert_reqs", metavar="INT"),
    _alias("--ssl-ca-certs", "ssl_ca_certs", "ca_certs", metavar="FILE"),
    _alias("--ssl-ciphers", "ssl_ciphers", "ciphers"),
    _refused(
        "--header",
        "headers",
        f"the server adds no fields to responses: {_IN_PROXY}; on the command line `--header` is short for "
        "`--header-map`, as in Gunicorn",
    ),
    Option(("--version",), "version", (), "The same.", has_own_row=True),
    _alias("--app-dir", "app_dir", "pythonpath", "Several may be given between commas.", "DIR"),
    _refused(
        "--h11-max-incomplete-event-size",
        "h11_max_incomplete_event_size",
        "the bound for the head of a request is `limit_request_head`",
    ),
    _refused(
        "--reset-contextvars",
        "reset_contextvars",
        "a request never sees what lifespan has set in its context; what was set while the application was "
        "loaded, it sees",
    ),
    _same("--factory", "factory", "factory", "`MODULE:create_app()` is the same."),
)

BY_KEYWORD: dict[str, Option] = {option.name: option for option in OPTIONS}

#: They are put together: one address comes of them.
_PLACES = ("host", "port", "uds", "fd")


def settings_of(values: Mapping[str, Any]) -> Settings:
    """The settings that options of uvicorn stand for: `values` holds them by their keyword.

    Raises:
        ConfigError: one is refused, or its value is.
    """
    settings: Settings = {}
    for name, value in values.items():
        option = BY_KEYWORD[name]
        if option.is_refused:
            raise ConfigError(refusal(option))
        if name in _PLACES:
            continue
        if option.make is None:
            settings[option.settings[0]] = value
            continue
        try:
            settings.update(option.make(value))
        except RejectedValue as error:
            raise ConfigError(f"invalid value for {option.flags[0]}: {value!r}: {error}") from None
    places = {name: values[name] for name in _PLACES if name in values}
    if places:
        settings["bind"] = [bind_of(**places)]
    return settings


def bind_of(
    host: str | None = None, port: int | None = None, uds: str | None = None, fd: int | None = None
) -> str:
    """The address in `bind` that uvicorn's options name.

    Raises:
        ConfigError: they name more than one.
    """
    is_network = host is not None or port is not None
    if is_network + (uds is not None) + (fd is not None) > 1:
        raise ConfigError(
            "--host with --port, --uds and --fd each name an address: give one, or several --bind"
        )
    if uds is not None:
        return f"unix:{uds}"
    if fd is not None:
        return f"fd://{fd}"
    host = HOST if host is None else host
    if not host:
        raise ConfigError("--host is empty: give 0.0.0.0 for all addresses of IPv4, :: for IPv6 too")
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"{host}:{PORT if port is None else port}"


def refusal(option: Option) -> str:
    """What is said to somebody who gives an option that is refused."""
    return f"{option.flags[0]} of uvicorn is not supported: {option.note}".replace("`", "")

