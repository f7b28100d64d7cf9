from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indrik.config import Config
from indrik.config.classes import check_class_name, load_class
from indrik.errors import ConfigError

KNOWN = {"sync": "indrik.workers.sync.SyncWorker"}


class Sample:
    pass


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory on the path, with an installed distribution that offers worker classes."""
    (tmp_path / "their_worker.py").write_text("class Theirs: ...\n")
    (tmp_path / "broken_worker.py").write_text("import a_module_that_is_missing\n")
    info = tmp_path / "their_dist-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-dist\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[indrik.workers]\ntheirs = their_worker:Theirs\n\n[gunicorn.workers]\nold = their_worker:Theirs\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield tmp_path
    for name in ("their_worker", "broken_worker"):
        sys.modules.pop(name, None)


def load(uri: str | type) -> Any:
    return load_class("worker_class", uri, KNOWN, "indrik.workers")


def test_class_itself() -> None:
    assert load(Sample) is Sample


def test_known_name() -> None:
    assert load("sync").__name__ == "SyncWorker"


def test_dotted_path() -> None:
    assert load(f"{__name__}.Sample").__name__ == "Sample"


@pytest.mark.parametrize(
    "uri", ["theirs", "egg:their-dist#theirs", "egg:their-dist#old", "their_worker.Theirs"]
)
@pytest.mark.usefixtures("packages")
def test_installed(uri: str) -> None:
    check_class_name("worker_class", uri, KNOWN, "indrik.workers")
    assert load(uri).__name__ == "Theirs"


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("thiers", "'thiers' is not known, only sync, theirs .did you mean 'theirs'"),
        ("egg:their-dist#none", "'their-dist' has no entry point 'none'"),
        ("egg:their-dist", "'their-dist' has no entry point 'sync'"),
        ("egg:no-such-dist#x", "'no-such-dist' is not installed"),
        ("their_worker.Their", "no 'Their' in 'their_worker' .did you mean 'Theirs'"),
        ("no_such_module.Worker", "there is no module 'no_such_module'"),
        ("os.no_such_module.Worker", "there is no module 'os.no_such_module'"),
    ],
)
@pytest.mark.usefixtures("packages")
def test_missing(uri: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"invalid value for worker_class: .*{text}"):
        load(uri)


@pytest.mark.usefixtures("packages")
def test_a_fault_inside_the_module_is_its_own() -> None:
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_missing"):
        load("broken_worker.Worker")


def test_only_plain_names_are_checked() -> None:
    check_class_name("worker_class", "no.such.Class", KNOWN, "indrik.workers")
    check_class_name("worker_class", Sample, KNOWN, "indrik.workers")
    with pytest.raises(ConfigError, match="'nothing' is not known"):
        check_class_name("worker_class", "nothing", KNOWN, "indrik.workers")


def test_worker_of_gunicorn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "gunicorn").mkdir()
    (tmp_path / "gunicorn" / "workers.py").write_text("class SyncWorker: ...\n")
    (tmp_path / "shop_worker.py").write_text(
        "from gunicorn.workers import SyncWorker\n\nclass Own(SyncWorker): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    cfg = Config()
    cfg.set("worker_class", "shop_worker.Own")
    try:
        with pytest.raises(ConfigError, match=r"shop_worker\.Own is based on gunicorn\.workers\.SyncWorker"):
            cfg.check_classes()
    finally:
        for name in ("shop_worker", "gunicorn.workers", "gunicorn"):
            sys.modules.pop(name, None)


def test_logger_of_gunicorn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whose workers would fail, one after the other, with an attribute that is missing."""
    (tmp_path / "gunicorn").mkdir()
    (tmp_path / "gunicorn" / "glogging.py").write_text("class Logger: ...\n")
    (tmp_path / "shop_log.py").write_text(
        "from gunicorn.glogging import Logger\n\nclass Quiet(Logger): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    cfg = Config()
    try:
        cfg.set("logger_class", "shop_log.Quiet")
        with pytest.raises(ConfigError, match=r"shop_log\.Quiet is based on gunicorn\.glogging\.Logger"):
            cfg.check_classes()
        cfg.set("logger_class", importlib.import_module("gunicorn.glogging").Logger)
        with pytest.raises(ConfigError, match=r"is Gunicorn's own, .* base it on indrik\.log\.Logger"):
            cfg.check_classes()
    finally:
        for name in ("shop_log", "gunicorn.glogging", "gunicorn"):
            sys.modules.pop(name, None)
