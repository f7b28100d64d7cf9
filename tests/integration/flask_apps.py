"""A Flask application for the tests of what indrik does for Flask: configured by environment variables."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, g, request, send_file, stream_with_context, url_for
from werkzeug.middleware.proxy_fix import ProxyFix


def create_app(greeting: str = "hello", **config: Any) -> Flask:
    """The application; `config` goes into its configuration, and so does FLASK_TEST_CONFIG (JSON)."""
    app = Flask(__name__)
    app.config.update(config)
    app.config.update(json.loads(os.environ.get("FLASK_TEST_CONFIG", "{}")))
    if app.config.get("BEHIND_PROXY"):
        app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1)  # type: ignore[method-assign]

    @app.get("/")
    def index() -> str:
        return greeting

    @app.get("/notes/<int:number>")
    def note(number: int) -> str:
        return f"note {number}"

    @app.post("/upload")
    def upload() -> str:
        return str(len(request.get_data()))

    @app.get("/host")
    def host() -> str:
        return request.host

    @app.get("/link")
    def link() -> str:
        return url_for("index", _external=True)

    @app.get("/crash")
    def crash() -> str:
        raise ValueError("crash requested")

    @app.get("/debug")
    def debug() -> str:
        return str(app.debug)

    @app.route("/file/<path:name>", methods=["GET", "POST"])
    def file(name: str) -> Response:
        return send_file(os.path.join(os.environ["FLASK_TEST_FILES"], name), mimetype="text/x-test")

    @app.route("/named", methods=["GET", "POST"])
    def named() -> Response:
        """The field and value of the query string as a header field of an empty response."""
        answer = Response(status=int(request.args.get("status", 200)), mimetype="text/plain")
        answer.headers[request.args["field"]] = request.args["value"]
        return answer

    return app


def create_counting() -> Flask:
    """Counts how often a request's context is torn down, and whether the next one finds something of it."""
    app = Flask(__name__)
    counts = {"/plain": 0, "/stream": 0, "/count": 0, "leaks": 0}

    @app.before_request
    def look() -> None:
        counts["leaks"] += len(list(g))
        g.path = request.path

    @app.teardown_request
    def count(error: BaseException | None) -> None:
        counts[request.path] += 1

    @app.get("/plain")
    def plain() -> str:
        return "plain"

    @app.get("/stream")
    def stream() -> Response:
        def pieces() -> Iterator[bytes]:
            for _ in range(32):
                assert g.path == "/stream"
                yield b"x" * 65536

        return Response(stream_with_context(pieces()))

    @app.get("/count")
    def tell() -> dict[str, int]:
        return counts

    return app


def generated(environ: dict[str, Any], start_response: Any) -> Any:
    """A generator that names a file: start_response is called when it is iterated. With a query, before a
    byte.
    """
    start_response("200 OK", [("X-Sendfile", os.environ["FLASK_TEST_FILES"] + environ["PATH_INFO"])])
    if environ["QUERY_STRING"]:
        yield b"not sent"


def written(environ: dict[str, Any], start_response: Any) -> Any:
    """Names a file and goes on by write(), with a wrong header field if there is a query."""
    headers: list[Any] = [("X-Sendfile", os.environ["FLASK_TEST_FILES"] + environ["PATH_INFO"])]
    if environ["QUERY_STRING"]:
        headers.append((1, "wrong", 2))
    write = start_response("200 OK", headers)
    write(b"")
    return []


app = create_app()
#: Not Flask's application itself: what the middleware does is not the server's to know.
wrapped = ProxyFix(create_app(), x_host=1)
