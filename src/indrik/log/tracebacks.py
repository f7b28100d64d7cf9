"""Where the operator's code begins in a traceback: what stands before it is always the same, and hides it."""

from __future__ import annotations

import os
from types import FrameType, TracebackType

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
#: Python's own way from `import_module` to the first line of the module.
_IMPORTLIB = f"{os.sep}importlib{os.sep}__init__.py"
_FROZEN_IMPORTLIB = "<frozen importlib._bootstrap"


def from_outside(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame on that is neither in this package nor a part of an import that it
    makes; None when there is none.
    """
    while trace is not None and _is_on_the_way(trace.tb_frame):
        trace = trace.tb_next
    return trace


def from_application(error: BaseException) -> TracebackType | None:
    """What to show of `error`, raised while the application was loaded or called: from its first frame on.

    All frames when none is the application's, because then the server itself has raised it. None for a syntax
    error in what was to be imported: the error itself names file and line.
    """
    begin = from_outside(error.__traceback__)
    return begin if begin is not None or isinstance(error, SyntaxError) else error.__traceback__


def _is_on_the_way(frame: FrameType) -> bool:
    # The file of a compiled module's frame is where its source lay when it was compiled: the name counts.
    if str(frame.f_globals.get("__name__")).partition(".")[0] == "indrik":
        return True
    filename = frame.f_code.co_filename
    return filename.startswith((_PACKAGE, _FROZEN_IMPORTLIB)) or filename.endswith(_IMPORTLIB)
