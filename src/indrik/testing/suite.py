"""Running the checks over one worker kind."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from indrik.testing import checks
from indrik.testing.bench import Bench
from indrik.testing.promises import CHECKS, Check, NotPromised
from indrik.testing.report import BROKEN, KEPT, NOT_PROMISED, Outcome, Report
from indrik.testing.server import Server
from indrik.testing.shared import SharedServer

#: Interface that a kind calls -> the application of the checks for it.
APPLICATIONS = {"wsgi": "indrik.testing.wsgi:application", "asgi": "indrik.testing.asgi:application"}

#: Lines of the server's log in a report.
_LOG_LINES = 40


def check_names() -> tuple[str, ...]:
    """The names of all checks."""
    return tuple(
        name for module in checks.MODULES for name, one in CHECKS.items() if one.run.__module__ == module
    )


def check_worker(
    worker_class: str | type,
    *,
    options: Sequence[str] = (),
    application_kind: str = "wsgi",
    only: Collection[str] | None = None,
    concurrent: bool | None = None,
    attentive: bool | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Report:
    """Starts the real command with a worker kind, and checks what every kind promises.

    worker_class: a name that `--worker-class` understands, or a class that can be imported by its module and
    name. options: more of the command line, for example `("--threads", "4")`. application_kind: the interface
    that the kind calls. only: names of the checks to run (`check_names`), all by default. concurrent: whether
    the kind lets a second request into the application beside the first. attentive: whether it goes on
    reading, and giving signs of life, while a request is inside; one that does not is aborted when a request
    takes longer than `timeout`. Both are found out by default. on_outcome: called after each check.

    Raises ValueError for an unknown name of a check or an interface, and for a class that cannot be imported.
    """
    worker = _name_of(worker_class)
    if application_kind not in APPLICATIONS:
        raise ValueError(
            f"application_kind must be one of {', '.join(APPLICATIONS)}, not {application_kind!r}"
        )
    names = check_names()
    if only is not None:
        if unknown := sorted(set(only) - set(names)):
            raise ValueError(f"no such check: {', '.join(unknown)}; there are {', '.join(names)}")
        names = tuple(name for name in names if name in only)
    report = Report(worker)
    application = APPLICATIONS[application_kind]

    def start(folder: Path) -> Server:
        return Server(folder, worker, application, options)

    with SharedServer(start) as pool:
        for name in names:
            bench = Bench(pool, worker, application_kind, application, options, concurrent, attentive)
            outcome = _run(CHECKS[name], bench)
            report.outcomes.append(outcome)
            if on_outcome is not None:
                on_outcome(outcome)
            if outcome.verdict == BROKEN:
                pool.discard()
            concurrent, attentive = bench.known_concurrency, bench.known_attention
    return report


def sharing_names() -> tuple[str, ...]:
    """The names of the checks that use one server, as long as none of them fails."""
    return tuple(name for name in check_names() if CHECKS[name].shares)


def _run(check: Check, bench: Bench) -> Outcome:
    begun = time.monotonic()
    verdict, detail = KEPT, ""
    with bench:
        try:
            check.run(bench)
        except NotPromised as reason:
            verdict, detail = NOT_PROMISED, str(reason)
        except (AssertionError, OSError, ValueError) as error:
            # OSError: the server is not there any more. ValueError: what it sent is no response.
            verdict, detail = BROKEN, _describe(error, bench)
    return Outcome(check.name, check.promise, verdict, detail, time.monotonic() - begun)


def _describe(error: Exception, bench: Bench) -> str:
    text = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
    if bench.last is not None:
        lines = bench.last.whole_log().splitlines()[-_LOG_LINES:]
        text += "\nthe end of the server's log:\n" + textwrap.indent("\n".join(lines), "  ")
    return text


def _name_of(worker_class: str | type) -> str:
    if isinstance(worker_class, str):
        return worker_class
    if "." in worker_class.__qualname__ or worker_class.__module__ == "__main__":
        raise ValueError(f"{worker_class!r} cannot be imported by a name: put it at the top of a module")
    return f"{worker_class.__module__}.{worker_class.__qualname__}"
