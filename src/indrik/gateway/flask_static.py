"""The static folders of a Flask application, with the response fields that Flask gives their files.

Flask is known here by its name and used by its public interface only.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from zlib import adler32

from indrik.gateway.file_answer import Headers
from indrik.gateway.flask_app import is_own_wsgi_app
from indrik.gateway.static_mounts import Mount

#: The variable part of the rule by which Flask serves a folder.
_VARIABLE = "/<path:filename>"

#: RFC 5987's attr-char, beside letters and digits.
_ATTRIBUTE = "!#$&+-.^_`|~"


class FlaskMount(Mount):
    """One static folder. Flask's own routing says which paths are in it."""

    has_index = False
    is_framework = True

    def __init__(self, flask: Any, endpoint: str, rule: str, folder: str, script_name: str) -> None:
        age = flask.config.get("SEND_FILE_MAX_AGE_DEFAULT")
        age = int(age.total_seconds()) if isinstance(age, timedelta) else age
        prefix = script_name.rstrip("/") + rule.removesuffix(_VARIABLE)
        super().__init__(os.fsencode(prefix), os.fsencode(os.path.join(flask.root_path, folder)), age)
        self.route = rule
        self._flask = flask
        self._endpoint = endpoint
        self._skipped = len(os.fsencode(script_name.rstrip("/")))
        self._hosts = flask.config.get("TRUSTED_HOSTS")
        self.judges_hosts = bool(self._hosts)

    def hides(self, name: bytes) -> bool:
        # Flask serves what begins with a dot.
        return name in (b".", b"..")

    def trusts(self, host: str) -> bool:
        return bool(sys.modules["werkzeug"].sansio.utils.host_is_trusted(host, self._hosts))

    def owns(self, path: bytes) -> bool:
        """Whether Flask would answer `path` from this folder: another rule may be more particular."""
        try:
            text = path[self._skipped :].decode("utf-8")
        except UnicodeDecodeError:
            return False
        try:
            endpoint, _ = self._flask.url_map.bind("localhost").match(text, method="GET")
        except sys.modules["werkzeug.exceptions"].HTTPException:
            return False
        return bool(endpoint == self._endpoint)

    def fields(self, names: Sequence[bytes], suffix: bytes, found: os.stat_result) -> Headers:
        name = os.fsdecode(names[-1])
        value = sys.modules["werkzeug.http"].dump_options_header("inline", _file_name(name))
        return [("Content-Disposition", value), *super().fields(names, suffix, found)]

    def etag(self, names: Sequence[bytes], suffix: bytes, found: os.stat_result) -> str:
        path = b"/".join([self.root, *names]) + suffix
        return f'"{found.st_mtime}-{found.st_size}-{adler32(path) & 0xFFFFFFFF}"'


def _file_name(name: str) -> dict[str, str]:
    """The parameters of Content-Disposition that name a file (RFC 6266 section 4.3)."""
    if name.isascii():
        return {"filename": name}
    simple = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return {"filename": simple, "filename*": f"UTF-8''{quote(name, safe=_ATTRIBUTE)}"}


def find_static(flask: Any, script_name: str, log: Any) -> list[Mount]:
    """The mounts of the static folders of `flask` and its blueprints; what is left to Flask is logged."""
    if flask.url_map.host_matching or flask.subdomain_matching:
        log.warning('static = "auto": Flask chooses by host or subdomain; its static files are left to it')
        return []
    if not _is_plain(flask):
        log.warning(
            'static = "auto": app.wsgi_app is wrapped, so the paths that Flask sees are not known; its '
            "static files are left to it (name the directories in a mapping instead)"
        )
        return []
    mounts: list[Mount] = []
    for rule in flask.url_map.iter_rules():
        owner = _owner_of(flask, rule)
        if owner is None:
            continue
        if not _serves_as_usual(flask, owner, rule.endpoint):
            log.info("static: %r has its own way to send static files, which is kept", owner.name)
            continue
        mounts.append(FlaskMount(flask, rule.endpoint, rule.rule, owner.static_folder, script_name))
        _warn_of_functions(flask, rule.endpoint, log)
    return mounts


def _owner_of(flask: Any, rule: Any) -> Any:
    """The application or blueprint whose static folder `rule` is for; None if it is another rule."""
    name, _, last = rule.endpoint.rpartition(".")
    if last != "static" or not rule.rule.endswith(_VARIABLE) or "<" in rule.rule.removesuffix(_VARIABLE):
        return None
    owner = flask.blueprints.get(name) if name else flask
    return owner if owner is not None and owner.has_static_folder else None


def _serves_as_usual(flask: Any, owner: Any, endpoint: str) -> bool:
    """Whether nobody has changed how files of `owner` are found and described."""
    module = sys.modules["flask"]
    usual = module.Flask if owner is flask else module.Blueprint
    view = flask.view_functions.get(endpoint)
    return all(
        getattr(type(owner), name) is getattr(usual, name) and name not in vars(owner)
        for name in ("send_static_file", "get_send_file_max_age")
    ) and (getattr(view, "__self__", None) is owner or getattr(view, "__module__", "") == "flask.app")


def _warn_of_functions(flask: Any, endpoint: str, log: Any) -> None:
    """Says which functions of the application no longer see requests for files."""
    names = endpoint.split(".")[:-1]
    scopes = [None, *(".".join(names[: count + 1]) for count in range(len(names)))]
    tables = {
        "before_request": flask.before_request_funcs,
        "after_request": flask.after_request_funcs,
        "teardown_request": flask.teardown_request_funcs,
    }
    found = [name for name, table in tables.items() if any(table.get(scope) for scope in scopes)]
    if found:
        log.warning(
            'static = "auto": the files of the endpoint %r are sent without the application\'s functions for '
            "%s: anybody gets them",
            endpoint,
            " and ".join(found),
        )


def _is_plain(flask: Any) -> bool:
    """Whether Flask sees the paths that clients send: nothing is around it but ProxyFix, which keeps them."""
    inner = flask.wsgi_app
    while f"{type(inner).__module__}.{type(inner).__name__}" == "werkzeug.middleware.proxy_fix.ProxyFix":
        inner = inner.app
    return is_own_wsgi_app(flask, inner)
