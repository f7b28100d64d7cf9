"""A guestbook: visitors sign it, page through it, read it whole or take it home as a CSV file.

One file of Flask on SQLite, without JavaScript. Any number of server processes may run it at once: what they
share, the entries and the key that signs the session cookie, lies in the database.
"""

from __future__ import annotations

import csv
import fcntl
import io
import itertools
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from flask import (
    Flask,
    Response,
    abort,
    flash,
    g,
    redirect,
    render_template,
    request,
    stream_template,
    stream_with_context,
    url_for,
)
from werkzeug.wrappers import Response as AnyResponse

LONGEST_NAME = 60
LONGEST_MESSAGE = 1000
ENTRIES_ON_A_PAGE = 10
# Rows of the download that are sent together.
ROWS_AT_ONCE = 50

SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    message TEXT NOT NULL,
    written_at TEXT NOT NULL  -- UTC, ISO 8601
);
CREATE TABLE IF NOT EXISTS secret (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    key TEXT NOT NULL
);
"""


@dataclass
class Submission:
    """What a visitor typed, with what is wrong with it: field name -> message."""

    name: str = ""
    message: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_form(cls, form: dict[str, str]) -> Submission:
        message = form.get("message", "").strip().replace("\r\n", "\n")  # browsers send CRLF in a textarea
        submission = cls(form.get("name", "").strip(), message)
        if not submission.name:
            submission.errors["name"] = "Please say who you are."
        elif len(submission.name) > LONGEST_NAME:
            submission.errors["name"] = f"At most {LONGEST_NAME} characters, please."
        if not submission.message:
            submission.errors["message"] = "Please write something."
        elif len(submission.message) > LONGEST_MESSAGE:
            submission.errors["message"] = (
                f"At most {LONGEST_MESSAGE} characters, please: these are {len(submission.message)}."
            )
        return submission


def open_database(path: Path) -> sqlite3.Connection:
    """A connection of one request. Readers never wait (see prepare), a writer waits up to 5 s for another."""
    connection = sqlite3.connect(path, timeout=5)
    connection.row_factory = sqlite3.Row
    return connection


def prepare(path: Path) -> str:
    """Make the tables where they are missing; returns the key that signs cookies, one for all processes.

    Workers start at the same moment, and SQLite does not wait when it changes the journal's mode: a lock
    makes one of them the first.
    """
    with open(path.with_suffix(".lock"), "w") as lock, closing(open_database(path)) as connection:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Stays with the file. In this mode readers do not wait for a writer.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SCHEMA)
        with connection:
            fresh = secrets.token_hex(32)
            connection.execute("INSERT OR IGNORE INTO secret (only, key) VALUES (1, ?)", [fresh])
        key: str = connection.execute("SELECT key FROM secret").fetchone()["key"]
        return key


def safe_cell(text: str) -> str:
    """A CSV cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def create_app(database: str | None = None) -> Flask:
    """The application on a database file: that given, GUESTBOOK_DATABASE, or one in the instance folder."""
    app = Flask(__name__)
    database = database or os.environ.get("GUESTBOOK_DATABASE")
    if database is None:
        Path(app.instance_path).mkdir(parents=True, exist_ok=True)
    path = Path(database or Path(app.instance_path, "guestbook.sqlite3"))

    app.config.update(
        SECRET_KEY=prepare(path),
        SESSION_COOKIE_SAMESITE="Lax",
        # A form of two short fields; the rest is somebody else's idea.
        MAX_CONTENT_LENGTH=64 * 1024,
    )

    def connection() -> sqlite3.Connection:
        if "connection" not in g:
            g.connection = open_database(path)
        opened: sqlite3.Connection = g.connection
        return opened

    @app.teardown_appcontext
    def close_connection(_: BaseException | None) -> None:
        opened = g.pop("connection", None)
        if opened is not None:
            opened.close()

    @app.template_filter("moment")
    def moment(text: str) -> str:
        return datetime.fromisoformat(text).strftime("%d %B %Y, %H:%M UTC")

    def show_page(number: int, submission: Submission, status: int = 200) -> tuple[str, int]:
        count = connection().execute("SELECT count(*) FROM entry").fetchone()[0]
        pages = max(1, -(-count // ENTRIES_ON_A_PAGE))
        if not 1 <= number <= pages:
            abort(404)
        entries = connection().execute(
            "SELECT * FROM entry ORDER BY id DESC LIMIT ? OFFSET ?",
            [ENTRIES_ON_A_PAGE, (number - 1) * ENTRIES_ON_A_PAGE],
        )
        page = render_template(
            "list.html",
            entries=entries,
            count=count,
            page=number,
            pages=pages,
            submission=submission,
            longest_name=LONGEST_NAME,
            longest_message=LONGEST_MESSAGE,
        )
        return page, status

    @app.get("/")
    def index() -> tuple[str, int]:
        return show_page(request.args.get("page", 1, type=int), Submission())

    @app.post("/")
    def sign() -> AnyResponse | tuple[str, int]:
        submission = Submission.from_form(request.form.to_dict())
        if submission.errors:
            return show_page(1, submission, 422)
        written_at = datetime.now(timezone.utc).isoformat(timespec="seconds")
        with connection() as transaction:
            transaction.execute(
                "INSERT INTO entry (name, message, written_at) VALUES (?, ?, ?)",
                [submission.name, submission.message, written_at],
            )
        flash(f"Thank you, {submission.name}.")
        return redirect(url_for("index"), 303)

    def all_entries() -> Iterator[sqlite3.Row]:
        # A generator, so that the connection is opened while the answer is sent: what the view itself opened,
        # Flask has closed by then.
        yield from connection().execute("SELECT * FROM entry ORDER BY id")

    @app.get("/entries.csv")
    def download() -> Response:
        def lines() -> Iterator[str]:
            yield "written_at,name,message\r\n"
            entries = all_entries()
            while rows := list(itertools.islice(entries, ROWS_AT_ONCE)):
                text = io.StringIO()
                csv.writer(text).writerows(
                    [row["written_at"], safe_cell(row["name"]), safe_cell(row["message"])] for row in rows
                )
                yield text.getvalue()

        headers = {"Content-Disposition": 'attachment; filename="guestbook.csv"'}
        return Response(stream_with_context(lines()), mimetype="text/csv", headers=headers)

    @app.get("/book")
    def book() -> Iterator[str]:
        """The whole book on one page, sent in parts as it is read: its length costs no memory."""
        return stream_template("book.html", entries=all_entries())

    @app.errorhandler(404)
    def not_found(_: Exception) -> tuple[str, int]:
        return render_template("error.html", title="No such page", text="Nothing is at this address."), 404

    @app.errorhandler(413)
    def too_large(_: Exception) -> tuple[str, int]:
        return render_template("error.html", title="Too much", text="This form takes less than that."), 413

    return app


app = create_app()
