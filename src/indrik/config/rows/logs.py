"""Rows: error log, access log, syslog, statsd."""

from __future__ import annotations

import sys

from indrik.config.kinds import Flag, Text
from indrik.config.lists import Table
from indrik.config.names import LOGGER_ALIASES
from indrik.config.resolved import ClassName, StatsdAddress
from indrik.config.setting import Setting

SECTION = "Logging"
STATSD_LATER = "statsd comes in a later version; until then count the lines of the access log"


def syslog_address() -> str:
    """Where this platform's syslog listens."""
    if sys.platform == "darwin":
        return "unix:///var/run/syslog"
    if sys.platform.startswith(("freebsd", "dragonfly")):
        return "unix:///var/run/log"
    if sys.platform.startswith("openbsd"):
        return "unix:///dev/log"
    return "udp://localhost:514"


ROWS = (
    Setting(
        name="accesslog",
        section=SECTION,
        flags=("--access-logfile",),
        kind=Text(),
        metavar="FILE",
        default=None,
        help="File for the access log; `-` = standard output. Without it there is no access log.",
    ),
    Setting(
        name="disable_redirect_access_to_syslog",
        section=SECTION,
        flags=("--disable-redirect-access-to-syslog",),
        kind=Flag(),
        default=False,
        help="Keep the access log out of syslog.",
    ),
    Setting(
        name="access_log_format",
        section=SECTION,
        flags=("--access-logformat",),
        kind=Text(),
        metavar="STRING",
        default='%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"',
        help="Form of a line of the access log, with `%(NAME)s` for each atom; or `json` for one JSON object "
        "a line.",
    ),
    Setting(
        name="errorlog",
        section=SECTION,
        flags=("--error-logfile", "--log-file"),
        kind=Text(),
        metavar="FILE",
        default="-",
        help="File for the error log; `-` = standard error.",
    ),
    Setting(
        name="loglevel",
        section=SECTION,
        flags=("--log-level",),
        kind=Text(),
        metavar="LEVEL",
        default="info",
        help="Least severe messages that go to the error log: `debug`, `info`, `warning`, `error` or "
        "`critical`.",
    ),
    Setting(
        name="capture_output",
        section=SECTION,
        flags=("--capture-output",),
        kind=Flag(),
        default=False,
        help="Send what is written to standard output and standard error to the error log.",
    ),
    Setting(
        name="logger_class",
        section=SECTION,
        flags=("--logger-class",),
        kind=ClassName(LOGGER_ALIASES),
        metavar="STRING",
        default="indrik.log.Logger",
        help="Class that writes the logs: its dotted path, an entry point of the group `indrik.loggers`, or "
        "in a Python file the class itself.",
    ),
    Setting(
        name="logconfig",
        section=SECTION,
        flags=("--log-config",),
        kind=Text(),
        metavar="FILE",
        default=None,
        help="Configuration file for Python's `logging`, in the ini form of `logging.config.fileConfig`.",
    ),
    Setting(
        name="logconfig_dict",
        section=SECTION,
        kind=Table(),
        default={},
        help="Configuration for Python's `logging`, in the form of `logging.config.dictConfig`. It is laid "
        "over the built-in one, and goes before `logconfig_json` and `logconfig`.",
    ),
    Setting(
        name="logconfig_json",
        section=SECTION,
        flags=("--log-config-json",),
        kind=Text(),
        metavar="FILE",
        default=None,
        help="JSON file with what `logconfig_dict` would hold; goes before `logconfig`.",
    ),
    Setting(
        name="syslog_addr",
        section=SECTION,
        flags=("--log-syslog-to",),
        kind=Text(),
        metavar="SYSLOG_ADDR",
        default="udp://localhost:514",
        make_default=syslog_address,
        help="Where syslog listens: `udp://HOST:PORT`, `tcp://HOST:PORT` or `unix://PATH`, with `#dgram` or "
        "`#stream` after the path for the type of socket. The default is that of the platform (here, of "
        "Linux).",
    ),
    Setting(
        name="syslog",
        section=SECTION,
        flags=("--log-syslog",),
        kind=Flag(),
        default=False,
        help="Send both logs to syslog.",
    ),
    Setting(
        name="syslog_prefix",
        section=SECTION,
        flags=("--log-syslog-prefix",),
        kind=Text(),
        metavar="SYSLOG_PREFIX",
        default=None,
        help="Name under which messages appear in syslog; without it the processes' name.",
    ),
    Setting(
        name="syslog_facility",
        section=SECTION,
        flags=("--log-syslog-facility",),
        kind=Text(),
        metavar="SYSLOG_FACILITY",
        default="user",
        help="Facility of messages in syslog, such as `user`, `daemon` or `local0`.",
    ),
    Setting(
        name="enable_stdio_inheritance",
        section=SECTION,
        flags=("-R", "--enable-stdio-inheritance"),
        kind=Flag(),
        default=False,
        help="In the background, keep standard output and standard error where they were redirected to.",
    ),
    Setting(
        name="statsd_host",
        section=SECTION,
        flags=("--statsd-host",),
        kind=StatsdAddress(),
        metavar="STATSD_ADDR",
        default=None,
        supported=False,
        reason=STATSD_LATER,
        help="Statsd server to send metrics to, `HOST:PORT` or `unix://PATH`.",
    ),
    Setting(
        name="dogstatsd_tags",
        section=SECTION,
        flags=("--dogstatsd-tags",),
        kind=Text(),
        metavar="DOGSTATSD_TAGS",
        default="",
        supported=False,
        reason=STATSD_LATER,
        help="Tags, between commas, added to each metric.",
    ),
    Setting(
        name="statsd_prefix",
        section=SECTION,
        flags=("--statsd-prefix",),
        kind=Text(),
        metavar="STATSD_PREFIX",
        default="",
        supported=False,
        reason=STATSD_LATER,
        help="Prefix of the metrics' names; a dot is added.",
    ),
    Setting(
        name="enable_backlog_metric",
        section=SECTION,
        flags=("--enable-backlog-metric",),
        kind=Flag(),
        default=False,
        supported=False,
        reason=STATSD_LATER,
        help="Send the number of connections that wait to be accepted as a metric (Linux).",
    ),
)
