"""From an application's specification, such as `shop.wsgi:application`, to the application.

The grammar: `MODULE[:PATH[(ARGUMENTS)]]`. PATH is one name or several with dots between; ARGUMENTS are Python
literals, and call what PATH leads to. A factory that needs no arguments is called without them, too. Without
PATH the application is `application` or `app` of the module, or what its factory makes.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

from indrik.config.nearest import did_you_mean, nearest
from indrik.errors import AppImportError, AppModuleNotFoundError

DEFAULT_NAME = "application"
#: Names that applications and their factories go by; offered when nothing is like what was asked for.
USUAL_NAMES = ("application", "app", "wsgi", "wsgi_app", "api")
USUAL_FACTORIES = ("create_app", "make_app", "create_application", "make_application")


@dataclass(frozen=True)
class Target:
    """A parsed specification. `arguments` is None when nothing is called."""

    module: str
    path: tuple[str, ...] = (DEFAULT_NAME,)
    arguments: tuple[Any, ...] | None = None
    keywords: dict[str, Any] = field(default_factory=dict)


def parse_target(text: str) -> Target:
    """Parse a specification.

    Raises:
        AppImportError: it does not follow the grammar.
    """
    module, colon, expression = text.partition(":")
    if not module or (colon and not expression.strip()):
        raise AppImportError(f"{text!r} names no application: the form is MODULE:NAME")
    if not colon:
        return Target(module)
    try:
        node = ast.parse(expression.strip(), mode="eval").body
    except SyntaxError:
        raise AppImportError(
            f"{expression!r} in {text!r} is neither a name nor a call such as make_app()"
        ) from None
    if not isinstance(node, ast.Call):
        return Target(module, dotted_names(node, text))
    try:
        arguments = tuple(ast.literal_eval(argument) for argument in node.args)
        keywords = {word.arg: ast.literal_eval(word.value) for word in node.keywords if word.arg is not None}
    except ValueError:
        raise AppImportError(
            f"the arguments in {text!r} must be literals, such as 1, 'text' or [True]"
        ) from None
    if len(keywords) != len(node.keywords):
        raise AppImportError(f"the arguments in {text!r} must be written out, without **")
    return Target(module, dotted_names(node.func, text), arguments, keywords)


def dotted_names(node: ast.expr, text: str) -> tuple[str, ...]:
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        return (*dotted_names(node.value, text), node.attr)
    raise AppImportError(f"{ast.unparse(node)!r} in {text!r} must be a name, or several with dots between")


def load_application(text: str, is_factory: bool = False) -> Any:
    """Import the module and return the application in it, or what the factory in it makes.

    Raises:
        AppModuleNotFoundError: there is no such module.
        AppImportError: the application is not in it, or is not callable.
        Exception: whatever the module or the factory raises, untouched.
    """
    target = parse_target(text)
    if is_factory:
        if target.arguments is not None:
            raise AppImportError(f"{text!r} calls its factory already: leave factory out")
        target = replace(target, arguments=())
    module = import_module(target, text)
    if ":" not in text:
        target = complete(target, module)
    found = find_object(module, target)
    if target.arguments is None and is_plain_factory(found):
        found = found()
    elif target.arguments is not None:
        found = call_factory(found, target, text)
    if found is None:
        raise AppImportError(f"{text!r} is None, not an application")
    if not callable(found):
        raise AppImportError(f"{text!r} is of type {type(found).__name__}, which cannot be called")
    return found


def complete(target: Target, module: ModuleType) -> Target:
    """`target`, in which nothing is named, with the name of what the module has."""
    for name in (DEFAULT_NAME, "app"):
        if hasattr(module, name):
            return replace(target, path=(name,))
    for name in USUAL_FACTORIES:
        if is_plain_factory(getattr(module, name, None)):
            return replace(target, path=(name,))
    return target


def is_plain_factory(found: Any) -> bool:
    """Whether it is a function that can be called with nothing: then it is a factory, for every application
    needs what it is called with.
    """
    if not inspect.isfunction(found) or inspect.iscoroutinefunction(found):
        return False
    return all(
        parameter.default is not parameter.empty or parameter.kind is parameter.VAR_KEYWORD
        for parameter in inspect.signature(found).parameters.values()
    )


def import_module(target: Target, text: str) -> ModuleType:
    name = missing = target.module
    # A relative or an empty name is refused here: import_module would raise what the module itself may raise.
    if all(name.split(".")):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            # A module that the application's module needs is the application's fault, with its own traceback.
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            missing = error.name
    raise AppModuleNotFoundError(f"there is no module {missing!r}{nearby(target, text)}", name=missing)


def nearby(target: Target, text: str) -> str:
    """What was probably meant by a module that does not exist."""
    name = target.module
    if os.path.exists(name) and name.endswith(".py"):
        # The name of a file, where Python wants that of a module.
        dotted = os.path.normpath(name)[: -len(".py")].replace(os.sep, ".")
        meant = dotted + text[len(name) :]
        return f" (did you mean {meant!r}?)"
    if os.sep in name:
        dotted = name.strip(os.sep).replace(os.sep, ".")
        return f" (modules are named with dots: {dotted!r})"
    parent, _, last = name.rpartition(".")
    return did_you_mean(last, modules_in(parent)) or f" in {os.getcwd()} or on the Python path"


def modules_in(package: str) -> Iterator[str]:
    """The modules in a package, or at the top level of the working directory."""
    from pkgutil import iter_modules  # late: only for the suggestion

    places = getattr(sys.modules.get(package), "__path__", None) if package else [os.getcwd()]
    return (module.name for module in iter_modules(places or []))


def find_object(module: ModuleType, target: Target) -> Any:
    found: Any = module
    where = f"module {target.module!r}"
    for name in target.path:
        try:
            found = getattr(found, name)
        except AttributeError:
            hint = suggestion(name, found, target)
            raise AppImportError(f"there is no {name!r} in {where}{hint}") from None
        where = f"{target.module}:{name}"
    return found


def suggestion(name: str, holder: Any, target: Target) -> str:
    names = [known for known in dir(holder) if not known.startswith("_")]
    near = nearest(name, names)
    if near is None and len(target.path) == 1:
        calls = target.arguments is not None
        usual = (*USUAL_FACTORIES, *USUAL_NAMES) if calls else (*USUAL_NAMES, *USUAL_FACTORIES)
        near = next((known for known in usual if known in names), None)
    if near is None:
        return ""
    path = ".".join((*target.path[:-1], near))
    called = "()" if near in USUAL_FACTORIES else ""
    return f" (did you mean '{target.module}:{path}{called}'?)"


def call_factory(factory: Any, target: Target, text: str) -> Any:
    if not callable(factory):
        raise AppImportError(f"{text!r}: what it calls is of type {type(factory).__name__}, not callable")
    arguments = target.arguments or ()
    try:
        inspect.signature(factory).bind(*arguments, **target.keywords)
    except TypeError as error:
        # Told apart from a TypeError inside the factory, which keeps its traceback.
        raise AppImportError(f"the arguments in {text!r} do not fit: {error}") from None
    except ValueError:
        pass  # a built-in that does not tell its signature: let it judge
    return factory(*arguments, **target.keywords)
