"""An application that goes on beyond its Content-Length is named once, not once a piece."""

from __future__ import annotations

from pathlib import Path

from tests.process.conftest import ServerFactory

APP = """\
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "1")])
    return iter([b"x"] * 500)
"""


def test_one_line_for_all_the_pieces(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(APP)
    server = serve().wait_ready()
    assert server.get("/") == "x"
    assert server.get("/") == "x"
    server.wait_for_log("sent more than its Content-Length", count=2)
    assert server.log().count("sent more than its Content-Length") == 2
