"""The kind of the setting `routes`: limits for single routes of the application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from indrik.config.kinds import Kind, RejectedValue
from indrik.config.nearest import did_you_mean

_PARTS = ("concurrency", "rate", "timeout")

#: The time of each of the last so many requests is kept, 8 bytes each.
_MOST_IN_RATE = 1_000_000


@dataclass(frozen=True)
class RouteLimit:
    """The limits of one route.

    concurrency: requests in progress over all workers, 0 for any number. rate: as it was written, "" for
    none; rates: its pairs of a number of requests and seconds. timeout: seconds that the application has for
    a request, 0 for what `request_timeout` says.
    """

    concurrency: int = 0
    rate: str = ""
    timeout: float = 0.0
    rates: tuple[tuple[int, float], ...] = ()

    def __repr__(self) -> str:
        """As it is written in a configuration file."""
        return repr({name: value for name in _PARTS if (value := getattr(self, name))})


class Routes(Kind):
    """A table of routes, each with a table of its limits."""

    label = "table (dict) of routes, each a table (dict) of concurrency, rate, timeout"

    def parse(self, value: Any) -> dict[str, RouteLimit]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise RejectedValue(f"must be a dict, not {type(value).__name__}")
        parsed: dict[str, RouteLimit] = {}
        for route, limits in value.items():
            if not isinstance(route, str) or not route:
                raise RejectedValue(f"{route!r} must be the text of a URL rule or the name of an endpoint")
            parsed[route] = limits if isinstance(limits, RouteLimit) else _parse_limits(route, limits)
        return parsed

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "concurrency": {"type": "integer", "minimum": 1},
                    "rate": {"type": "string"},
                    "timeout": {"type": "number", "exclusiveMinimum": 0},
                },
                "additionalProperties": False,
                "minProperties": 1,
            },
        }


def _parse_limits(route: str, limits: Any) -> RouteLimit:
    if not isinstance(limits, Mapping):
        raise RejectedValue(f"the limits of {route!r} must be a dict, not {type(limits).__name__}")
    for name in limits:
        if name not in _PARTS:
            hint = did_you_mean(str(name), _PARTS)
            raise RejectedValue(f"{route!r}: {name!r} is not one of {', '.join(_PARTS)}{hint}")
    if not limits:
        raise RejectedValue(f"{route!r} has none of {', '.join(_PARTS)}")
    concurrency = limits.get("concurrency", 0)
    if "concurrency" in limits and not (_is_number(concurrency, int) and concurrency >= 1):
        raise RejectedValue(f"{route!r}: concurrency must be a whole number, 1 or more, not {concurrency!r}")
    timeout = limits.get("timeout", 0.0)
    if "timeout" in limits and not (_is_number(timeout, int, float) and 0 < timeout < float("inf")):
        raise RejectedValue(f"{route!r}: timeout must be a number of seconds above 0, not {timeout!r}")
    rate = limits.get("rate", "")
    rates = _parse_rate(route, rate) if "rate" in limits else ()
    return RouteLimit(int(concurrency), rate, float(timeout), rates)


def _is_number(value: Any, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _parse_rate(route: str, rate: Any) -> tuple[tuple[int, float], ...]:
    if not isinstance(rate, str):
        raise RejectedValue(f"{route!r}: rate must be text such as '20/minute', not {rate!r}")
    try:
        # Imported late: only a rate needs it.
        from limits import parse_many
    except ImportError as error:
        raise RejectedValue(
            f"{route!r}: a rate needs the package limits; install it with: pip install 'indrik[routes]'"
        ) from error
    try:
        rates = tuple((item.amount, float(item.get_expiry())) for item in parse_many(rate))
    except ValueError:
        raise RejectedValue(
            f"{route!r}: {rate!r} is no rate; write it as '20/minute', '5 per 2 hours' or "
            "'1/second;20/minute'"
        ) from None
    for amount, seconds in rates:
        if not 1 <= amount <= _MOST_IN_RATE or not seconds > 0:
            raise RejectedValue(
                f"{route!r}: {rate!r} must let 1 to {_MOST_IN_RATE} requests begin in a time above 0"
            )
    return rates
