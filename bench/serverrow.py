"""What a row of the tables of servers says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.cases import Case

INDRIK = "indrik"
UNCOMPILED = "indrik (uncompiled)"
FLOOR = "floor"
NGINX = "nginx"

# How a server has several requests in progress at once.
SINGLE, THREADS, GREENLETS, LOOP = "single", "threads", "greenlets", "loop"

# The interface of the floor, which is in every table and calls no application.
ANY = "any"

# What stands for the interface of rows that send a file without calling an application.
FILES = "files"


@dataclass(frozen=True)
class Server:
    """One row.

    `command` is words between blanks; {indrik} and {peers} are the folders of the programs of the two virtual
    environments, {packages} where the second keeps its packages, {root} is the repository, {files} a folder
    with an index of 10 kB, {app} MODULE:VAR, {threads} their number, and {crowd} what `crowd` says if many
    connections are to be held for longer than it takes to count them, else nothing. {body} and {answer} are
    for the floor: the bytes of a request's body and the file that holds the answer. A `crowd` of None says
    that the server cannot keep many connections. `reports_build` is a word that the command's --version must
    say.
    """

    name: str
    command: str
    settings: str
    package: str
    interface: str = "wsgi"
    kind: str = SINGLE
    threads: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    crowd: str | None = ""
    reports_build: str = ""

    def argv(self, places: Mapping[str, str], crowded: bool = False, threads: int | None = None) -> list[str]:
        """The command with its places filled in. `threads` is another number of them than the row's."""
        words = self.command.replace("{crowd}", (self.crowd or "") if crowded else "")
        here = {"body": "BODY", "answer": "ANSWER", "threads": str(threads or self.threads), **places}
        return [word.format_map(here) for word in words.split()]

    def environment(self, places: Mapping[str, str]) -> dict[str, str]:
        """What the command's environment has beyond what every server's has."""
        return {name: value.format_map(dict(places)) for name, value in self.env.items()}

    def takes(self, case: Case) -> bool:
        """Whether the row is measured with the case."""
        return case.has_floor if self.interface == ANY else self.interface == case.interface

    @property
    def ours(self) -> bool:
        return is_ours(self.name)


def is_ours(name: str) -> bool:
    """Whether a row of this name is indrik, of whatever build and kind."""
    return name.split("-")[0].split(" ")[0] == INDRIK
