from __future__ import annotations

import keyword
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.app.loader import Target, load_application, parse_target
from indrik.errors import AppImportError, AppModuleNotFoundError, IndrikError

SHOP = """
def application(environ, start_response): ...
def app(environ, start_response): ...
class Holder: app = staticmethod(app)
holder = Holder()
def make_app(*args, **kwargs):
    def made(environ, start_response): ...
    made.args, made.kwargs = args, kwargs
    return made
def strict(one, two=2): return app
def fails(): raise TypeError("inside the factory")
nothing = None
number = 3
"""


FACTORY = """
def create_app():
    def made(environ, start_response): ...
    return made
def with_defaults(config=None, *, testing=False, **settings): return create_app()
async def coroutine(): ...
"""


@pytest.fixture(autouse=True)
def shop(workplace: Path) -> None:
    (workplace / "shop.py").write_text(SHOP)
    package = workplace / "backoffice"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "wsgi.py").write_text("def app(environ, start_response): ...\n")
    (workplace / "factory.py").write_text(FACTORY)
    (workplace / "needy.py").write_text("def create_app(name): ...\n")
    (workplace / "broken.py").write_text("import a_module_that_is_missing\n")
    (workplace / "raising.py").write_text("1 / 0\n")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("shop", Target("shop")),
        ("shop:app", Target("shop", ("app",))),
        ("shop: app ", Target("shop", ("app",))),
        ("a.b:holder.app", Target("a.b", ("holder", "app"))),
        ("shop:make()", Target("shop", ("make",), ())),
        (
            "shop:a.make(1, 'x:y', k=[True, None])",
            Target("shop", ("a", "make"), (1, "x:y"), {"k": [True, None]}),
        ),
    ],
)
def test_grammar(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no application: the form is MODULE:NAME"),
        (":app", "names no application"),
        ("shop:", "names no application"),
        ("shop:1app", "neither a name nor a call"),
        ("shop:app:x", "neither a name nor a call"),
        ("shop:app[0]", "'app[0]' in 'shop:app[0]' must be a name"),
        ("shop:make()()", "'make()' in 'shop:make()()' must be a name"),
        ("shop:make()+1", "must be a name"),
        ("shop:make(x)", "must be literals"),
        ("shop:make(f())", "must be literals"),
        ("shop:make(*(1,))", "must be literals"),
        ("shop:make(**{'a': 1})", "without **"),
    ],
)
def test_wrong_grammar(text: str, message: str) -> None:
    with pytest.raises(AppImportError, match=re.escape(message)):
        parse_target(text)


NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name)
)
LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner),
    max_leaves=5,
)


@given(NAMES, st.lists(NAMES, min_size=1), st.lists(LITERALS), st.dictionaries(NAMES, LITERALS))
def test_a_target_written_out_is_parsed_back(
    module: str, path: list[str], arguments: list[Any], keywords: dict[str, Any]
) -> None:
    written = ", ".join([*map(repr, arguments), *(f"{name}={value!r}" for name, value in keywords.items())])
    wanted = Target(module, tuple(path), tuple(arguments), keywords)
    assert parse_target(f"{module}:{'.'.join(path)}({written})") == wanted


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with suppress(AppImportError):
        assert parse_target(text).module


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("shop", "application"),
        ("shop:app", "app"),
        ("shop:holder.app", "app"),
        ("shop:make_app()", "made"),
        ("shop:strict(1)", "app"),
        ("backoffice.wsgi:app", "app"),
        ("shop:Holder", "Holder"),
        ("backoffice.wsgi", "app"),
        ("factory", "made"),
        ("factory:create_app", "made"),
        ("factory:with_defaults", "made"),
        ("factory:create_app()", "made"),
        # What takes anything may be an application.
        ("shop:make_app", "make_app"),
        ("factory:coroutine", "coroutine"),
    ],
)
def test_loaded(text: str, name: str) -> None:
    assert load_application(text).__name__ == name


def test_factory_gets_its_arguments() -> None:
    app = load_application("shop:make_app(1, 'two', three={'four': 5})")
    assert (app.args, app.kwargs) == ((1, "two"), {"three": {"four": 5}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shop:ap", "there is no 'ap' in module 'shop' (did you mean 'shop:app'?)"),
        ("shop:create()", "there is no 'create' in module 'shop' (did you mean 'shop:make_app()'?)"),
        ("shop:mak_app()", "there is no 'mak_app' in module 'shop' (did you mean 'shop:make_app()'?)"),
        ("shop:holder.ap", "there is no 'ap' in shop:holder (did you mean 'shop:holder.app'?)"),
        ("backoffice", "there is no 'application' in module 'backoffice'"),
        ("needy", "there is no 'application' in module 'needy' (did you mean 'needy:create_app()'?)"),
        ("backoffice.wsgi:nothing_like_it", "did you mean 'backoffice.wsgi:app'?"),
        ("shop:nothing", "'shop:nothing' is None, not an application"),
        ("shop:number", "'shop:number' is of type int, which cannot be called"),
        ("shop:number()", "'shop:number()': what it calls is of type int, not callable"),
        ("shop:strict()", "do not fit: missing a required argument: 'one'"),
        ("shop:strict(1, 2, 3)", "do not fit: too many positional arguments"),
    ],
)
def test_not_in_the_module(text: str, message: str) -> None:
    with pytest.raises(AppImportError, match=re.escape(message)):
        load_application(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shp:app", "there is no module 'shp' (did you mean 'shop'?)"),
        ("backoffice.wsg:app", "there is no module 'backoffice.wsg' (did you mean 'wsgi'?)"),
        ("shop.py", "there is no module 'shop.py' (did you mean 'shop'?)"),
        ("shop.py:app", "(did you mean 'shop:app'?)"),
        ("backoffice/wsgi.py:app", "(did you mean 'backoffice.wsgi:app'?)"),
        ("backoffice/wsgi:app", "(modules are named with dots: 'backoffice.wsgi')"),
        ("nothing_like_it", "or on the Python path"),
        (".shop:app", "there is no module '.shop'"),
    ],
)
def test_no_such_module(text: str, message: str) -> None:
    with pytest.raises(AppModuleNotFoundError, match=re.escape(message)) as caught:
        load_application(text)
    assert isinstance(caught.value, IndrikError)
    assert not isinstance(caught.value, AppImportError)  # another exit status


def test_faults_of_the_application_are_its_own() -> None:
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_missing") as caught:
        load_application("broken:app")
    assert not isinstance(caught.value, IndrikError)
    with pytest.raises(ZeroDivisionError):
        load_application("raising:app")
    with pytest.raises(TypeError, match="inside the factory"):
        load_application("shop:fails()")


@pytest.mark.parametrize("error", [ImportError, TypeError, ValueError])
def test_a_module_that_raises_is_not_taken_for_a_missing_one(workplace: Path, error: type[Exception]) -> None:
    (workplace / "refusing.py").write_text(f"raise {error.__name__}('no secret key is set')\n")
    with pytest.raises(error, match="no secret key is set"):
        load_application("refusing:app")


def test_a_module_is_imported_once() -> None:
    app = load_application("shop:app")
    assert app is load_application("shop:app")
    assert app is sys.modules["shop"].app


def test_a_builtin_that_hides_its_signature_judges_its_arguments_itself(workplace: Path) -> None:
    (workplace / "builtins_app.py").write_text("make = type\nwrong = dict.fromkeys\n")
    assert load_application("builtins_app:make(3)") is int
    with pytest.raises(TypeError):
        load_application("builtins_app:make()")
