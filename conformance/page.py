"""docs/reference/http.md, made from the rows and the measurements: `python -m conformance.page --check` or
`--write`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance import measurements
from conformance.measurements import Measurements, Stale, Waits
from conformance.outcome import CLOSED, KEPT, Outcome, describe
from conformance.row import Patience, Row
from conformance.rows import PATIENCE, ROWS, TOPICS
from conformance.servers import COLUMNS, INDRIK, PEERS, Peer
from indrik.config import Config

PAGE = "http.md"

_RFC = re.compile(r"RFC ([0-9]+) (\S+(?:, \S+)*)")

_TEMPLATE = """\
<!-- Made by `python -m conformance.page --write` from conformance/rows and http-peers.json; do not edit. -->

# HTTP, point by point

What is optional or contested in RFC 9110 and RFC 9112 and their neighbours, what indrik does, why, and what
other servers do. {count} points, each of them one conversation with a real server over a socket:

- **indrik's column is a promise.** The test suite has the same conversations with the real command and holds
  it to every row, on the compiled and the uncompiled build, with the default settings unless the row names
  others.
- **The other columns were measured**, on {date}, on {system} with Python {python}. Each server ran with its
  defaults and met each probe {rounds} times; where the outcomes differed, all are shown. `make conformance`
  measures again and writes [http-peers.json](http-peers.json) and this page.
- Versions: {versions}.

The application is the same everywhere: it notes what it sees, reads the whole body and answers with 200.
uvicorn runs it as ASGI, which hands on a field that came twice as two values, and the others as WSGI. A
dash says that the point does not exist for that server. Gunicorn was measured with its sync worker, its
gthread worker, and the latter with the parser in C (`gunicorn_h1c`); where they differ, each has its own
outcome. The sync worker closes after every answer, which is not repeated where that is all.

A difference is no fault by itself: most points leave a choice to the server, and a server behind a strict
proxy may be lenient. Where the specifications leave no choice, the reason says so.

## How to read it

| words | meaning |
|---|---|
| 400 | that status; the application was not called if it is an error, and was if it is none |
| from the server | an answer of the server's own, the application was not called |
| the application was called | in spite of the error, perhaps before it was found |
| closes without an answer | the connection ends, and nothing was said |
| waits | no answer; the server waits for more, with the connection open |
| then waits | an answer that never ends, or a connection that is open and takes no further request |
| stays open, closes | what becomes of the connection, where it matters; a refusal closes if nothing is said |
| **the next request is spoiled** | a good request behind it was swallowed, or read or answered wrongly |
| `HTTP_X=1`, body … | what the application saw in its environ; no `HTTP_X`: the key was absent |
| `x: 1`, no `x`, cut short | what the answer had; what its head announced did not come whole |

{topics}

## Patience

What happens when the client falls silent. indrik's times are settings, shown with their defaults. Others were
watched for {longest} s.

