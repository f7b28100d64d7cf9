"""gevent's own tests of its WSGI server, run on ours: all pass but those that want it otherwise on
purpose.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: Why a test cannot pass -> the tests.
DIFFERENCES = {
    "a request of HTTP/1.1 without Host is refused (RFC 9112 section 3.2)": {
        "ChunkedInputTests.test_dirt",
        "ChunkedInputTests.test_short_read",
        "TestNonLatin1HeaderFromApplication.test",
        "TestNonLatin1UnicodeHeaderFromApplication.test",
    },
    "a request with both Content-Length and Transfer-Encoding is refused (RFC 9112 section 6.1)": {
        "ChunkedInputTests.test_chunked_readline",
        "ChunkedInputTests.test_short_read_with_content_length",
        "ChunkedInputTests.test_short_read_with_zero_content_length",
    },
    "the application is called when the body is whole and well-formed, its trailers too": {
        "ChunkedInputTests.test_close_before_finished",
        "TestChunkedPost.test_trailers_close_ignored",
        "TestChunkedPost.test_trailers_keepalive_ignored",
        "TestChunkedPost.test_trailers_request_smuggling_header_first",
        "TestChunkedPost.test_trailers_request_smuggling_missing_last_chunk_keep_alive",
        "TestChunkedPost.test_trailers_too_long",
    },
    "no 100 Continue when the body is there already (RFC 9110 section 10.1.1 permits that)": {
        "Expect100ContinueTests.test_continue",
    },
    "a request line is judged when the whole head is there": {
        "BadRequestTests.test_bad_request_line_with_percent",
    },
    "Cookie alone is joined with semicolons (RFC 6265 section 5.4), not Cookie2": {
        "MultipleCookieHeadersTest.test",
    },
    "the body must be bytes (PEP 3333)": {
        "TestBytearray.test_basic",
        "TestBytearray.test_connection_close",
        "TestBytearray.test_pipeline",
        "TestCloseIter.test_close_is_called",
    },
    "a response of status 304 loses its body and its length silently": {
        "TestBody304.test_err",
        "TestContentLength304.test_err",
        "TestWrite304.test_err",
    },
    "a body that turns out to be empty has Content-Length: 0 and no chunks": {
        "TestEmptyYield.test_err",
    },
    "status 101 cannot be sent by start_response; the socket can be taken over instead": {
        "TestConnectionUpgrades.test_connection_upgrade",
        "TestConnectionUpgrades.test_upgrade_websocket",
    },
    "start_response refuses it with the server's own kind of error, which names the rule": {
        "TestHTTPResponseSplitting.test_newline_in_header_name",
        "TestHTTPResponseSplitting.test_newline_in_header_value",
        "TestHTTPResponseSplitting.test_newline_in_status",
    },
    "environ is a plain dict (PEP 3333), not a class of pywsgi's": {
        "TestEnviron.test_environ_is_secure_by_default",
    },
    "there is no handler class whose parser could be overridden": {
        "TestHandlerSubclass.test",
    },
}


def test_gevents_own_tests() -> None:
    script = Path(__file__).with_name("pywsgi_suite.py")
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=100)
    lines = run.stdout.splitlines()
    ran = [int(line[4:]) for line in lines if line.startswith("ran ")]
    assert ran, run.stderr
    assert ran[0] >= 100
    failed = {line[7:] for line in lines if line.startswith("failed ")}
    expected = {name for names in DIFFERENCES.values() for name in names}
    assert not failed - expected, f"{sorted(failed - expected)}\n{run.stderr}"
    assert not expected - failed, "these pass now: take them off the list"
