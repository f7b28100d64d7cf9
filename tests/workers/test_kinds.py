"""Every worker kind keeps every promise. A kind that joins SUPPORTED_WORKERS is checked from that moment on.
"""

from __future__ import annotations

import pytest

from indrik.testing import check_names, check_worker
from tests.workers.kinds import ALONE, KINDS, TOGETHER, interface_of, name_of


@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", KINDS, ids=name_of)
def test_promises_by_one_server(way: tuple[str, tuple[str, ...]]) -> None:
    kind, options = way
    check_worker(
        kind, options=options, application_kind=interface_of(kind), only=TOGETHER
    ).raise_if_broken()


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("way", KINDS, ids=name_of)
def test_promise(way: tuple[str, tuple[str, ...]], name: str) -> None:
    kind, options = way
    report = check_worker(kind, options=options, application_kind=interface_of(kind), only=[name])
    report.raise_if_broken()


def test_no_promise_is_left_out() -> None:
    assert sorted([*TOGETHER, *ALONE]) == sorted(check_names())
