"""Whether a client still wants what it asks for: the conditions of a request (RFC 9110 section 13)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

#: What the conditions say: answer as usual, 304 Not Modified, 412 Precondition Failed.
GO_ON = 0
NOT_MODIFIED = 304
FAILED = 412

_ETAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_GAP = re.compile(r"[ \t,]*")

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FIRST_DAY = date(1970, 1, 1).toordinal()
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_DATES = (
    re.compile(rf"\w{{3}}, (?P<day>\d\d) (?P<month>\w{{3}}) (?P<year>\d{{4}}) {_CLOCK} GMT", re.ASCII),
    re.compile(rf"\w{{6,9}}, (?P<day>\d\d)-(?P<month>\w{{3}})-(?P<year>\d\d) {_CLOCK} GMT", re.ASCII),
    re.compile(rf"\w{{3}} (?P<month>\w{{3}}) (?P<day>[ \d]\d) {_CLOCK} (?P<year>\d{{4}})", re.ASCII),
)


def parse_date(text: str) -> int | None:
    """Seconds since 1970 of an HTTP date in any of its three forms (RFC 9110 section 5.6.7); None for what is
    none.
    """
    for form in _DATES:
        found = form.fullmatch(text.strip())
        if found is None:
            continue
        if found["month"] not in _MONTHS:
            return None
        year = int(found["year"])
        if len(found["year"]) == 2:
            # Two digits are the century's in which the date is not more than 50 years ahead: until 2070.
            year += 2000 if year < 70 else 1900
        month = _MONTHS.index(found["month"]) + 1
        day, hour, minute, second = (int(found[part]) for part in ("day", "hour", "minute", "second"))
        if hour > 23 or minute > 59 or second > 60:
            return None
        try:
            days = date(year, month, day).toordinal() - _FIRST_DAY
        except ValueError:
            # A day that the month does not have, or the year 0.
            return None
        return ((days * 24 + hour) * 60 + minute) * 60 + second
    return None


def _names(value: str, etag: str, *, strongly: bool) -> bool:
    """Whether a list of entity tags, or `*`, names `etag` (RFC 9110 section 8.8.3.2)."""
    if value.strip() == "*":
        return True
    if strongly:
        return not etag.startswith("W/") and etag in _listed(value)
    return etag.removeprefix("W/") in [listed.removeprefix("W/") for listed in _listed(value)]


def _listed(value: str) -> list[str]:
    """The entity tags of a list, none if it is malformed. Not one expression: that would try every way to
    divide the blanks that a stranger sends.
    """
    tags: list[str] = []
    at = 0
    while True:
        gap = _GAP.match(value, at)
        assert gap is not None
        at = gap.end()
        if at == len(value):
            return tags
        found = _ETAG.match(value, at)
        if found is None or (tags and "," not in gap[0]):
            return []
        tags.append(found[0])
        at = found.end()


def evaluate(fields: Mapping[str, str], is_read: bool, etag: str, modified: int | None) -> int:
    """`GO_ON`, `NOT_MODIFIED` or `FAILED`, in the order of RFC 9110 section 13.2.2.

    fields: the request's, by lower-case names. is_read: the method is GET or HEAD. etag, modified: those of
    what would be sent; an empty tag and None if it has none. modified: in seconds since 1970.
    """
    if (value := fields.get("if-match")) is not None:
        if not _names(value, etag, strongly=True):
            return FAILED
    elif (
        (value := fields.get("if-unmodified-since")) is not None
        and (date := parse_date(value)) is not None
        and modified is not None
        and modified > date
    ):
        return FAILED
    if (value := fields.get("if-none-match")) is not None:
        if _names(value, etag, strongly=False):
            return NOT_MODIFIED if is_read else FAILED
    elif (
        is_read
        and (value := fields.get("if-modified-since")) is not None
        and (date := parse_date(value)) is not None
        and modified is not None
        and modified <= date
    ):
        return NOT_MODIFIED
    return GO_ON


def wants_range(fields: Mapping[str, str], etag: str, modified: int | None) -> bool:
    """Whether Range counts: without If-Range always, else only if the client's part is of this very
    representation (RFC 9110 section 13.1.5).
    """
    value = fields.get("if-range")
    if value is None:
        return True
    value = value.strip()
    found = _ETAG.fullmatch(value)
    if found is not None:
        return found[1] is None and value == etag
    return modified is not None and parse_date(value) == modified
