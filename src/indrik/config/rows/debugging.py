"""Rows: for development, and for looking at the configuration."""

from __future__ import annotations

from indrik.config.kinds import Choice, Flag
from indrik.config.resolved import Files
from indrik.config.setting import Setting

SECTION = "Debugging"

ROWS = (
    Setting(
        name="reload",
        section=SECTION,
        flags=("--reload",),
        kind=Flag(),
        default=False,
        help="Replace workers when a file of the application changes. For development.",
    ),
    Setting(
        name="reload_engine",
        section=SECTION,
        flags=("--reload-engine",),
        kind=Choice(("auto", "poll", "inotify")),
        metavar="STRING",
        default="auto",
        help="How `reload` learns of changes: by looking regularly, or from the kernel (`inotify`, "
        "with the package watchfiles). `auto` takes watchfiles where it is installed.",
    ),
    Setting(
        name="reload_extra_files",
        section=SECTION,
        flags=("--reload-extra-file",),
        kind=Files(),
        metavar="FILES",
        default=[],
        help="Further file, or pattern such as `templates/*.html`, for `reload` to watch; may be given "
        "repeatedly.",
    ),
    Setting(
        name="spew",
        section=SECTION,
        flags=("--spew",),
        kind=Flag(),
        default=False,
        help="Print each line that the server executes.",
    ),
    Setting(
        name="check_config",
        section=SECTION,
        flags=("--check-config",),
        kind=Flag(),
        default=False,
        help="Load the configuration and the application, and exit: status 0 if both are fine, 1 if not.",
    ),
    Setting(
        name="print_config",
        section=SECTION,
        flags=("--print-config",),
        kind=Flag(),
        default=False,
        help="Print each setting with its value and where that came from; otherwise like `check_config`.",
    ),
)
