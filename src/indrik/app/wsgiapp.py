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

    _named: str | None = None

    @property
    def app_uri(self) -> str | None:
        """What stands for the application: the one named on the command line, else that of the configuration.

        Not kept from the configuration, because an abandoned reload goes back to an older one.
        """
        return self._named if self._named is not None else self.cfg.wsgi_app

    @app_uri.setter
    def app_uri(self, uri: str | None) -> None:
        self._named = uri

    def init(self, parser: Parser, opts: Namespace, args: list[str]) -> dict[str, Any] | None:
        if len(args) > 1:
            self.cfg.notices.append(f"arguments after the application are ignored: {' '.join(args[1:])}")
        if args:
            self.app_uri = args[0]
            return {"default_proc_name": args[0]}
        return None

    def load_config(self) -> None:
        super().load_config()
        if self.app_uri is None:
            raise ConfigError(
                "no application was named: give one on the command line, as in 'indrik MODULE:NAME', "
                "or set wsgi_app in the configuration file"
            )
        if self.cfg.settings["default_proc_name"].is_default:
            self.cfg.set("default_proc_name", self.app_uri, "the application's name")

    def load_wsgiapp(self) -> Any:
        """The application, loaded from its module.

        Raises:
            ConfigError: no application was named.
            AppModuleNotFoundError, AppImportError: see `load_application`.
        """
        uri = self.app_uri
        if uri is None:
            raise ConfigError("no application was named: set app_uri or wsgi_app")
        return load_application(uri)

    def load(self) -> Any:
        return self.load_wsgiapp()


def run(prog: str | None = None) -> None:
    """Entry point of the `indrik` command."""
    WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]", prog=prog).run()


if __name__ == "__main__":
    run(prog="indrik")
