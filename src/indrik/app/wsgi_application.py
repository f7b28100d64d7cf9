"""What the `indrik` command serves: an application named on the command line or in the configuration."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from indrik.app.base import COMMAND_LINE, Application
from indrik.app.loader import load_application
from indrik.app.pastefile import PasteFile, import_paste_deploy
from indrik.config.command_line import Parser
from indrik.errors import ConfigError


class WSGIApplication(Application):
    """The application that `MODULE:NAME` stands for, or that a PasteDeploy file holds."""

    _named: str | None = None

    @property
    def app_uri(self) -> str | None:
        """What stands for the application: the PasteDeploy file, what is named on the command line, or what
        the configuration says; in this order.

        Nothing is kept from the configuration, because an abandoned reload goes back to an older one.
        """
        if self.cfg.paste is not None:
            return str(self.cfg.paste)
        return self._named if self._named is not None else self.cfg.wsgi_app

    @app_uri.setter
    def app_uri(self, uri: str | None) -> None:
        self._named = uri

    @property
    def paste_file(self) -> PasteFile | None:
        """The PasteDeploy file that holds the application, if one does."""
        return PasteFile.parse(self.cfg.paste) if self.cfg.paste is not None else None

    @property
    def cfgurl(self) -> str | None:
        """The application as PasteDeploy names it: `config:PATH#SECTION`."""
        return self.paste_file.url if self.paste_file is not None else None

    @property
    def relpath(self) -> str | None:
        """The folder of the PasteDeploy file."""
        return self.paste_file.folder if self.paste_file is not None else None

    def init(self, parser: Parser, opts: Namespace, args: list[str]) -> dict[str, Any] | None:
        """What the command line's application brings with it.

        Raises:
            ConfigError: the PasteDeploy file is not found, or cannot be read.
        """
        if opts.paste is not None:
            # At once, while this is the directory that the path starts from.
            self.cfg.set("paste", opts.paste, COMMAND_LINE)
            opts.paste = self.cfg.paste
            if opts.raw_paste_global_conf:
                self.cfg.set("raw_paste_global_conf", opts.raw_paste_global_conf, COMMAND_LINE)
            if args:
                self.cfg.notices.append(f"application {args[0]!r} is ignored: paste names another")
            return self._read_paste_file()
        if len(args) > 1:
            self.cfg.notices.append(f"arguments after the application are ignored: {' '.join(args[1:])}")
        if args:
            self.app_uri = args[0]
            return {"default_proc_name": args[0]}
        return None

    @property
    def init_source(self) -> str:
        return self.paste_file.path if self.paste_file is not None else super().init_source

    def load_config(self) -> None:
        super().load_config()
        if self.paste_file is not None:
            self._follow_paste_file(self.paste_file)
        if self.app_uri is None:
            raise ConfigError(
                "no application was named: give one on the command line, as in 'indrik MODULE:NAME', "
                "or set wsgi_app in the configuration file"
            )
        if self.cfg.settings["default_proc_name"].is_default:
            self.cfg.set("default_proc_name", self.app_uri, "the application's name")

    def _read_paste_file(self) -> dict[str, Any]:
        """The settings in the PasteDeploy file. Its warnings become the configuration's."""
        assert self.paste_file is not None
        found = self.paste_file.read(self.cfg.paste_global_conf)
        self.cfg.notices.extend(found.warnings)
        return found.settings

    def _follow_paste_file(self, file: PasteFile) -> None:
        # Here rather than in a worker: what is missing stops the start, and a reload changes nothing.
        import_paste_deploy()
        if self.cfg.settings["paste"].source != COMMAND_LINE:
            self._add_settings_below(self._read_paste_file(), file.path)
        if self.cfg.reload:
            self.cfg.set("reload_extra_files", [*self.cfg.reload_extra_files, file.path], file.path)

    def _add_settings_below(self, settings: dict[str, Any], source: str) -> None:
        """Set what nothing else has set: the file was named by what overrides its settings."""
        if settings.pop("config", None) is not None:
            self.cfg.notices.append(
                f"'config' in {source} is ignored: it counts if the command line names that file"
            )
        if self._named is not None:
            self.cfg.notices.append(f"application {self._named!r} is ignored: paste names another")
            if self.cfg.default_proc_name == self._named:
                self.cfg.set("default_proc_name", source, source)
        for name, value in settings.items():
            if not self.cfg.settings[name].is_given:
                self.cfg.set(name, value, source)
        self.chdir()

    def load_wsgiapp(self) -> Any:
        """The application, loaded from its module.

        Raises:
            ConfigError: no application was named.
            AppModuleNotFoundError, AppImportError: see `load_application`.
        """
        uri = self.app_uri
        if uri is None:
            raise ConfigError("no application was named: set app_uri or wsgi_app")
        return load_application(uri, self.cfg.factory)

    def load_pasteapp(self) -> Any:
        """The application, loaded from the PasteDeploy file.

        Raises:
            ConfigError: there is no such file.
            AppImportError: see `PasteFile.load`.
        """
        if self.paste_file is None:
            raise ConfigError("no PasteDeploy file was named: set paste")
        return self.paste_file.load(self.cfg.paste_global_conf)

    def load(self) -> Any:
        return self.load_pasteapp() if self.cfg.paste is not None else self.load_wsgiapp()
