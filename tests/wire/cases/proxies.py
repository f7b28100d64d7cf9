"""What a trusted proxy may say and a stranger may not: underscores, forwarder fields, the scheme."""

from __future__ import annotations

from typing import Any

from tests.wire.case import AT_CRLF, BYTE_BY_BYTE, WHOLE, Case, bad, get, good

_SCHEMES = {
    "secure_scheme_headers": {
        "X-FORWARDED-PROTOCOL": "ssl",
        "X-FORWARDED-PROTO": "https",
        "X-FORWARDED-SSL": "on",
    }
}
_REFUSE = {"header_map": "refuse"}
_DANGEROUS = {"header_map": "dangerous"}
# The request behind a case is for /tail, which is outside of SCRIPT_NAME.
_ALONE = (WHOLE, BYTE_BY_BYTE, AT_CRLF)
_ANY = {"forwarder_names": frozenset("*")}


def _none() -> dict[str, Any]:
    return {"forwarder_names": frozenset()}


def _scheme(name: str, expected: str, *fields: str, trusted: bool = True) -> Case:
    return good(name, get(*fields), {"wsgi.url_scheme": expected}, trusted=trusted, settings=_SCHEMES)


CASES: tuple[Case, ...] = (
    # --- underscores
    good("underscore is dropped", get("X_Y: 1", "Z: 2"), {"HTTP_X_Y": None, "HTTP_Z": "2"}),
    good("underscore cannot overwrite a dash", get("X-Y: 1", "X_Y: 2"), {"HTTP_X_Y": "1"}),
    good("underscore before a dash cannot either", get("X_Y: 2", "X-Y: 1"), {"HTTP_X_Y": "1"}),
    good("Content_Length is dropped", get("Content_Length: 5"), {"CONTENT_LENGTH": None, "body": b""}),
    good("Remote_User is dropped", get("Remote_User: root"), {"HTTP_REMOTE_USER": None, "REMOTE_USER": None}),
    good("a name of underscores is dropped", get("_: 1", "__: 2"), {"HTTP__": None}),
    bad("underscore is refused", get("X_Y: 1"), "field", settings=_REFUSE),
    bad("underscore is refused in lower case", get("x_y: 1"), "field", settings=_REFUSE),
    good("no underscore, nothing refused", get("X-Y: 1"), {"HTTP_X_Y": "1"}, settings=_REFUSE),
    good("underscore is mapped", get("X_Y: 1"), {"HTTP_X_Y": "1"}, settings=_DANGEROUS),
    good("underscore and dash are joined", get("X_Y: 1", "X-Y: 2"), {"HTTP_X_Y": "1,2"}, settings=_DANGEROUS),
    good(
        "mapped Content_Length does not frame",
        get("Content_Length: 5"),
        {"CONTENT_LENGTH": None, "HTTP_CONTENT_LENGTH": "5", "body": b""},
        settings=_DANGEROUS,
    ),
    good(
        "mapped Transfer_Encoding does not frame",
        get("Transfer_Encoding: chunked"),
        {"HTTP_TRANSFER_ENCODING": "chunked", "body": b""},
        settings=_DANGEROUS,
    ),
    good(
        "mapped Content_Type has a prefix",
        get("Content_Type: a/b"),
        {"HTTP_CONTENT_TYPE": "a/b", "CONTENT_TYPE": None},
        settings=_DANGEROUS,
    ),
    # --- SCRIPT_NAME and other forwarder fields
    good(
        "SCRIPT_NAME of a proxy",
        get("SCRIPT_NAME: /app", target="/app/x"),
        {"SCRIPT_NAME": "/app", "PATH_INFO": "/x", "HTTP_SCRIPT_NAME": None},
        trusted=True,
    ),
    good(
        "SCRIPT_NAME of a proxy in lower case",
        get("script_name: /app", target="/app/x"),
        {"SCRIPT_NAME": "/app", "PATH_INFO": "/x"},
        trusted=True,
    ),
    good(
        "SCRIPT_NAME of a proxy that is the whole path",
        get("SCRIPT_NAME: /app", target="/app"),
        {"SCRIPT_NAME": "/app", "PATH_INFO": ""},
        trusted=True,
    ),
    good(
        "an empty SCRIPT_NAME",
        get("SCRIPT_NAME:", target="/app"),
        {"SCRIPT_NAME": "", "PATH_INFO": "/app"},
        trusted=True,
    ),
    good(
        "SCRIPT_NAME of a stranger is dropped",
        get("SCRIPT_NAME: /app", target="/app/x"),
        {"SCRIPT_NAME": "", "PATH_INFO": "/app/x", "HTTP_SCRIPT_NAME": None},
    ),
    bad(
        "SCRIPT_NAME of a stranger is refused",
        get("SCRIPT_NAME: /app", target="/app/x"),
        "field",
        settings=_REFUSE,
    ),
    good(
        "Script-Name of a stranger is an ordinary field",
        get("Script-Name: /app", target="/app/x"),
        {"SCRIPT_NAME": "", "PATH_INFO": "/app/x"},
    ),
    good(
        "Script-Name of a proxy is an ordinary field",
        get("Script-Name: /app", target="/app/x"),
        {"SCRIPT_NAME": "", "PATH_INFO": "/app/x"},
        trusted=True,
    ),
    good(
        "mapped SCRIPT_NAME of a stranger is an ordinary field",
        get("SCRIPT_NAME: /app", target="/app/x"),
        {"SCRIPT_NAME": "", "PATH_INFO": "/app/x"},
        settings=_DANGEROUS,
    ),
    good(
        "Script-Name of a stranger beside the server's own",
        get("Script-Name: /", target="/app/x"),
        {"SCRIPT_NAME": "/app", "PATH_INFO": "/x"},
        modes=_ALONE,
        settings={"script_name": "/app"},
    ),
    good(
        "the server's own SCRIPT_NAME",
        get(target="/app/x"),
        {"SCRIPT_NAME": "/app", "PATH_INFO": "/x"},
        modes=_ALONE,
        settings={"script_name": "/app"},
    ),
    Case(
        "a path outside of SCRIPT_NAME",
        get(target="/x"),
        (500,),
        seen=(),
        modes=_ALONE,
        settings={"script_name": "/app"},
        logs=("the application failed",),
    ),
    Case(
        "a path that only begins like SCRIPT_NAME",
        get(target="/apple"),
        (500,),
        seen=(),
        modes=_ALONE,
        settings={"script_name": "/app"},
        logs=("the application failed",),
    ),
    good(
        "PATH_INFO of a proxy", get("PATH_INFO: /y"), {"PATH_INFO": "/", "HTTP_PATH_INFO": "/y"}, trusted=True
    ),
    good("PATH_INFO of a stranger", get("PATH_INFO: /y"), {"PATH_INFO": "/", "HTTP_PATH_INFO": None}),
    good(
        "another underscore of a proxy is dropped",
        get("REMOTE_USER: x"),
        {"HTTP_REMOTE_USER": None},
        trusted=True,
    ),
    bad(
        "another underscore of a proxy is refused",
        get("REMOTE_USER: x"),
        "field",
        trusted=True,
        settings=_REFUSE,
    ),
    good(
        "SCRIPT_NAME of a proxy is not refused",
        get("SCRIPT_NAME: /a", target="/a/b"),
        {"SCRIPT_NAME": "/a"},
        trusted=True,
        settings=_REFUSE,
    ),
    good(
        "all underscores of a proxy if *",
        get("REMOTE_USER: x"),
        {"HTTP_REMOTE_USER": "x"},
        trusted=True,
        settings=_ANY,
    ),
    good(
        "no underscores of a stranger although *",
        get("REMOTE_USER: x"),
        {"HTTP_REMOTE_USER": None},
        settings=_ANY,
    ),
    good(
        "no forwarder field at all",
        get("SCRIPT_NAME: /a", target="/a"),
        {"SCRIPT_NAME": ""},
        trusted=True,
        settings=_none(),
    ),
    # --- the scheme
    _scheme("no scheme field", "http"),
    _scheme("X-Forwarded-Proto https", "https", "X-Forwarded-Proto: https"),
    _scheme("X-Forwarded-Ssl on", "https", "X-Forwarded-Ssl: on"),
    _scheme("X-Forwarded-Protocol ssl", "https", "X-Forwarded-Protocol: ssl"),
    _scheme("scheme in lower-case name", "https", "x-forwarded-proto: https"),
    _scheme("scheme in capital name", "https", "X-FORWARDED-PROTO: https"),
    _scheme("two that agree", "https", "X-Forwarded-Proto: https", "X-Forwarded-Ssl: on"),
    _scheme("X-Forwarded-Proto http", "http", "X-Forwarded-Proto: http"),
    _scheme("X-Forwarded-Proto of another kind", "http", "X-Forwarded-Proto: ftp"),
    _scheme("an empty one", "http", "X-Forwarded-Proto:"),
    _scheme("of a stranger", "http", "X-Forwarded-Proto: https", trusted=False),
    _scheme("with an underscore", "http", "X_Forwarded_Proto: https"),
    bad(
        "two that disagree",
        get("X-Forwarded-Proto: https", "X-Forwarded-Ssl: off"),
        "scheme",
        trusted=True,
        settings=_SCHEMES,
        seen=(),
    ),
    bad(
        "two that disagree, the other way",
        get("X-Forwarded-Proto: http", "X-Forwarded-Ssl: on"),
        "scheme",
        trusted=True,
        settings=_SCHEMES,
        seen=(),
    ),
    _scheme(
        "two that disagree, of a stranger",
        "http",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Ssl: off",
        trusted=False,
    ),
    good(
        "nothing configured, nothing believed",
        get("X-Forwarded-Proto: https"),
        {"wsgi.url_scheme": "http"},
        trusted=True,
    ),
    good(
        "a scheme of the house",
        get("X-Secure: yes"),
        {"wsgi.url_scheme": "https"},
        trusted=True,
        settings={"secure_scheme_headers": {"X-SECURE": "yes"}},
    ),
    good(
        "X-Forwarded-For does not change the address",
        get("X-Forwarded-For: 1.2.3.4"),
        {"REMOTE_ADDR": "", "HTTP_X_FORWARDED_FOR": "1.2.3.4"},
        trusted=True,
    ),
    good(
        "X-Forwarded-Host does not change the host",
        get("X-Forwarded-Host: evil"),
        {"HTTP_HOST": "a"},
        trusted=True,
    ),
)
