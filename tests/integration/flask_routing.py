"""A Flask application with every sort of rule."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, abort, redirect, request, url_for
from werkzeug.wrappers.response import Response

app = Flask(__name__)
admin = Blueprint("admin", __name__, url_prefix="/admin")


@app.get("/")
def index() -> str:
    return "index"


@app.get("/int/<int:number>")
@app.get("/int/negative/<int(signed=True):number>")
def whole(number: int) -> str:
    return f"{number!r}"


@app.get("/float/<float:number>")
def fraction(number: float) -> str:
    return f"{number!r}"


@app.get("/uuid/<uuid:value>")
def identifier(value: Any) -> str:
    return f"{value!r}"


@app.get("/any/<any(a, b):value>")
def one_of(value: str) -> str:
    return value


@app.get("/text/<value>")
def text(value: str) -> str:
    return f"{value!r} {request.args.to_dict()!r} {request.full_path}"


@app.get("/path/<path:value>/end")
def path(value: str) -> str:
    return f"{value!r}"


@app.get("/folder/")
def folder() -> str:
    return "folder"


@app.get("/file", strict_slashes=True)
def file() -> str:
    return "file"


@app.get("/loose", strict_slashes=False)
def loose() -> str:
    return "loose"


@app.route("/methods", methods=["PUT", "DELETE", "PATCH"])
def methods() -> str:
    return request.method


@app.get("/default", defaults={"page": 1})
@app.get("/default/<int:page>")
def default(page: int) -> str:
    return f"page {page}"


@app.get("/old")
def old() -> Response:
    return redirect(url_for("text", value="ä b/c", q="1&2"))


@app.get("/links")
def links() -> dict[str, str]:
    return {
        "inside": url_for("whole", number=7),
        "outside": url_for("admin.user", name="me", _external=True),
        "root": request.root_path,
        "url": request.url,
        "base": request.base_url,
        "host": request.host_url,
    }


@admin.get("/user/<name>")
def user(name: str) -> str:
    return f"{request.blueprint} {request.endpoint} {name}"


@admin.errorhandler(404)
def lost(error: Exception) -> tuple[str, int]:
    return "lost in admin", 404


@admin.get("/gone")
def gone() -> str:
    abort(404)


@app.errorhandler(405)
def wrong_method(error: Exception) -> tuple[str, int]:
    return "another method", 405


app.register_blueprint(admin)
