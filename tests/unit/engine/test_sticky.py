"""Which worker a request belongs to, and the cookie that says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from indrik.engine.siblings import Siblings
from indrik.engine.sticky import Sticky
from indrik.net.mailbox import Mailbox
from indrik.protocol.head import HeadParser
from indrik.protocol.limits import Limits
from indrik.protocol.request import Request
from indrik.scoreboard.board import Scoreboard
from indrik.scoreboard.layout import State

WORKERS = 4
PEER = ("192.0.2.1", 1234)


class Family:
    """Four workers that serve; each sees the others."""

    def __init__(self) -> None:
        self.board = Scoreboard(8)
        self.mailboxes = [Mailbox() for _ in range(6)]
        self.slots = [self.board.take(1, age, 0.0) for age in range(1, WORKERS + 1)]
        for slot in self.slots:
            slot.state = State.IDLE

    def sticky(self, number: int, kind: str, name: str = "") -> Sticky:
        neighbours = self.board.neighbours(len(self.mailboxes))
        return Sticky(kind, name, Siblings(self.slots[number], neighbours, self.mailboxes, 100))

    def choices(
        self, kind: str, name: str, request: Request, peer: tuple[str, int] | None = PEER
    ) -> set[int]:
        """The workers that the serving ones take for the right one."""
        found = set()
        for slot in self.slots:
            if slot.state == State.IDLE:
                sibling = self.sticky(slot.number, kind, name).find(request, peer)
                found.add(slot.number if sibling is None else sibling.number)
        return found


@pytest.fixture
def family() -> Iterator[Family]:
    one = Family()
    yield one
    for mailbox in one.mailboxes:
        mailbox.close()


def request(target: str = "/", *fields: str) -> Request:
    lines = [f"GET {target} HTTP/1.1", "Host: x", *fields, "", ""]
    data = "\r\n".join(lines).encode("latin-1")
    return HeadParser(Limits()).parse(Request(), data, len(data), False)


def chosen(family: Family, value: str) -> int:
    (number,) = family.choices("query", "room", request(f"/?room={value}"))
    return number


def test_all_agree_and_every_worker_has_a_share(family: Family) -> None:
    found = Counter(chosen(family, str(value)) for value in range(400))
    assert sorted(found) == [0, 1, 2, 3]
    assert min(found.values()) > 60


def test_only_the_clients_of_a_worker_that_leaves_are_given_to_others(family: Family) -> None:
    before = {value: chosen(family, str(value)) for value in range(200)}
    family.slots[2].state = State.DRAINING
    after = {value: chosen(family, str(value)) for value in range(200)}
    assert all(after[value] == number for value, number in before.items() if number != 2)
    assert {after[value] for value, number in before.items() if number == 2} == {0, 1, 3}


def test_a_worker_that_leaves_gives_its_clients_away(family: Family) -> None:
    family.slots[2].state = State.DRAINING
    for value in range(20):
        found = family.sticky(2, "query", "room").find(request(f"/?room={value}"), PEER)
        assert found is not None
        assert found.number == chosen(family, str(value))


@pytest.mark.parametrize(
    ("kind", "name", "asked"),
    [
        ("query", "room", request("/?room=")),
        ("query", "room", request("/?ROOM=1&rooms=2&x=room")),
        ("query", "room", request("/")),
        ("header", "X-Session", request("/", "X-Sessions: 1")),
        ("ip", "", request("/")),
    ],
)
def test_without_a_value_it_stays(kind: str, name: str, asked: Request, family: Family) -> None:
    assert family.choices(kind, name, asked, None) == {0, 1, 2, 3}


def test_the_value_is_what_counts(family: Family) -> None:
    one = family.choices("header", "x-session", request("/a", "X-SESSION: 7", "X-Session: 8"))
    assert one == family.choices("header", "X-Session", request("/b", "x-session: 7"))
    assert len(one) == 1
    assert family.choices("ip", "", request("/"), ("192.0.2.9", 1)) == family.choices(
        "ip", "", request("/"), ("192.0.2.9", 2)
    )


# --- cookies


def test_the_cookie_names_the_worker(family: Family) -> None:
    for number in range(WORKERS):
        asked = request("/", f"Cookie: a=9; io={number}", "Cookie: io=0")
        assert family.choices("cookie", "io", asked) == {number}
        assert family.sticky(number, "cookie", "io").new_cookie(asked) == ""


@pytest.mark.parametrize(
    "text",
    ["io=4", "io=5", "io=6", "io=00", "io=-1", "io=1x", "io=", "io", "IO=1", "io=\xb2", "io=12345", '"io=1"'],
)
def test_what_names_no_serving_worker_gets_a_new_cookie(text: str, family: Family) -> None:
    asked = request("/", f"Cookie: {text}")
    assert family.choices("cookie", "io", asked) == {0, 1, 2, 3}
    assert family.sticky(3, "cookie", "io").new_cookie(asked).startswith("\r\nSet-Cookie: io=3; Path=/;")


def test_a_worker_that_leaves_binds_nobody(family: Family) -> None:
    family.slots[3].state = State.DRAINING
    assert family.sticky(3, "cookie", "io").new_cookie(request("/")) == ""
    assert family.choices("cookie", "io", request("/", "Cookie: io=3")) == {0, 1, 2}


def test_the_other_rules_set_no_cookie(family: Family) -> None:
    assert family.sticky(0, "query", "room").new_cookie(request("/?room=1")) == ""
