"""For programs that serve what a PasteDeploy file holds (`pserve`, `gearbox`): indrik as their server.

`use = egg:indrik#main` in a [server:main] section leads to `serve`. Such a program loads the application by
itself, in what becomes the master, and leaves it to the server; its command line is its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from indrik.app.pastefile import PasteFile, settings_of_server
from indrik.app.wsgi_application import WSGIApplication


class PasterServerApplication(WSGIApplication):
    """An application that has been loaded already, with the keys of a [server:…] section as settings.

    They stand above the configuration file, which the key `config` names: there is no command line to
    override it.
    """

    def __init__(self, app: Any, global_conf: Mapping[str, str] | None = None, **keys: str | None) -> None:
        self.application = app
        #: The ini file; None if whoever starts the server has none.
        self.config_file = (global_conf or {}).get("__file__")
        self.keys = keys
        super().__init__()

    def load_config(self) -> None:
        where = "the server's section"
        if self.config_file is not None:
            where = f"the server's section in {self.config_file}"
            file = PasteFile(os.path.abspath(os.path.join(self.start_directory, self.config_file)))
            self.cfg.set("default_proc_name", file.path, file.path)
            if file.parser().has_section("loggers"):
                self.cfg.set("logconfig", file.path, file.path)
        own = settings_of_server(self.keys, where)
        self.cfg.notices.extend(own.warnings)
        self.chdir()
        named = own.settings.get("config")
        if named:
            self.load_config_from_file(named)
        else:
            self.load_default_file()
        self.set_all(own.settings, where)
        self._leave_out_what_cannot_work()
        self.chdir()

    def _leave_out_what_cannot_work(self) -> None:
        # Every worker is forked from a process that has imported the application: nothing loads it again.
        again = "the program that starts the server has loaded the application"
        if self.cfg.reload:
            self.cfg.notices.append(f"reload is left out: {again}; it may be able to start anew by itself")
            self.cfg.set("reload", False, "left out")
        if self.reloading:
            self.cfg.notices.append(f"this reload changes settings and not code: {again}")

    def load(self) -> Any:
        return self.application


def serve(app: Any, global_conf: Mapping[str, str] | None = None, **local_conf: str | None) -> None:
    """Serve `app`: what the entry point `main` of `paste.server_runner` leads to.

    `local_conf` holds settings under their names; `host` and `port` stand for `bind`, and `config` names a
    configuration file. Ends as the server does, in SystemExit.
    """
    PasterServerApplication(app, global_conf, **local_conf).run()


def paste_server(app: Any, gcfg: Mapping[str, str] | None = None, **kwargs: str | None) -> None:
    """`serve`, under the name it had first."""
    serve(app, gcfg, **kwargs)


def get_wsgi_app(config_uri: str, name: str | None = None, defaults: Mapping[str, str] | None = None) -> Any:
    """The application in a PasteDeploy file: FILE, FILE#SECTION or the same after `config:`.

    Raises:
        ConfigError, AppImportError: see `PasteFile.load`.
    """
    file = PasteFile.parse(config_uri.removeprefix("config:"))
    return PasteFile(os.path.abspath(file.path), name or file.section).load(defaults or {})


def has_logging_config(config_file: str) -> bool:
    """Whether the file configures logging.

    Raises:
        ConfigError: it cannot be read.
    """
    return PasteFile(config_file).parser().has_section("loggers")
