"""A framework's first page. In a module of its own, because only the servers' environment has FastAPI."""

from __future__ import annotations

from fastapi import FastAPI  # type: ignore[import-not-found, unused-ignore]

app = FastAPI()


@app.get("/")  # type: ignore[untyped-decorator, unused-ignore]
async def hello() -> dict[str, str]:
    """The first example of FastAPI's documentation, which answers JSON."""
    return {"message": "Hello World"}
