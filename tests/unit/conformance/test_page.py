"""The words for outcomes, the page made of them, and the file of measurements between the two."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import environment, measurements
from conformance.applications import RESPONSES
from conformance.measurements import Measurements, Stale, Waits
from conformance.outcome import (
    CLOSED,
    KEPT,
    LOST,
    WAITS,
    Outcome,
    answered,
    code,
    describe,
    refused,
    served,
)
from conformance.page import main, page
from conformance.row import Patience, Row
from conformance.rows import PATIENCE, ROWS, TOPICS
from conformance.servers import OPTIONS, PEERS

FOUND = measurements.load(measurements.PATH, ROWS, PATIENCE)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (refused(), "400"),
        (refused(431), "431"),
        (Outcome((400,), 0, KEPT), "400; stays open"),
        (Outcome((400,), 0, WAITS), "400; then waits"),
        (refused(400, 200), "200, 400"),
        (served(), "200"),
        (served(end=CLOSED), "200"),
        (served(end=WAITS), "200; then waits"),
        (served(end=LOST), "200; **the next request is spoiled**"),
        (served(HTTP_X="1"), "200; `HTTP_X=1`"),
        (served(HTTP_X=""), "200; `HTTP_X=`"),
        (served(HTTP_X=" 1"), "200; `HTTP_X=' 1'`"),
        (served(HTTP_X=None), "200; no `HTTP_X`"),
        (served(HTTP_X=["1", "2"]), "200; `HTTP_X`: `1` and `2`"),
        (served(body="hi"), "200; body `hi`"),
        (served(body=""), "200; body empty"),
        (served(body=None), "200"),
        (served(paths=["/a", "/b"]), "200; paths `/a` and `/b`"),
        (Outcome(shown={"body error": "OSError"}), "200; body error `OSError`"),
        (Outcome(shown={"has early hints": "no"}), "200; no way to send them"),
        (Outcome(shown={"has early hints": "yes"}), "200"),
        (answered(connection="close"), "200; `connection: close`"),
        (answered(connection=None), "200; no `connection`"),
        (answered(set_cookie=["a", "b"]), "200; `set-cookie: a` and `set-cookie: b`"),
        (answered(body="hi"), "200; body `hi`"),
        (answered(body=""), "200; no body"),
        (answered(complete="no"), "200; cut short"),
        (answered(complete="yes"), "200; whole"),
        (answered(extra="hi"), "200; `hi` behind the answer"),
        (answered(extra=""), "200; nothing behind it"),
        (Outcome(shown={"answer spelling of x": "X"}), "200; `X`"),
        (Outcome(shown={"answer spelling of x": None}), "200; no `spelling of x`"),
        (answered(version="HTTP/1.0"), "200; as `HTTP/1.0`"),
        (answered(has_date="yes"), "200; a `date`"),
        (answered(has_date="no"), "200; no `date`"),
        (Outcome((200,), 0, CLOSED), "200; from the server"),
        (Outcome((400,), 1, CLOSED), "400; the application was called"),
        (Outcome((400,), 2, CLOSED), "400; the application was called 2 times"),
        (Outcome((), 0, CLOSED), "closes without an answer"),
        (Outcome((), 1, CLOSED), "closes without an answer; the application was called"),
        (Outcome((), 0, WAITS), "waits"),
        (Outcome((100, 200), 1, KEPT), "100, 200"),
    ],
)
def test_words(outcome: Outcome, words: str) -> None:
    assert describe(outcome, False, False) == words


def test_words_where_the_end_matters() -> None:
    assert describe(served(), True, False) == "200; stays open"
    assert describe(served(end=CLOSED), True, False) == "200; closes"
    assert describe(Outcome((), 0, CLOSED), True, False) == "closes without an answer"


def test_words_where_the_application_is_called_in_any_case() -> None:
    assert describe(Outcome((500,), 1, CLOSED), False, True) == "500"
    assert describe(Outcome((), 1, CLOSED), False, True) == "closes without an answer"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "`a\\|b`"),
        ("a`b", "`a\\x60b`"),
        ("a\r\nb", "`a\\r\\nb`"),
        ("\xe4", "`\\xe4`"),
        (" a", "`' a'`"),
        ("", "empty"),
    ],
)
def test_code_keeps_the_table_whole(text: str, shown: str) -> None:
    assert code(text) == shown


def test_every_row_is_a_row_of_the_page() -> None:
    text = page(FOUND)
    tables = [line for line in text.splitlines() if line.startswith("| ")]
    # A bar that is no border would move the cells behind it.
    borders = {line.replace("\\|", "").count("|") for line in tables}
    assert borders == {3, 9}
    assert all(f"\n| {row.point} | " in text for row in ROWS)
    assert all(f"\n| {one.point} | " in text for one in PATIENCE)
    assert all(f"## {topic.title}\n" in text for topic in TOPICS)


def test_sections_are_links() -> None:
    sources = {line.split(" | ")[1] for line in page(FOUND).splitlines() if line.startswith("| ")}
    base = "https://www.rfc-editor.org/rfc/rfc9112"
    assert f"RFC 9112 [6.1]({base}#section-6.1), [6.3]({base}#section-6.3)" in sources
    assert f"RFC 9112 [9.3]({base}#section-9.3), [C.2.2]({base}#appendix-C.2.2)" in sources
    assert "PEP 3333" in sources
    assert not [source for source in sources if "RFC" in source and "](" not in source]


def test_rows_have_names_of_their_own() -> None:
    keys = [row.key for row in ROWS] + [one.key for one in PATIENCE]
    assert len(set(keys)) == len(keys)
    assert len(keys) > 60
    assert all(row.options in OPTIONS for row in ROWS)


def test_measurements_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    measurements.save(path, FOUND, ROWS, PATIENCE)
    assert measurements.load(path, ROWS, PATIENCE) == FOUND
    assert path.read_text(encoding="utf-8") == measurements.PATH.read_text(encoding="utf-8")


def test_a_probe_that_was_not_measured_is_noticed() -> None:
    first, *others = ROWS
    changed = replace(first, steps=(b"GET /other HTTP/1.1\r\n\r\n",))
    with pytest.raises(Stale, match=f"{first.key}.*make conformance"):
        measurements.load(measurements.PATH, (changed, *others), PATIENCE)
    with pytest.raises(Stale, match=r"new.*make conformance"):
        measurements.load(measurements.PATH, (*ROWS, replace(first, key="new")), PATIENCE)
    with pytest.raises(Stale, match=f"{first.key}.*no row any more"):
        measurements.load(measurements.PATH, others, PATIENCE)


def test_words_about_indrik_can_change_without_a_measurement() -> None:
    first, *others = ROWS
    changed = replace(first, indrik=refused(499), why="another reason", point="another point")
    text = page(measurements.load(measurements.PATH, (changed, *others), PATIENCE))
    assert "another reason" not in text


def test_the_command_says_what_is_stale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "--directory", str(tmp_path / "nowhere")]) == 2
    assert "is no directory" in capsys.readouterr().err
    assert main(["--check", "--directory", str(tmp_path)]) == 1
    assert "is stale: run python -m conformance.page --write" in capsys.readouterr().err
    assert main(["--write", "--directory", str(tmp_path)]) == 0
    assert main(["--check", "--directory", str(tmp_path)]) == 0


def test_the_pins_are_those_that_were_measured() -> None:
    assert FOUND.conditions["versions"] == environment.asked_for()


def test_every_response_of_the_application_is_asked_for() -> None:
    sent = b"".join(step for row in ROWS for step in row.steps if isinstance(step, bytes))
    asked = {match.decode() for match in re.findall(rb"/respond/([^ ]+)", sent)}
    assert asked == {*RESPONSES, "written", "hints"}


def test_a_peer_is_started_with_the_words_of_a_set_of_options() -> None:
    places = {"bin": "/b", "host": "h", "port": "1"}
    [gunicorn] = [peer for peer in PEERS if peer.name == "gunicorn"]
    words = gunicorn.argv(places, "PROXY v1")
    assert words[-3:] == ["--proxy-protocol", "v1", "conformance.applications:application"]
    assert words[:2] == ["/b/gunicorn", "--no-control-socket"]


def test_every_measurement_is_there_or_does_not_apply() -> None:
    for row in ROWS:
        for peer in PEERS:
            outcomes = FOUND.outcomes[row.key][peer.name]
            assert bool(outcomes) == measurements.applies(row, peer), (row.key, peer.name)


def test_a_wait_in_words() -> None:
    waits = {peer.name: Waits((), None) for peer in PEERS}
    waits["uvicorn"] = Waits((), 5)
    waits["granian"] = Waits((408,), 30)
    waits["waitress"] = Waits((), 0)
    one = Patience("x", "a point", "a source", (), "header_timeout", 408, "a reason")
    text = _page_with(one, waits)
    line = next(line for line in text.splitlines() if line.startswith("| a point"))
    assert line == (
        "| a point | a source | 408 after 10 s (`header_timeout`) | a reason | waits on | closes after 5 s "
        "| 408 after 30 s | closes at once |"
    )


def _page_with(one: Patience, waits: dict[str, Waits]) -> str:
    found = Measurements(FOUND.conditions, FOUND.outcomes, {one.key: waits})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("conformance.page.PATIENCE", (one,))
        return page(found)


def test_variants_that_agree_share_a_cell() -> None:
    row: Row = ROWS[0]
    outcomes: dict[str, tuple[Outcome, ...]] = {peer.name: (served(),) for peer in PEERS}
    outcomes["gunicorn"] = (refused(),)
    outcomes["uvicorn"] = (served(), refused())
    found = Measurements(FOUND.conditions, {**FOUND.outcomes, row.key: outcomes}, FOUND.waits)
    line = next(line for line in page(found).splitlines() if line.startswith(f"| {row.point}"))
    assert line.endswith("| sync: 400<br>gthread and gthread, C parser: 200 | 200 *or* 400 | 200 | 200 |")


def test_the_file_is_json_with_a_line_for_each_outcome() -> None:
    text = measurements.PATH.read_text(encoding="utf-8")
    assert len(json.loads(text)["rows"]) == len(ROWS)
    assert len(text.splitlines()) > len(ROWS) * len(PEERS)