| point | source | indrik | why | {columns} |
|---|---|---|---|{rules}|
{patience}
"""


def page(found: Measurements) -> str:
    """The text of the page."""
    conditions = found.conditions
    return _TEMPLATE.format(
        count=len(ROWS) + len(PATIENCE),
        date=conditions["date"],
        versions=_versions(conditions),
        python=conditions["python"],
        system=conditions["system"],
        rounds=conditions["rounds"],
        topics="\n\n".join(
            "\n".join(
                (
                    f"## {topic.title}\n",
                    *((f"{topic.introduction}\n",) if topic.introduction else ()),
                    f"| point | source | {INDRIK} | why | {' | '.join(COLUMNS)} |",
                    "|---|---|---|---|" + "---|" * len(COLUMNS),
                    *(_row(row, found.outcomes[row.key]) for row in topic.rows),
                )
            )
            for topic in TOPICS
        ),
        longest=conditions["longest wait"],
        columns=" | ".join(COLUMNS),
        rules="|".join("---" for _ in COLUMNS),
        patience="\n".join(_patience(one, found.waits[one.key]) for one in PATIENCE),
    )


def _versions(conditions: Mapping[str, Any]) -> str:
    versions = conditions["versions"]
    return _list([f"{name} {version}" for name, version in versions.items()])


def _list(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]])


def _row(row: Row, peers: Mapping[str, Sequence[Outcome]]) -> str:
    texts = {
        peer.name: _outcomes(row, [_without_closing(one, peer, peers) for one in peers[peer.name]])
        for peer in PEERS
    }
    return _cells(row.point, _source(row.source), _outcomes(row, [row.indrik]), row.why, *_columns(texts))


def _without_closing(outcome: Outcome, peer: Peer, peers: Mapping[str, Sequence[Outcome]]) -> Outcome:
    """What the next variant of the server did, if a connection that is never kept is all that differs."""
    if not peer.keeps and outcome.end == CLOSED:
        sibling = PEERS[PEERS.index(peer) + 1]
        for other in peers[sibling.name]:
            if replace(outcome, end=other.end) == other and other.end in (CLOSED, KEPT):
                return other
    return outcome


def _outcomes(row: Row, outcomes: Sequence[Outcome]) -> str:
    texts = [describe(outcome, row.shows_end, row.is_response) for outcome in outcomes]
    return " *or* ".join(dict.fromkeys(texts)) or "—"


def _columns(texts: Mapping[str, str]) -> Iterable[str]:
    """The cells of the peers; variants of one server that agree share theirs."""
    for column in COLUMNS:
        variants: dict[str, list[str]] = {}
        for peer in PEERS:
            if peer.column == column:
                variants.setdefault(texts[peer.name], []).append(peer.variant)
        if len(variants) == 1:
            yield next(iter(variants))
        else:
            yield "<br>".join(f"{' and '.join(names)}: {text}" for text, names in variants.items())


def _patience(one: Patience, peers: Mapping[str, Waits]) -> str:
    default: Any = Config().settings[one.setting].default
    ours = Waits((200,) * one.answers + (() if one.status is None else (one.status,)), round(default))
    texts = {name: _waits(one, waits) for name, waits in peers.items()}
    ours_in_words = f"{_waits(one, ours)} (`{one.setting}`)"
    return _cells(one.point, _source(one.source), ours_in_words, one.why, *_columns(texts))


def _waits(one: Patience, waits: Waits) -> str:
    last = waits.statuses[one.answers :]
    if waits.seconds is None:
        return "waits on"
    if waits.seconds == 0:
        return "closes at once"
    return f"{', '.join(map(str, last)) or 'closes'} after {waits.seconds} s"


def _source(text: str) -> str:
    """Sections of an RFC as links to them."""
    found = _RFC.fullmatch(text)
    if found is None:
        return text
    number, sections = found.groups()
    links = []
    for section in sections.split(", "):
        kind = "section" if section[0].isdigit() else "appendix"
        links.append(f"[{section}](https://www.rfc-editor.org/rfc/rfc{number}#{kind}-{section})")
    return f"RFC {number} {', '.join(links)}"


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when the page is fresh or was written, 1 when it or the measurements are stale, 2 without a directory
    for it.
    """
    parser = argparse.ArgumentParser(prog="python -m conformance.page", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="say whether the page is fresh")
    what.add_argument("--write", action="store_true", help="write the page")
    parser.add_argument("--directory", type=Path, default=Path("docs/reference"), help="where the page is")
    options = parser.parse_args(arguments)
    path: Path = options.directory / PAGE
    if not options.directory.is_dir():
        print(f"{options.directory} is no directory: run this at the top of a checkout", file=sys.stderr)
        return 2
    try:
        text = page(measurements.load(measurements.PATH, ROWS, PATIENCE))
    except Stale as stale:
        print(f"{path}: {stale}", file=sys.stderr)
        return 1
    if options.write:
        path.write_text(text, encoding="utf-8")
        return 0
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return 0
    print(f"{path} is stale: run python -m conformance.page --write", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
