"""Error log and access log: `Logger` and what a subclass of it or the engine needs.

Everybody above writes by the `Logger` that he is given; it knows no request but by the attributes that
`atoms` reads. Start reading in `logger`. `atoms` is the table of what an access line may hold,
`access_format` and `json_lines` make the line, `access_writer` hands it over without a record where nobody
looks at one, `handlers`, `outputs` and `syslog` take it away, unless the user has a `logconfig` of his own;
`refusals` limits what strangers can have written.
"""

from __future__ import annotations

from indrik.log.logconfig import CONFIG_DEFAULTS
from indrik.log.logger import Logger
from indrik.log.refusals import RefusalLog
from indrik.log.safe_atoms import SafeAtoms

__all__ = ["CONFIG_DEFAULTS", "Logger", "RefusalLog", "SafeAtoms"]
