"""Applications beside static files: each says that it was asked, and for which path."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response
from werkzeug.middleware.proxy_fix import ProxyFix

BLOCKED = "blocked"
RELEASED = "released"


def _await_release() -> None:
    """Waits in the application until the test lets it go on, by a file in FLASK_TEST_SIGNALS."""
    folder = Path(os.environ["FLASK_TEST_SIGNALS"])
    (folder / BLOCKED).touch()
    give_up_at = time.monotonic() + 30
    while not (folder / RELEASED).exists() and time.monotonic() < give_up_at:
        time.sleep(0.01)


def wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/block":
        _await_release()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"application: {environ['REQUEST_METHOD']} {environ['PATH_INFO']}".encode("latin-1")]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    body = b"application: %s %s" % (scope["method"].encode(), scope["path"].encode("utf-8", "replace"))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def create_flask(**config: Any) -> Flask:
    """With static files in FLASK_TEST_FILES, once more for a blueprint, and a rule of its own among them."""
    files = os.environ["FLASK_TEST_FILES"]
    app = Flask(__name__, static_folder=files, static_url_path="/assets")
    app.config.update(config)

    @app.get("/assets/special.txt")
    def special() -> str:
        return "from the view"

    @app.after_request
    def mark(answer: Response) -> Response:
        answer.headers["X-Seen-By-Flask"] = "yes"
        return answer

    shop = Blueprint("shop", __name__, static_folder=os.path.join(files, "folder"), url_prefix="/shop")
    inner = Blueprint("inner", __name__, static_folder=files, static_url_path="/deep", url_prefix="/inner")
    shop.register_blueprint(inner)
    app.register_blueprint(shop)
    return app


def create_with_own_ages() -> Flask:
    class Dated(Flask):
        def get_send_file_max_age(self, filename: str | None) -> int | None:
            return 17

    return Dated(__name__, static_folder=os.environ["FLASK_TEST_FILES"], static_url_path="/assets")


def create_behind_proxy() -> Flask:
    app = create_flask()
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    return app


def create_wrapped() -> Flask:
    app = create_flask()
    inner = app.wsgi_app

    def outer(environ: Any, start_response: Any) -> Any:
        return inner(environ, start_response)

    app.wsgi_app = outer  # type: ignore[method-assign]
    return app
