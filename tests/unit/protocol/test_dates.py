"""The Date field, compared with the standard library's e-mail dates, which have the same form."""

from __future__ import annotations

import time
from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st

from indrik.protocol.response import format_date


@given(st.integers(min_value=0, max_value=253402300799))
def test_a_date_is_an_imf_fixdate(seconds: int) -> None:
    assert format_date(time.gmtime(seconds)) == formatdate(seconds, usegmt=True)
