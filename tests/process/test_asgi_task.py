"""The task of a request is to its application what `asyncio.Task` is: the same coroutines do the same in
both.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process import task_scenarios
from tests.process.server import Server, wait_for

ENDS = [
    "return", "return-late", "raise", "raise-late", "cancel", "cancel-late", "cancel-waiting",
    "cancel-waiting-late",
]  # fmt: skip


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("tasks")
    shutil.copy(Path(task_scenarios.__file__), folder / "app.py")
    running = Server(folder, "--worker-class", "asgi", "--asgi-loop", request.param)
    yield running.wait_ready()
    running.kill_all()


@pytest.mark.parametrize("name", task_scenarios.SCENARIOS)
def test_the_same_happens_in_both_tasks(server: Server, name: str) -> None:
    in_request, in_asyncio = json.loads(server.get(f"/{name}"))
    assert in_request == in_asyncio


@pytest.mark.parametrize("how", ENDS)
def test_both_tasks_end_alike(server: Server, how: str) -> None:
    server.get(f"/end/{how}")

    def records() -> dict[str, list[str]]:
        found: dict[str, list[str]] = json.loads(server.get("/records"))
        return found if f"{how} request" in found else {}

    found = wait_for(records, "the callback of the request's task")
    assert found[f"{how} request"] == found[f"{how} asyncio"]


def test_one_context_for_each_request(server: Server) -> None:
    for _ in range(2):
        assert json.loads(server.get("/context"))[0][0] == "untouched"
