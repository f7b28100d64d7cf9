"""`flask indrik`: Flask's own command line, which finds the application, with indrik to serve it.

Flask loads this by the entry point `indrik` in the group `flask.commands`.
"""

from __future__ import annotations

import os
from argparse import Namespace
from typing import Any

import click
import flask
from flask.cli import ScriptInfo, pass_script_info
from flask.helpers import get_debug_flag

from indrik.app.base import Application
from indrik.config.command_line import Parser
from indrik.errors import AppImportError, ConfigError
from indrik.ext.debugger import Failed, PinGuard, SharedDebugger, forbids_debugger


class FlaskApplication(Application):
    """The application that Flask's command line has found. It is imported by the workers only.

    arguments: indrik's own options, as they stood behind `flask indrik`.
    """

    _guard: PinGuard | None = None

    def __init__(self, info: ScriptInfo, arguments: list[str]) -> None:
        self.info = info
        self.arguments = arguments
        super().__init__("flask indrik [OPTIONS]", prog="flask indrik")

    def init(self, parser: Parser, opts: Namespace, args: list[str]) -> dict[str, Any] | None:
        """What development needs; configuration files and options override it.

        Raises:
            ConfigError: an application was named, which is for Flask's own option.
        """
        if args:
            raise ConfigError(
                f"flask indrik takes no application: name it as in 'flask --app {args[0]} indrik', "
                "or set FLASK_APP"
            )
        own: dict[str, Any] = {"default_proc_name": self.info.app_import_path or "flask"}
        if get_debug_flag():
            # A debugger may stand still for as long as it likes.
            own |= {"reload": True, "timeout": 0}
        return own

    @property
    def init_source(self) -> str:
        return "flask indrik"

    def load_config(self) -> None:
        super().load_config()
        problem = forbids_debugger(self.cfg) if get_debug_flag() else None
        self.debugs = get_debug_flag() and problem is None
        if self.debugs and self._guard is None:
            # Kept at a reload: it counts for as long as the server runs.
            self._guard = PinGuard()
        if problem is not None:
            self.cfg.notices.append(problem)

    def load(self) -> Any:
        """The Flask application, in debugging mode behind Werkzeug's debugger.

        Raises:
            AppImportError: Flask finds none.
            Exception: whatever the module or the factory raises, untouched.
        """
        try:
            application = self.info.load_app()
        except click.UsageError as error:
            raise AppImportError(error.format_message()) from error
        return self._debugged(application) if self.debugs else application

    def page_of(self, error: Exception) -> Any:
        """In debugging mode the traceback, in Werkzeug's debugger."""
        if not self.debugs:
            return None
        reason: BaseException = error
        if isinstance(error, AppImportError) and error.__cause__ is not None:
            # Flask makes a text of what modules could not import. Where its own search has failed, the text
            # is all there is to know.
            reason = error.__cause__.__context__ or AppImportError(str(error))
        return self._debugged(Failed(reason, [os.path.dirname(flask.__file__)]))

    def _debugged(self, application: Any) -> SharedDebugger:
        assert self._guard is not None
        return SharedDebugger(application, self._guard)


@click.command(
    "indrik",
    short_help="Serve the application with indrik.",
    context_settings={"ignore_unknown_options": True},
    # indrik's parser has a --help of its own, with all its options.
    add_help_option=False,
)
@click.option("--debug/--no-debug", default=None)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@pass_script_info
def command(info: ScriptInfo, debug: bool | None, arguments: tuple[str, ...]) -> None:
    """Serve the application with indrik, whose options all go behind this word (`flask indrik --help`).

    With --debug (or FLASK_DEBUG) files are watched and Werkzeug's debugger is there, the latter only on
    loopback addresses and unix sockets.
    """
    if debug is not None:
        os.environ["FLASK_DEBUG"] = "1" if debug else "0"
    FlaskApplication(info, list(arguments)).run()
