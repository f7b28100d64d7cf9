"""Every worker kind keeps every promise. A kind that joins SUPPORTED_WORKERS is checked from that moment on.
"""

from __future__ import annotations

import pytest

from indrik.testing import check_names, check_worker
from indrik.workers import SUPPORTED_WORKERS

#: More ways to run a kind than as it comes.
VARIANTS: dict[str, tuple[tuple[str, ...], ...]] = {"gthread": (("--threads", "4"),)}

KINDS = [(kind, options) for kind in SUPPORTED_WORKERS for options in ((), *VARIANTS.get(kind, ()))]


@pytest.mark.parametrize("name", check_names())
@pytest.mark.parametrize(
    ("kind", "options"), KINDS, ids=[" ".join((kind, *options)) for kind, options in KINDS]
)
def test_promise(kind: str, options: tuple[str, ...], name: str) -> None:
    check_worker(kind, options=options, only=[name]).raise_if_broken()
