"""The `indrik` command: an application named on the command line or in the configuration, served."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from indrik.app.base import Application
from indrik.app.loader import load_application
from indrik.config.command_line import Parser
from indrik.errors import ConfigError


class WSGIApplication(Application):
    """The application that `MODULE:NAME` stands for."""

    app_uri: str | None = None

    def init(self, parser: Parser, opts: Namespace, args: list[str]) -> dict[str, Any] | None:
        self.app_uri = None
        if args:
            self.app_uri = args[0]
            self.cfg.set("default_proc_name", args[0], "the application's name")
        if len(args) > 1:
            self.cfg.notices.append(f"arguments after the application are ignored: {' '.join(args[1:])}")
        return None

    def load_config(self) -> None:
        super().load_config()
        if self.app_uri is None:
            self.app_uri = self.cfg.wsgi_app
            if self.app_uri is not None and self.cfg.settings["default_proc_name"].is_default:
                self.cfg.set("default_proc_name", self.app_uri, "the application's name")
        if self.app_uri is None:
            raise ConfigError(
                "no application was named: give one on the command line, as in 'indrik MODULE:NAME', "
                "or set wsgi_app in the configuration file"
            )

    def load_wsgiapp(self) -> Any:
        """The application, loaded from its module.

        Raises:
            AppModuleNotFoundError, AppImportError: see `load_application`.
        """
        assert self.app_uri is not None  # load_config has made sure
        return load_application(self.app_uri)

    def load(self) -> Any:
        return self.load_wsgiapp()


def run(prog: str | None = None) -> None:
    """Entry point of the `indrik` command."""
    WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]", prog=prog).run()


if __name__ == "__main__":
    run(prog="indrik")
