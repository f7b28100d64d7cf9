"""Imports go down the layers that DESIGN.md draws, never up, never round in a circle."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.repo.source import ROOT, Import, cimports_of, imports, imports_of, modules

# Part of the package -> layer. DESIGN.md draws the same table; test_design_shows_the_layers compares.
LAYERS = {
    "errors": 0,
    "signals": 0,
    "refusals": 0,
    "uncompiled": 0,
    "kept_signals": 1,
    "protocol": 1,
    "sessions": 1,
    "net.addresses": 1,
    "config": 2,
    "net": 2,
    "log": 2,
    "scoreboard": 2,
    "quotas": 2,
    "engine": 3,
    "gateway": 4,
    "workers": 5,
    "arbiter": 5,
    "app": 6,
    "gevent": 6,
    "testing": 7,
    "embedding": 7,
    "ext": 7,
    "werkzeug": 8,
    "flask": 8,
}
# The root package holds the version and imports nothing; `python -m indrik` sits on top of all that serves.
LAYERS_OF_ROOT = {"indrik": 0, "indrik.__main__": 7}

# The master never touches a client's bytes.
FORBIDDEN = {"arbiter": {"protocol", "engine", "gateway", "workers"}}

# A line of DESIGN.md's table: names of parts, what they are, the layer.
ROW = re.compile(r"^  (?P<parts>[\w.]+/?(?: [\w.]+/?)*) {2,}.* L(?P<layer>\d)(?:  compiled)?$", re.MULTILINE)


def part_of(module: str) -> str:
    """The part that a module belongs to: the first name below indrik, or the root module itself."""
    return module if module in LAYERS_OF_ROOT else module.split(".")[1]


def layer_of(module: str) -> int:
    """The layer of a module: its own row, or that of its part."""
    if module in LAYERS_OF_ROOT:
        return LAYERS_OF_ROOT[module]
    return LAYERS.get(module.removeprefix("indrik."), LAYERS[part_of(module)])


def fault_of(one: Import) -> str | None:
    """What is wrong with an import, or None."""
    importer, imported = part_of(one.importer), part_of(one.imported)
    above, below = layer_of(one.importer), layer_of(one.imported)
    if importer == imported and above >= below:
        return None
    if imported in FORBIDDEN.get(importer, ()):
        return f"{importer} may not know {imported}"
    if one.importer == "indrik" and imported == "embedding" and one.type_only:
        return None  # `indrik.run` and its like: found by name when asked for, so only a type checker imports
    if above == below and one.type_only and above:
        return None  # the name of a neighbour in a signature; at run time nothing is imported
    if below >= above and one.imported != "indrik":
        return f"layer {above} may not import layer {below}"
    return None


def test_every_module_has_a_layer() -> None:
    unknown = sorted({part_of(name) for name in modules()} - set(LAYERS) - set(LAYERS_OF_ROOT))
    assert not unknown, f"give these parts a layer, here and in DESIGN.md: {unknown}"


def test_design_shows_the_layers() -> None:
    drawn = {
        part.rstrip("/"): int(row["layer"])
        for row in ROW.finditer((ROOT / "DESIGN.md").read_text(encoding="utf-8"))
        for part in row["parts"].split()
    }
    assert drawn == LAYERS


def test_imports_go_down() -> None:
    faults = [f"{one}: {fault}" for one in imports() if (fault := fault_of(one))]
    assert not faults, "\n".join(faults)


def test_no_import_cycles() -> None:
    graph: dict[str, set[str]] = {name: set() for name in modules()}
    for one in imports():
        if not one.type_only:
            graph[one.importer].add(one.imported)
    cycle = find_cycle(graph)
    assert cycle is None, "import cycle: " + " -> ".join(cycle or ())


def find_cycle(graph: dict[str, set[str]]) -> list[str] | None:
    """One cycle of a directed graph, first node repeated at its end, or None."""
    done: set[str] = set()

    def walk(node: str, trail: list[str]) -> list[str] | None:
        if node in trail:
            return [*trail[trail.index(node) :], node]
        if node in done:
            return None
        for following in sorted(graph[node]):
            cycle = walk(following, [*trail, node])
            if cycle:
                return cycle
        done.add(node)
        return None

    for start in sorted(graph):
        cycle = walk(start, [])
        if cycle:
            return cycle
    return None


class TestTheCheckItself:
    """A check of imports that sees none would pass for ever."""

    HERE = Path(__file__)

    def test_sees_the_real_imports(self) -> None:
        assert any(one.imported == "indrik.errors" for one in imports())

    def test_finds_a_cycle(self) -> None:
        assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
        assert find_cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None

    @pytest.mark.parametrize(
        "text",
        [
            "import indrik.errors",
            "from indrik import errors",
            "from indrik.errors import IndrikError",
            "from .. import errors",
            "from ..errors import IndrikError",
            "def f():\n    from indrik import errors",
            "try:\n    import indrik.errors as e\nexcept ImportError:\n    pass",
            "from cython.cimports.indrik.errors import thing",
        ],
    )
    def test_sees_every_form_of_import(self, text: str) -> None:
        found = imports_of("indrik.config.rows", self.HERE, text)
        assert [one.imported for one in found] == ["indrik.errors"]

    def test_tells_type_only_imports(self) -> None:
        text = "if TYPE_CHECKING:\n    import indrik.errors\nelse:\n    import indrik.errors\n"
        assert [one.type_only for one in imports_of("indrik.net.x", self.HERE, text)] == [True, False]

    @pytest.mark.parametrize(
        "text",
        [
            "from indrik.errors cimport A, B as b",
            "from indrik.errors cimport (\n    A,\n    B,\n)",
            "cimport indrik.errors",
        ],
    )
    def test_sees_cimports(self, text: str) -> None:
        assert {one.imported for one in cimports_of("indrik.net.x", self.HERE, text)} == {"indrik.errors"}

    @pytest.mark.parametrize(
        ("importer", "imported", "type_only", "allowed"),
        [
            ("indrik.engine.loop", "indrik.protocol.head", False, True),
            ("indrik.protocol.head", "indrik.engine.loop", False, False),
            ("indrik.protocol.head", "indrik.engine.loop", True, False),
            ("indrik.log.error", "indrik.config.rows", False, False),
            ("indrik.log.error", "indrik.config.rows", True, True),
            ("indrik.config.rows", "indrik.net.addresses", False, True),
            ("indrik.net.addresses", "indrik.config.rows", True, False),
            ("indrik.net.addresses", "indrik.net.listeners", False, False),
            ("indrik.arbiter.plan", "indrik.protocol.head", False, False),
            ("indrik.arbiter.plan", "indrik.workers.base", True, False),
            ("indrik.arbiter.plan", "indrik.net.listeners", False, True),
            ("indrik.app.base", "indrik", False, True),
            ("indrik", "indrik.embedding.server", True, True),
            ("indrik", "indrik.embedding.server", False, False),
            ("indrik", "indrik.app.base", True, False),
            ("indrik.__main__", "indrik.app.wsgiapp", False, True),
            ("indrik.ext.flask", "indrik.app.base", False, True),
            ("indrik.app.base", "indrik.ext.flask", False, False),
            ("indrik.__main__", "indrik.ext.flask", False, False),
        ],
    )
    def test_judges(self, importer: str, imported: str, type_only: bool, allowed: bool) -> None:
        one = Import(importer, imported, self.HERE, 1, type_only)
        assert (fault_of(one) is None) is allowed
