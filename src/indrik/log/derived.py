"""The reference page of the access log, made from the tables: `python -m indrik.log.derived --check` or
`--write`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from indrik.log.atoms import ATOMS, FAMILIES, JSON_FORMAT
from indrik.log.json_lines import KEYS
from indrik.log.names import ACCESS, ERROR, GUNICORN_NAMES
from indrik.log.refusals import LINES_PER_SECOND
from indrik.log.syslog import DEFAULT_PORT, SEND_TIMEOUT

PAGE = "access-log.md"

_TEMPLATE = """\
<!-- Made by `python -m indrik.log.derived --write` from the tables in src/indrik/log; do not edit. -->

# The access log

One line for each request, written when its response is finished. It is off until `accesslog` names a file
(`-` is standard output), `syslog` is on, or a logging configuration is given. `access_log_format` says what a
line holds.

## Atoms

Write `%(NAME)s`. Atoms marked as numbers also take `%(NAME)d` and the like; `%%` is a percent sign. A name
that is no atom prints as `-`, with a warning at the start that shows the nearest name. A format that Python
cannot use stops the start.

| atom | meaning | example | number |
|---|---|---|---|
{atoms}

Header names and names of variables are found in upper, lower or mixed case:

| atom | meaning | example |
|---|---|---|
{families}

Times run from the moment the application was called with the whole request; what it had waited until then
is `%({{queue}}x)s`. Of a request that was refused they run from when it was whole, and are 0 if it never
was; its bytes are 0, although its client was told why in a line of text. One that was refused for its head
has here what was read of it: nothing unless the request line was well-formed, and the fields only if each of
them was.

### Escaping

In values, every double quote, backslash, control character and byte beyond ASCII is written as `\\xhh`, so a
client can neither end its quotes nor start a line of its own. In atom `u` a space is escaped too, because it
usually stands without quotes. A `%({{x-forwarded-for}}i)s` can hold spaces: put quotes around it.

## JSON

With `access_log_format = "{json_format}"` each line is one JSON object, in ASCII. What a request does not
have is `null`.

| key | meaning |
|---|---|
{keys}

## Where lines go

A file is opened for appending and each line is one write, so the lines of several workers do not mix. `USR1`
opens every log file again by its name: rename the file, then send `USR1` to the master. A file that cannot be
opened again is kept in use, and the error log says so. When a disk is full or syslog is away, lines are lost
rather than requests; standard error tells how many.

`syslog_addr` is `unix://PATH` with `#dgram` or `#stream` where it matters, `udp://HOST:PORT` or
`tcp://HOST:PORT` (port {syslog_port} without one). Messages are tagged `indrik.PREFIX.error` and
`indrik.PREFIX.access`, where PREFIX is `syslog_prefix` or the name of the processes. Over TCP and unix
streams each message ends in a line feed. A syslog that takes longer than {syslog_timeout:g} s for a message
loses it.

Refused requests appear in the error log, at most {refusal_lines} lines a second for each reason, and then one
line with the number of the others.

## Loggers and logging configurations

The loggers are `{error}` and `{access}`. Gunicorn's names are other names of the same loggers: {aliases}. So
a logging configuration, a filter, or an application that borrows the handlers of `gunicorn.error` works
unchanged. Name each logger once; where one configuration names it twice, the later entry counts. `%(name)s`
in a formatter prints our name.

`logconfig_dict` goes before `logconfig_json`, and that before `logconfig`. A logger that the configuration
names gets the handlers that it says, and `errorlog` or `accesslog` no longer counts for it; a logger that it
does not name keeps them. `disable_existing_loggers` does not switch off the server's own loggers. Filters,
formatters and handlers of such a configuration meet a record whose `msg` is the format and whose `args` are
all atoms.

## A logger class of your own

`logger_class` names a subclass of `indrik.log.Logger`. It may set `error_fmt`, `datefmt`, `access_fmt`,
`syslog_fmt` and `atoms_wrapper_class`, and override `setup`, `access`, `atoms` and `now`. An overridden
`access` is called for each request, access log or not.
"""


def page() -> str:
    """The text of docs/reference/access-log.md."""
    return _TEMPLATE.format(
        atoms="\n".join(
            f"| `{atom.name}` | {atom.meaning} | `{atom.example}` | {'yes' if atom.number else ''} |"
            for atom in ATOMS.values()
        ),
        families="\n".join(
            f"| `{{NAME}}{family.suffix}` | {family.meaning} | `{family.example}` |"
            for family in FAMILIES.values()
        ),
        keys="\n".join(f"| `{key.name}` | {key.meaning} |" for key in KEYS),
        json_format=JSON_FORMAT,
        syslog_port=DEFAULT_PORT,
        syslog_timeout=SEND_TIMEOUT,
        refusal_lines=LINES_PER_SECOND,
        error=ERROR,
        access=ACCESS,
        aliases=", ".join(f"`{theirs}` is `{ours}`" for theirs, ours in GUNICORN_NAMES.items()),
    )


def main(arguments: list[str] | None = None) -> int:
    """0 when the page is fresh or was written, 1 when it is stale, 2 without a directory for it."""
    parser = argparse.ArgumentParser(prog="python -m indrik.log.derived", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="say whether the page is fresh")
    what.add_argument("--write", action="store_true", help="write the page")
    parser.add_argument("--directory", type=Path, default=Path("docs/reference"), help="where the page is")
    options = parser.parse_args(arguments)
    path: Path = options.directory / PAGE
    if not options.directory.is_dir():
        print(f"{options.directory} is no directory: run this at the top of a checkout", file=sys.stderr)
        return 2
    if options.write:
        path.write_text(page(), encoding="utf-8")
        return 0
    if path.exists() and path.read_text(encoding="utf-8") == page():
        return 0
    print(f"{path} is stale: run python -m indrik.log.derived --write", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
