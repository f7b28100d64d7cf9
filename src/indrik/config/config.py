"""The values of all settings in one run of the server, and what follows from several of them together."""

from __future__ import annotations

import importlib
import ipaddress
import os
import re
import sys
from typing import Any, TypeAlias

from indrik.config.classes import check_class_name, load_class, refuse_class_of_gunicorn
from indrik.config.command_line import Parser, build_parser, environment_arguments
from indrik.config.names import NOT_OURS
from indrik.config.nearest import did_you_mean
from indrik.config.rows import ROWS
from indrik.config.setting import BoundSetting
from indrik.errors import ConfigError

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Where a value came from when the caller of `Config.set` does not say.
BY_PROGRAM = "set by the application"


class Config:
    """All settings: `cfg.workers` reads one, `cfg.set("workers", 2)` sets one, `cfg.settings` has all.

    Some names are not settings but follow from them (`address`, `uid`, `env`…), and for a few settings the
    attribute is what the server uses (`cfg.worker_class` is the class) while
    `cfg.settings["worker_class"].value` is what was set.
    """

    settings: dict[str, BoundSetting]

    def __init__(self, usage: str | None = None, prog: str | None = None) -> None:
        self.settings = {row.name: BoundSetting(row) for row in ROWS}
        self.usage = usage
        self.prog = prog or os.path.basename(sys.argv[0])
        #: The environment before `raw_env` changed it; a new master (USR2) is given this one.
        self.env_orig = os.environ.copy()
        self.notices: list[str] = []
        self._networks: dict[str, list[Network]] = {}
        self._worker_class: tuple[str | type, Any] | None = None
        self._env_file_read: tuple[str, dict[str, str]] | None = None

    def __getattr__(self, name: str) -> Any:
        # Called only for what is neither an instance attribute nor a property below.
        if name != "settings" and name in self.settings:
            return self.settings[name].value
        raise AttributeError(f"there is no setting {name!r}{did_you_mean(name, self._names())}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "settings" and name in self.__dict__.get("settings", ()):
            raise AttributeError(f"settings are changed with cfg.set({name!r}, …)")
        super().__setattr__(name, value)

    def set(self, name: str, value: Any, source: str = BY_PROGRAM) -> None:
        """Set one setting; `source` is what the operator is told about where the value came from.

        Raises:
            AttributeError: there is no such setting.
            ConfigError: the value is wrong, or its behaviour does not exist yet.
        """
        if name not in self.settings:
            raise AttributeError(f"there is no setting {name!r}{did_you_mean(name, self._names())}")
        self.settings[name].set(value, source)
        self._networks.pop(name, None)

    def _names(self) -> list[str]:
        return list(self.__dict__.get("settings", ()))

    def __str__(self) -> str:
        """Every setting with its value and where that came from, as `--print-config` shows it."""
        shown = {name: format_value(bound.value) for name, bound in self.settings.items()}
        name_width = max(map(len, shown))
        # One long value must not push every source off the screen.
        value_width = min(40, max(map(len, shown.values())))
        return "\n".join(
            f"{name:{name_width}} = {shown[name]:{value_width}}  # {self.settings[name].source}"
            for name in sorted(shown)
        )

    @property
    def warnings(self) -> list[str]:
        """What the operator should know although nothing is wrong enough to stop."""
        return [*self.notices, *(text for bound in self.settings.values() for text in bound.warnings)]

    def parser(self) -> Parser:
        """The command line's parser. Whatever is not given on it is None in its result."""
        return build_parser(ROWS, NOT_OURS, usage=self.usage, prog=self.prog)

    def get_cmd_args_from_env(self) -> list[str]:
        """The arguments in `INDRIK_CMD_ARGS`, or where that is absent in `GUNICORN_CMD_ARGS`."""
        return environment_arguments()[1]

    def validate(self) -> None:
        """Check what a value alone does not show, without importing the operator's code.

        Raises:
            ConfigError: an address cannot be read, a class's name is nowhere known, `env_file` cannot be
                used, or settings contradict one another.
        """
        _ = self.address
        self._env_file()
        if self.proxy_headers and self.forwarded is not None:
            raise ConfigError(
                "proxy_headers and forwarded contradict one another: the first finds the client by its "
                "address, the second by counting proxies; leave one out"
            )
        if self.factory and self.paste is not None:
            raise ConfigError("factory says nothing to an application in a PasteDeploy file: leave it out")
        check_class_name("worker_class", self._worker_uri(), known_workers(), "indrik.workers")

    def check_classes(self) -> None:
        """Import the worker and logger classes, and check what they alone can judge.

        Raises:
            ConfigError: there is no such class, or the logger does not know the level.
        """
        _ = self.worker_class
        levels = getattr(self.logger_class, "LOG_LEVELS", None)
        if levels is not None and str(self.loglevel).lower() not in levels:
            hint = did_you_mean(str(self.loglevel).lower(), levels)
            raise ConfigError(
                f"invalid value for loglevel: {self.loglevel!r} is not one of {', '.join(levels)}{hint}"
            )

    # --- what follows from the settings

    def _worker_uri(self) -> str | type:
        """The worker kind; more than one thread turns sync into gthread."""
        uri: str | type = self.settings["worker_class"].value
        if isinstance(uri, str) and self.threads > 1 and (uri == "sync" or uri.endswith(".SyncWorker")):
            return "gthread"
        return uri

    @property
    def worker_class_str(self) -> str:
        uri = self._worker_uri()
        return uri.__name__ if isinstance(uri, type) else uri

    @property
    def worker_class(self) -> Any:
        """The worker class itself. Its class method `setup`, if it has one, has been called.

        Raises:
            ConfigError: there is no such class, or it is based on one of Gunicorn's.
        """
        uri = self._worker_uri()
        if self._worker_class is None or self._worker_class[0] != uri:
            loaded = load_class("worker_class", uri, known_workers(), "indrik.workers")
            refuse_class_of_gunicorn("worker_class", loaded)
            if hasattr(loaded, "setup"):
                loaded.setup()
            self._worker_class = (uri, loaded)
        return self._worker_class[1]

    @property
    def logger_class(self) -> Any:
        """The logger class itself. Its class method `install`, if it has one, has been called.

        Raises:
            ConfigError: there is no such class, or it is based on Gunicorn's.
        """
        loaded = load_class("logger_class", self.settings["logger_class"].value, {}, "indrik.loggers")
        refuse_class_of_gunicorn("logger_class", loaded)
        if hasattr(loaded, "install"):
            loaded.install()
        return loaded

    @property
    def address(self) -> list[Any]:
        """The addresses to listen on: (host, port), the path of a unix socket, or a file descriptor's number.

        Raises:
            ConfigError: one of them cannot be read.
        """
        # By name, as a neighbour in the same layer.
        parse_address = importlib.import_module("indrik.net.addresses").parse_address
        return [parse_address(text) for text in self.settings["bind"].value]

    @property
    def uid(self) -> int:
        return int(self.settings["user"].value)

    @property
    def gid(self) -> int:
        return int(self.settings["group"].value)

    @property
    def proc_name(self) -> str:
        name = self.settings["proc_name"].value
        return str(name if name is not None else self.settings["default_proc_name"].value)

    @property
    def env(self) -> dict[str, str]:
        """The environment variables in `raw_env`, and those in `env_file` that nothing else sets."""
        given = dict(entry.split("=", 1) for entry in self.settings["raw_env"].value)
        return {**self._env_file(), **given}

    def _env_file(self) -> dict[str, str]:
        """What `env_file` adds to the environment that the server was started in, read once.

        Raises:
            ConfigError: python-dotenv is not installed, or the file cannot be read.
        """
        path = self.settings["env_file"].value
        if path is None:
            return {}
        if self._env_file_read is None or self._env_file_read[0] != path:
            try:
                dotenv = importlib.import_module("dotenv")
            except ImportError:
                raise ConfigError(
                    "env_file needs the package python-dotenv: pip install 'indrik[dotenv]'"
                ) from None
            try:
                found = dotenv.dotenv_values(path)
            except (OSError, UnicodeError) as error:
                raise ConfigError(f"env_file {path!r} cannot be read: {error}") from error
            added = {
                name: value
                for name, value in found.items()
                if value is not None and name not in self.env_orig
            }
            self._env_file_read = (path, added)
        return self._env_file_read[1]

    @property
    def sendfile(self) -> bool:
        value = self.settings["sendfile"].value
        return True if value is None else bool(value)

    @property
    def is_ssl(self) -> bool:
        return bool(self.certfile or self.keyfile)

    @property
    def ssl_options(self) -> dict[str, Any]:
        return {name: bound.value for name, bound in self.settings.items() if bound.section == "SSL"}

    @property
    def paste_global_conf(self) -> dict[str, str]:
        """The global settings for PasteDeploy.

        Raises:
            ConfigError: an entry has no equals sign, other than `\\=`.
        """
        pairs = {}
        for entry in self.settings["raw_paste_global_conf"].value:
            key, *value = (part.replace("\\=", "=") for part in re.split(r"(?<!\\)=", entry, maxsplit=1))
            if not value:
                raise ConfigError(
                    f"invalid value for raw_paste_global_conf: {entry!r} must have the form KEY=VALUE"
                )
            pairs[key] = value[0]
        return pairs

    def forwarded_allow_networks(self) -> list[Network]:
        """The networks in `forwarded_allow_ips`, without `*`."""
        return self._cached_networks("forwarded_allow_ips")

    def proxy_allow_networks(self) -> list[Network]:
        """The networks in `proxy_allow_ips`, without `*`."""
        return self._cached_networks("proxy_allow_ips")

    def _cached_networks(self, name: str) -> list[Network]:
        if name not in self._networks:
            words = self.settings[name].value
            self._networks[name] = [ipaddress.ip_network(word) for word in words if word != "*"]
        return self._networks[name]


def known_workers() -> dict[str, str]:
    """Worker kind -> dotted path of its class.

    Imported by name, and late: the workers stand above this package, and a master needs none of them.
    """
    kinds: dict[str, str] = importlib.import_module("indrik.workers").SUPPORTED_WORKERS
    return kinds


def format_value(value: Any) -> str:
    """A value for the operator's eye; callables and classes by their name."""
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if callable(value):
        return f"<{getattr(value, '__qualname__', type(value).__qualname__)}()>"
    return str(value)
