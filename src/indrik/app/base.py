"""`BaseApplication` and `Application`: the object a command or a user's program runs.

`BaseApplication` is for programs that bring their own configuration and application (override `load_config`
and `load`); `Application` adds the command line and the configuration file.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from argparse import Namespace
from typing import Any, NoReturn

from indrik import kept_signals
from indrik.config import Config
from indrik.config.command_line import Parser, environment_arguments, given
from indrik.config.files import find_default_file, read_module, read_python_file, read_toml, settings_in
from indrik.config.resolved import current_directory
from indrik.errors import ConfigError, ConfigFileError, IndrikError
from indrik.log.tracebacks import from_outside

#: Where a setting on the command line came from, for the operator.
COMMAND_LINE = "command line"


class BaseApplication:
    """A configuration and an application, which `run()` serves.

    A subclass overrides `load_config`, which calls `self.cfg.set`, and `load`, which returns the application.
    """

    #: Whether Werkzeug's debugger is in what `load` returns: its requests must reach the worker that keeps
    #: the frames.
    debugs = False

    def __init__(self, usage: str | None = None, prog: str | None = None) -> None:
        self.usage = usage
        self.prog = prog
        self.cfg: Config
        #: What `load` returned, once it has been called.
        self.callable: Any = None
        self.logger: Any = None
        # A reload starts again from here: paths are relative to it, and cfg.chdir may have led elsewhere.
        self.start_directory = current_directory()
        self.reloading = False
        self.do_load_config()

    # --- configuration

    def do_load_config(self) -> None:
        """Master only. Read the configuration, at start-up: a fault in it ends the process with status 1."""
        try:
            self.read_config()
        except Exception as error:
            fail(error)

    def read_config(self) -> None:
        self.load_default_config()
        self.load_config()
        self.cfg.validate()
        for text in self.cfg.warnings:
            print(f"Warning: {text}", file=sys.stderr)

    def load_default_config(self) -> None:
        """A `Config` that holds the defaults and what the environment says."""
        self.cfg = Config(self.usage, prog=self.prog)

    def init(self, parser: Parser, opts: Namespace, args: list[str]) -> dict[str, Any] | None:
        """Settings of a framework's own, which a configuration file and the command line override."""
        raise NotImplementedError

    def load_config(self) -> None:
        """Set what differs from the defaults, with `self.cfg.set`."""
        raise NotImplementedError

    def reload(self) -> None:
        """Master only. Read the configuration again, from all its sources.

        Raises:
            ConfigError: something is wrong with it; `self.cfg` is the one from before.
        """
        previous = self.cfg
        path = list(sys.path)
        # Not by its name: a deployment may have removed it, and that must not change what is in force.
        directory = os.open(".", getattr(os, "O_PATH", os.O_RDONLY))
        self.reloading = True
        try:
            os.chdir(self.start_directory)
            self.read_config()
        except BaseException as error:
            self.cfg = previous
            os.chdir(directory)
            sys.path[:] = path
            if isinstance(error, OSError):
                raise ConfigError(f"cannot read the configuration again: {error}") from error
            if isinstance(error, SystemExit):
                raise ConfigError("reading the configuration again ended with an exit") from error
            raise
        finally:
            self.reloading = False
            os.close(directory)

    # --- the application

    def load(self) -> Any:
        """The application: a WSGI callable."""
        raise NotImplementedError

    def page_of(self, error: Exception) -> Any:
        """With `reload`: a WSGI application that shows why `load` has failed. None: clients are only told
        that it has.
        """
        return None

    def wsgi(self) -> Any:
        """The application, loaded at the first call."""
        if self.callable is None:
            self.callable = self.load()
        return self.callable

    def run(self) -> None:
        """Serve until told to stop. If the server cannot start: one line, and exit status 1."""
        from indrik.arbiter import Arbiter

        try:
            Arbiter(self).run()
        except (IndrikError, RuntimeError) as error:
            fail(error, brief=True)


