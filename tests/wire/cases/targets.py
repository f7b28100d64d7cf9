"""Request targets in their four forms, and Host (RFC 9112 sections 3.2 and 3.3, RFC 9110 section 7.2)."""

from __future__ import annotations

from tests.wire.case import Case, bad, get, good, request


def _host(*values: str, target: str = "/", version: str = "1.1") -> bytes:
    return request(f"GET {target} HTTP/{version}", *(f"Host: {value}" for value in values))


def _connect(target: str) -> bytes:
    return request(f"CONNECT {target} HTTP/1.1", "Host: a")


def _path(target: str, path: str, query: str = "") -> Case:
    return good(
        f"target {target}", get(target=target), {"PATH_INFO": path, "QUERY_STRING": query, "RAW_URI": target}
    )


CASES: tuple[Case, ...] = (
    # --- origin form
    _path("/", "/"),
    _path("/a", "/a"),
    _path("/a/", "/a/"),
    _path("//a", "//a"),
    _path("//evil.example/a", "//evil.example/a"),
    _path("/a//b", "/a//b"),
    _path("/a/../b", "/a/../b"),
    _path("/a/./b", "/a/./b"),
    _path("/?", "/"),
    _path("/?a=b", "/", "a=b"),
    _path("/a?b?c", "/a", "b?c"),
    _path("/a?b=%20%zz", "/a", "b=%20%zz"),
    _path("/a?/b/../c", "/a", "/b/../c"),
    _path("/%61", "/a"),
    _path("/%2F", "//"),
    _path("/%2f%3F%23", "//?#"),
    _path("/%C3%A4", "/\xc3\xa4"),
    _path("/%00", "/\0"),
    _path("/%0d%0a", "/\r\n"),
    _path("/%", "/%"),
    _path("/%4", "/%4"),
    _path("/%zz", "/%zz"),
    _path("/%25%32%35", "/%25"),
    _path("/a+b", "/a+b"),
    _path("/a;b=c", "/a;b=c"),
    _path("/http://b/", "/http://b/"),
    _path("/*", "/*"),
    _path("/:80", "/:80"),
    _path('/"<>\\^`{|}', '/"<>\\^`{|}'),
    _path("/~!$&'()*,=:@-._", "/~!$&'()*,=:@-._"),
    bad("fragment", get(target="/a#b"), "target"),
    bad("fragment alone", get(target="#b"), "target"),
    bad("octets beyond ASCII in the target", get(target="/\xe4"), "target"),
    bad("UTF-8 in the target", get(target="/\xc3\xa4"), "target"),
    bad("relative target", get(target="a"), "target"),
    bad("relative target with dots", get(target="../a"), "target"),
    bad("query as target", get(target="?a"), "target"),
    # --- absolute form
    good(
        "absolute target",
        get(target="http://b/c?d"),
        {"PATH_INFO": "/c", "QUERY_STRING": "d", "HTTP_HOST": "b", "RAW_URI": "http://b/c?d"},
    ),
    good("absolute target without path", get(target="http://b"), {"PATH_INFO": "/", "HTTP_HOST": "b"}),
    good(
        "absolute target without path, with query",
        get(target="http://b?c"),
        {"PATH_INFO": "/", "QUERY_STRING": "c"},
    ),
    good("absolute target with port", get(target="http://b:81/"), {"HTTP_HOST": "b:81"}),
    good("absolute target in capitals", get(target="HTTP://B/"), {"HTTP_HOST": "B", "PATH_INFO": "/"}),
    good(
        "absolute target with https", get(target="https://b/"), {"HTTP_HOST": "b", "wsgi.url_scheme": "http"}
    ),
    good("absolute target with IPv6", get(target="http://[::1]:80/"), {"HTTP_HOST": "[::1]:80"}),
    good("absolute target and the same Host", _host("b", target="http://b/"), {"HTTP_HOST": "b"}),
    good(
        "absolute target on 1.0",
        get(target="http://b/c", version="1.0", host=None),
        {"PATH_INFO": "/c"},
        closes=True,
    ),
    bad("absolute target without Host on 1.1", get(target="http://b/", host=None), "host"),
    bad("absolute target with user", get(target="http://u@b/"), "target"),
    bad("absolute target with user and password", get(target="http://u:p@b/"), "target"),
    bad("absolute target without authority", get(target="http:///a"), "target"),
    bad("absolute target with one slash", get(target="http:/a"), "target"),
    bad("absolute target with a port that is no number", get(target="http://b:c/"), "target"),
    bad("absolute target with a broken IPv6", get(target="http://[::1/"), "target"),
    bad("absolute target with a backslash in the authority", get(target="http://a\\b/"), "target"),
    bad("absolute target with ftp", get(target="ftp://b/"), "target"),
    bad("absolute target with file", get(target="file:///etc/passwd"), "target"),
    bad("javascript target", get(target="javascript:alert(1)"), "target"),
    # --- authority form
    good(
        "CONNECT",
        _connect("b:443"),
        {"REQUEST_METHOD": "CONNECT", "PATH_INFO": "", "RAW_URI": "b:443"},
        closes=True,
    ),
    good("CONNECT to IPv6", _connect("[::1]:443"), {"PATH_INFO": ""}, closes=True),
    bad("CONNECT without port", _connect("b"), "target"),
    bad("CONNECT with empty port", _connect("b:"), "target"),
    bad("CONNECT without host", _connect(":443"), "target"),
    bad("CONNECT to IPv6 without port", _connect("[::1]"), "target"),
    bad("CONNECT with a port beyond 65535", _connect("b:65536"), "target"),
    bad("CONNECT with port 0", _connect("b:0"), "target"),
    bad("CONNECT with a path", _connect("/"), "target"),
    bad("CONNECT with an absolute target", _connect("http://b/"), "target"),
    bad("CONNECT with a user", _connect("u@b:443"), "target"),
    bad("CONNECT with *", _connect("*"), "target"),
    bad("authority for GET", get(target="b:443"), "target"),
    bad("host alone for GET", get(target="b"), "target"),
    # --- asterisk form
    good(
        "OPTIONS *", request("OPTIONS * HTTP/1.1", "Host: a"), {"REQUEST_METHOD": "OPTIONS", "PATH_INFO": "*"}
    ),
    bad("GET *", get(target="*"), "target"),
    bad("OPTIONS with * and more", request("OPTIONS *a HTTP/1.1", "Host: a"), "target"),
    bad("OPTIONS with * and a query", request("OPTIONS *?a HTTP/1.1", "Host: a"), "target"),
    # --- Host
    *(
        good(f"Host {host!r}", _host(host), {"HTTP_HOST": host})
        for host in (
            "",
            "a",
            "example.com",
            "EXAMPLE.com",
            "a:80",
            "a:",
            "a:65535",
            "127.0.0.1",
            "127.0.0.1:8000",
            "[::1]",
            "[::1]:80",
            "[v1.a:b]",
            "xn--bcher-kva.example",
            "a_b",
            "a-b",
            "a.b.",
            "%61",
            "a%20b",
            "~!$&'()*+,;=",
        )
    ),
    good("Host with blanks around", _host("  a\t "), {"HTTP_HOST": "a"}),
    *(
        bad(f"Host {host!r}", _host(host), "host")
        for host in (
            "a b",
            "a\tb",
            "a/b",
            "a?b",
            "a#b",
            "a@b",
            "u:p@b",
            "a:b",
            "a:80:81",
            "a:+80",
            "a:-80",
            "a:999999",
            "http://a",
            "[::1",
            "::1",
            "[]",
            "[a",
            "a]",
            "[::1]a",
            "[::1]:a",
            "[::1%25eth0]",
            "a\\b",
            'a"b',
            "a<b",
            "a^b",
            "a`b",
            "a{b}",
            "a|b",
            "\xe4",
            "a\xa0",
            "%",
            "%2",
            "%zz",
            "a%2",
            "[v.a]",
            "[vx.a]",
            "[1]",
            "[:]",
            "[1.2.3.4]",
            "[::g]",
            "a:65536",
        )
    ),
    bad("no Host on 1.1", get(host=None), "host"),
    good("no Host on 1.0", get(host=None, version="1.0"), {"HTTP_HOST": None}, closes=True),
    bad("no Host on 1.1, other fields", get("Accept: */*", host=None), "host"),
    bad("two Hosts", _host("a", "b"), "host"),
    bad("two equal Hosts", _host("a", "a"), "host"),
    bad("an empty Host and another", _host("", "a"), "host"),
    bad("two Hosts on 1.0", _host("a", "b", version="1.0"), "host"),
    bad("bad Host on 1.0", _host("a b", version="1.0"), "host"),
    bad("bad Host with an absolute target", _host("a b", target="http://b/"), "host"),
    bad("Host spelled oddly twice", request("GET / HTTP/1.1", "hOsT: a", "HOST: a"), "host"),
    good("Host spelled oddly", request("GET / HTTP/1.1", "hOsT: a"), {"HTTP_HOST": "a"}),
    bad("a bad Host behind a good one", _host("a") + _host("a b"), "host", after=1),
)
