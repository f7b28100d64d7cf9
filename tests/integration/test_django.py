"""A project made by `django-admin startproject`, on the real command, and its admin site as a browser sees
it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from tests.integration.served import NO_TLS, Server, serve

DEADLINE = 60
USER, PASSWORD = "ada", "correct horse battery staple"
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh project named shop, its database made, with one user who may enter the admin site."""
    folder = tmp_path_factory.mktemp("django")
    environment = {**os.environ, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    commands = [
        ["-m", "django", "startproject", "shop", "."],
        ["manage.py", "migrate", "--verbosity=0"],
        ["manage.py", "createsuperuser", "--noinput", f"--username={USER}", "--email=ada@example.org"],
    ]
    for command in commands:
        subprocess.run(
            [sys.executable, *command],
            cwd=folder,
            env=environment,
            check=True,
            timeout=DEADLINE,
            stdout=subprocess.DEVNULL,
        )
    return folder


@pytest.fixture(scope="module")
def server(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(["--workers", "2", "shop.wsgi"], project, tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture
def browser(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=server.url, timeout=30, follow_redirects=True, trust_env=False, verify=NO_TLS
    ) as client:
        yield client


def log_in(browser: httpx.Client, password: str, token: str | None = None) -> httpx.Response:
    """Open the login page and send its form, with the page's own token unless another is given."""
    page = browser.get("/admin/")
    assert page.url.path == "/admin/login/"
    found = TOKEN.search(page.text)
    assert found is not None
    form = {
        "csrfmiddlewaretoken": token or found[1],
        "username": USER,
        "password": password,
        "next": "/admin/",
    }
    return browser.post("/admin/login/", data=form, headers={"Referer": str(page.url)})


def test_the_welcome_page(browser: httpx.Client) -> None:
    assert "The install worked successfully" in browser.get("/").text


def test_the_login_page(browser: httpx.Client) -> None:
    page = browser.get("/admin/")
    assert [step.status_code for step in page.history] == [302]
    assert page.url.path == "/admin/login/"
    assert "Django administration" in page.text
    assert "csrftoken" in browser.cookies


def test_logging_in_working_and_logging_out(browser: httpx.Client) -> None:
    page = log_in(browser, PASSWORD)
    assert page.url.path == "/admin/"
    assert "Site administration" in page.text
    assert "sessionid" in browser.cookies

    page = browser.get("/admin/auth/group/add/")
    token = TOKEN.search(page.text)
    assert token is not None
    page = browser.post(
        "/admin/auth/group/add/", data={"csrfmiddlewaretoken": token[1], "name": "Käufer 日本"}
    )
    assert page.url.path == "/admin/auth/group/"
    assert "Käufer 日本" in page.text

    token = TOKEN.search(page.text)
    assert token is not None
    browser.post("/admin/logout/", data={"csrfmiddlewaretoken": token[1]})
    assert browser.get("/admin/").url.path == "/admin/login/"


def test_a_form_in_chunks(browser: httpx.Client) -> None:
    """Django reads as much of a body as CONTENT_LENGTH says, so a chunked one must have it too (RFC 9112
    7.1.3)."""
    found = TOKEN.search(browser.get("/admin/login/").text)
    assert found is not None
    form = urlencode(
        {"csrfmiddlewaretoken": found[1], "username": USER, "password": PASSWORD, "next": "/admin/"}
    )
    answer = browser.post(
        "/admin/login/",
        content=(form[at : at + 10].encode() for at in range(0, len(form), 10)),
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Referer": f"{browser.base_url}/admin/login/",
        },
    )
    assert answer.url.path == "/admin/"


def test_a_wrong_password(browser: httpx.Client) -> None:
    page = log_in(browser, "wrong")
    assert page.url.path == "/admin/login/"
    assert "errornote" in page.text
    assert "sessionid" not in browser.cookies


def test_a_form_of_another_site_is_refused(browser: httpx.Client) -> None:
    page = log_in(browser, PASSWORD, token="x" * 64)
    assert page.status_code == 403
    assert "CSRF verification failed" in page.text


def test_static_files_and_unknown_pages(browser: httpx.Client) -> None:
    # Without `runserver` and without collected files nobody serves them.
    assert browser.get("/static/admin/css/base.css").status_code == 404
    assert browser.get("/none").status_code == 404


def test_nothing_failed(server: Server) -> None:
    assert "Traceback" not in server.error_log
    assert "[ERROR]" not in server.error_log
