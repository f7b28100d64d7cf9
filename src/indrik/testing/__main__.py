"""`python -m indrik.testing -k KIND`: the suite on the command line."""

from __future__ import annotations

import argparse
import sys

from indrik.testing.promises import CHECKS
from indrik.testing.report import line_of
from indrik.testing.suite import APPLICATIONS, check_names, check_worker


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 when every promise is kept, 1 when one is broken, 2 for a wrong command line."""
    parser = argparse.ArgumentParser(
        prog="python -m indrik.testing",
        description="Check that a worker kind keeps the promises of every kind.",
    )
    parser.add_argument("-k", "--worker-class", metavar="KIND", help="name or dotted path of the kind")
    parser.add_argument(
        "--interface", choices=APPLICATIONS, default="wsgi", help="what the kind calls [%(default)s]"
    )
    parser.add_argument("--only", action="append", metavar="CHECK", help="run this check only; repeatable")
    parser.add_argument("--list", action="store_true", help="say what is checked, and end")
    parser.add_argument("options", nargs="*", help="more options for the server, behind --")
    options = parser.parse_args(arguments)
    if options.list:
        for name in check_names():
            print(f"{name}\n    {CHECKS[name].promise}")
        return 0
    if options.worker_class is None:
        parser.error("-k KIND is missing")
    names = options.only or check_names()
    if unknown := sorted(set(names) - set(check_names())):
        parser.error(f"no such check: {', '.join(unknown)}; --list shows them")
    report = check_worker(
        options.worker_class,
        options=options.options,
        application_kind=options.interface,
        only=names,
        on_outcome=lambda outcome: print(line_of(outcome), flush=True),
    )
    print(report.summary())
    return 0 if report.is_conforming else 1


if __name__ == "__main__":
    sys.exit(main())
