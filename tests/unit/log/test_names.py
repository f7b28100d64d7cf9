from __future__ import annotations

import logging

import pytest

from indrik.log.names import ACCESS, ERROR, GUNICORN_NAMES, share_gunicorn_names


@pytest.mark.parametrize(("theirs", "ours"), GUNICORN_NAMES.items())
def test_both_names_give_one_logger(theirs: str, ours: str) -> None:
    share_gunicorn_names()
    assert logging.getLogger(theirs) is logging.getLogger(ours)


def test_a_second_call_changes_nothing() -> None:
    share_gunicorn_names()
    before = dict(logging.Logger.manager.loggerDict)
    share_gunicorn_names()
    assert logging.Logger.manager.loggerDict == before


def test_a_logger_made_earlier_under_the_other_name_shares_state() -> None:
    early = logging.getLogger("gunicorn.error")
    handler = logging.NullHandler()
    early.addHandler(handler)
    early.addFilter(seen := logging.Filter("indrik"))
    early.setLevel(logging.ERROR)
    share_gunicorn_names()
    own = logging.getLogger(ERROR)
    assert own.handlers == [handler]
    assert own.filters == [seen]
    assert own.level == logging.ERROR
    own.setLevel(logging.DEBUG)
    assert early.isEnabledFor(logging.DEBUG)
    late = logging.NullHandler()
    own.addHandler(late)
    assert early.handlers == [handler, late]


def test_the_level_of_our_logger_stays_when_both_had_one() -> None:
    logging.getLogger(ERROR).setLevel(logging.WARNING)
    logging.getLogger("gunicorn.error").setLevel(logging.DEBUG)
    share_gunicorn_names()
    assert logging.getLogger("gunicorn.error").level == logging.WARNING


def test_children_of_the_gunicorn_logger_hang_below_ours() -> None:
    child = logging.getLogger("gunicorn.access.special")  # leaves placeholders for its parents
    other = logging.getLogger("gunicorn.other")
    share_gunicorn_names()
    assert child.parent is logging.getLogger(ACCESS)
    assert other.parent is logging.getLogger("indrik")
    del logging.Logger.manager.loggerDict["gunicorn.access.special"]
    del logging.Logger.manager.loggerDict["gunicorn.other"]
