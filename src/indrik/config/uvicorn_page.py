"""The page for those who move over from uvicorn: prose, and the table made from `uvicorn_options`."""

from __future__ import annotations

from indrik.config.rows import BY_NAME
from indrik.config.uvicorn_options import OPTIONS, Option

#: The release whose options the table has, every one of them.
UVICORN_VERSION = "0.54"

_TEXT = """\
<!-- Made by `{remake}` from src/indrik/config/uvicorn_page.py and uvicorn_options.py. Do not edit. -->

# Moving from uvicorn

```sh
uvicorn shop.main:app --host 0.0.0.0 --port 8000 --workers 4
indrik  shop.main:app --host 0.0.0.0 --port 8000 --workers 4
```

Where nobody chooses a worker kind, indrik finds out when it loads the application whether it speaks ASGI,
and the log says so. `-k asgi` chooses it in advance. `indrik --check-config shop.main:app` loads the
application and says what is wrong, without serving.

What differs before any option is given:

| matter | uvicorn | indrik |
|---|---|---|
| processes | one, without a master, unless `--workers` says more | a master and its workers |
| SIGHUP | several workers: restarts them one after another | a reload of configuration and code; \
if it fails, the old workers go on |
| access log | on, to standard output | off; `--access-log`, or `--access-logfile FILE` |
| `X-Forwarded-For` | believed of 127.0.0.1 | not believed unless `--proxy-headers` or `forwarded` says so |
| waiting for requests at the end | any time | `graceful_timeout`, 30 s |
| idle connections | closed after 5 s | after 2 s (`keepalive`) |
| slow and silent clients | wait as long as they like | have time limits (`header_timeout`, \
`body_timeout`, `write_timeout`) |
| variables `UVICORN_*` | set options | do nothing; arguments in `INDRIK_CMD_ARGS` are read |
| a factory without `--factory` | called, with a warning | called if it is a function |
| ASGI 2 | wrapped | an error; `asgiref.compatibility.guarantee_single_callable` wraps it |

In a script, `indrik.run(app, host="0.0.0.0", port=8000)` takes uvicorn's keywords as well as the names of
settings. In a program whose event loop is running, `await indrik.serve(app, ...)` serves until it is
cancelled, and `indrik.Server` is the same as an asynchronous context manager:

```python
async with indrik.Server(app, bind="127.0.0.1:0") as server:
    print(server.addresses)
```

`Server` and `serve` have no master: what concerns processes (`workers`, `reload`, `max_requests`...) is
refused, and signals stay the program's.

## Every option of uvicorn {version}

An option without a setting is refused, with the reason; the setting is documented in
[reference/settings.md](../reference/settings.md).

| uvicorn | indrik | remark |
|---|---|---|
{table}
"""


def page(remake: str) -> str:
    """The page, in Markdown; `remake` is the command that makes it."""
    return _TEXT.format(remake=remake, version=UVICORN_VERSION, table="\n".join(map(_line, OPTIONS)))


def _line(option: Option) -> str:
    flags = ", ".join(f"`{flag}`" for flag in option.flags)
    if option.is_refused:
        return f"| {flags} | refused | {option.note} |"
    settings = ", ".join(map(_setting, option.settings)) or "accepted"
    return f"| {flags} | {settings} | {option.note} |"


def _setting(name: str) -> str:
    return f"`{name}`" if BY_NAME[name].supported else f"`{name}` (not supported yet)"