class Application(BaseApplication):
    """A `BaseApplication` whose configuration comes from a file, the environment and the command line.

    arguments: the command line, None for the process's own.
    """

    arguments: list[str] | None = None

    #: What this object has put on the Python path.
    _on_path: tuple[str, ...] = ()

    def chdir(self) -> None:
        """Enter `cfg.chdir`, and let modules be found there first."""
        os.chdir(self.cfg.chdir)
        self._put_on_path(self.cfg.chdir)

    def _put_on_path(self, directory: str) -> None:
        if directory not in sys.path:
            sys.path.insert(0, directory)
            self._on_path = (*self._on_path, directory)

    def reload(self) -> None:
        """As in the base class. The Python path becomes what a start with this configuration would make of
        it: a directory from before must not hide the modules of the new one.
        """
        before, path = self._on_path, list(sys.path)
        for directory in before:
            if directory in sys.path:
                sys.path.remove(directory)
        self._on_path = ()
        try:
            super().reload()
        except BaseException:
            self._on_path, sys.path[:] = before, path
            raise
        self.add_python_path()

    def load_config(self) -> None:
        """All sources, each overriding the last: `init`, file, the environment's arguments, command line."""
        parser = self.cfg.parser()
        args = parser.parse_args(self.arguments)
        own = self.init(parser, args, args.args) or {}
        self.set_all(own, self.init_source)
        # Before the file is sought, so that its own imports see the directory.
        self.chdir()
        variable, words = environment_arguments()
        parser.origin = variable
        env_args = parser.parse_args(words)
        named = args.config or env_args.config or own.get("config")
        if named:
            self.load_config_from_file(named)
        else:
            self.load_default_file()
        self.set_all(given(env_args), variable)
        self.set_all(given(args), COMMAND_LINE)
        self.chdir()

    def set_all(self, values: dict[str, Any], source: str) -> None:
        for name, value in values.items():
            self.cfg.set(name.lower(), value, source)

    def load_default_file(self) -> None:
        """Load the configuration file in the directory, if there is one."""
        found = find_default_file()
        if found is not None:
            self.load_config_from_file(found)
            self.cfg.set("config", found, "found in the directory")

    def load_config_from_file(self, filename: str) -> None:
        self.load_config_from_module_name_or_filename(filename)

    def load_config_from_module_name_or_filename(self, location: str) -> dict[str, Any]:
        """Set what `python:MODULE`, `file:PATH` or a plain path says, and return it.

        Raises:
            ConfigError: it cannot be read, or holds a wrong value.
        """
        if location.startswith("python:"):
            values = self.get_config_from_module_name(location[len("python:") :])
        else:
            path = location.removeprefix("file:")
            if path.endswith(".toml"):
                values = read_toml(path)
                self.set_all(values, location)
                return values
            values = self.get_config_from_filename(path)
        settings, warnings = settings_in(values, location)
        self.cfg.notices.extend(warnings)
        self.set_all(settings, location)
        return settings

    def get_config_from_filename(self, filename: str) -> dict[str, Any]:
        if not filename.endswith((".py", ".pyc")) and os.path.isfile(filename):
            self.cfg.notices.append(f"configuration file {filename!r} is run as Python, but is not named .py")
        return read_python_file(filename)

    def get_config_from_module_name(self, module_name: str) -> dict[str, Any]:
        return read_module(module_name, fresh=self.reloading)

    @property
    def init_source(self) -> str:
        """What the operator is told about where the settings of `init` come from."""
        return f"{type(self).__name__}.init"

    # --- running

    def add_python_path(self) -> None:
        for path in (self.cfg.pythonpath or "").split(","):
            if path.strip():
                self._put_on_path(os.path.abspath(path.strip()))

    def check_config(self) -> NoReturn:
        """Load what the server would load, say what is wrong with it, and exit with status 0 or 1."""
        kept_signals.let_go()
        try:
            self.cfg.check_classes()
        except Exception as error:
            fail(error)
        try:
            # What a worker would find there; this process ends with the check.
            os.environ.update(self.cfg.env)
            application = self.wsgi()
            # By name, and only here: a master that serves knows no worker's code.
            interface = importlib.import_module("indrik.workers.interface")
            kind = interface.fitting_class(application, self.cfg.worker_class, self.cfg)
        except Exception as error:
            print("Error while loading the application:", file=sys.stderr)
            fail(error)
        if kind is not self.cfg.worker_class:
            print("The application speaks ASGI: its workers are of the kind asgi, since none is chosen.")
            try:
                kind.check_config(self.cfg, None)
            except Exception as error:
                fail(error)
        sys.exit(0)

    def run(self) -> None:
        self.add_python_path()
        if self.cfg.print_config:
            print_all(str(self.cfg))
        if self.cfg.print_config or self.cfg.check_config:
            self.check_config()
        super().run()


def print_all(text: str) -> None:
    """Print to the standard output; a reader that has seen enough (`| head`) ends the process, silently."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # What is still buffered would be written once more at the end, and complained about.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def fail(error: Exception, *, brief: bool = False) -> NoReturn:
    """Master only. Say what stopped the server, and exit with status 1.

    One line for an error of the server's own. What the operator's code raised (a configuration file, the
    application, a subclass) comes with its traceback, unless `brief`.
    """
    raised: BaseException | None = None
    if isinstance(error, ConfigFileError):
        raised = error.__cause__
    elif not isinstance(error, IndrikError) and not brief:
        raised = error
    if raised is not None:
        traceback.print_exception(type(raised), raised, from_outside(raised.__traceback__))
    if raised is not error:
        print(f"Error: {error}", file=sys.stderr)
    if sys.stderr is not None:
        sys.stderr.flush()
    sys.exit(1)


__all__ = ["COMMAND_LINE", "Application", "BaseApplication"]
