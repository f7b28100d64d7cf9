"""Rows: where the configuration and the application come from, and where the server listens."""

from __future__ import annotations

from indrik.config.kinds import Flag, Text, Whole
from indrik.config.lists import TextList
from indrik.config.setting import FromEnvironment, Setting

CONFIG_FILE = "Config File"
SERVER_SOCKET = "Server Socket"
PROCESS_NAMING = "Process Naming"

ROWS = (
    Setting(
        name="config",
        section=CONFIG_FILE,
        flags=("-c", "--config"),
        kind=Text(),
        metavar="CONFIG",
        default="./indrik.conf.py",
        help="Configuration file: `PATH`, `file:PATH`, `python:MODULE`, or the path of a `.toml` file. "
        "Without it the first of `./indrik.conf.py`, `./gunicorn.conf.py` and the table `[tool.indrik]` "
        "of `./pyproject.toml` is read. Only the command line and `INDRIK_CMD_ARGS` can name it.",
    ),
    Setting(
        name="wsgi_app",
        section=CONFIG_FILE,
        kind=Text(),
        metavar="APP_MODULE",
        default=None,
        help="The application when the command line names none: `MODULE:NAME`, `MODULE:FACTORY(ARGUMENTS)` "
        "with literal arguments, or `MODULE` alone for `application`, `app` or a factory `create_app` in "
        "it. A factory that needs no arguments is called without them.",
    ),
    Setting(
        name="factory",
        section=CONFIG_FILE,
        flags=("--factory",),
        kind=Flag(),
        default=False,
        own=True,
        help="What is named as the application is a function without arguments that makes it: "
        "`MODULE:create_app` with this is `MODULE:create_app()` without it.",
    ),
    Setting(
        name="bind",
        section=SERVER_SOCKET,
        flags=("-b", "--bind"),
        kind=TextList(),
        metavar="ADDRESS",
        default=["127.0.0.1:8000"],
        environment=FromEnvironment("PORT", "0.0.0.0:{}"),
        help="Address to listen on; may be given repeatedly. `HOST`, `HOST:PORT`, `[IPV6]:PORT`, "
        "`unix:PATH`, `unix:\\0NAME` (abstract, Linux), or `fd://NUMBER` for a socket inherited from "
        "the parent process.",
    ),
    Setting(
        name="backlog",
        section=SERVER_SOCKET,
        flags=("--backlog",),
        kind=Whole(),
        metavar="INT",
        default=2048,
        help="Connections the kernel keeps waiting for `accept`. The kernel's own bound "
        "(`net.core.somaxconn` on Linux) applies as well.",
    ),
    Setting(
        name="proc_name",
        section=PROCESS_NAMING,
        flags=("-n", "--name"),
        kind=Text(),
        metavar="STRING",
        default=None,
        help="Name of the processes in `ps` and `top` (needs the package `setproctitle`) and in syslog. "
        "Without it the application's name is used.",
    ),
    Setting(
        name="default_proc_name",
        section=PROCESS_NAMING,
        kind=Text(),
        default="indrik",
        help="Name of the processes when `proc_name` is not set. The server puts the application's name "
        "here.",
    ),
)
