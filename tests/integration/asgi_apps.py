"""The same small service in several ASGI frameworks: `/` says hello, `/echo` gives the JSON of a POST back
with its query, `/events` streams, `/socket` is a WebSocket that shouts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


def make_starlette() -> Any:
    from sse_starlette.sse import EventSourceResponse
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.requests import Request
    from starlette.responses import JSONResponse, PlainTextResponse, Response
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket, WebSocketDisconnect

    done: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        yield {"greeting": "hello"}

    async def hello(request: Request) -> Response:
        return PlainTextResponse(request.state.greeting, background=BackgroundTask(done.append, "hello"))

    async def echo(request: Request) -> Response:
        return JSONResponse({"json": await request.json(), "query": dict(request.query_params)})

    async def events(request: Request) -> Response:
        async def count() -> AsyncIterator[dict[str, Any]]:
            for number in range(3):
                yield {"event": "count", "data": number}
                await asyncio.sleep(0.05)

        return EventSourceResponse(count())

    async def shout(socket: WebSocket) -> None:
        await socket.accept()
        try:
            async for text in socket.iter_text():
                await socket.send_text(text.upper())
        except WebSocketDisconnect:
            pass

    async def background(request: Request) -> Response:
        return JSONResponse(done)

    return Starlette(
        routes=[
            Route("/", hello), Route("/echo", echo, methods=["POST"]), Route("/events", events),
            Route("/background", background), WebSocketRoute("/socket", shout),
        ],
        lifespan=lifespan,
    )  # fmt: skip


def make_fastapi() -> Any:
    from fastapi import FastAPI, Request, WebSocket
    from fastapi.responses import PlainTextResponse, StreamingResponse

    app = FastAPI()

    @app.get("/", response_class=PlainTextResponse)
    def hello() -> str:
        # No coroutine: it runs in a thread.
        return "hello"

    async def echo(request: Request, data: dict[str, Any]) -> dict[str, Any]:
        return {"json": data, "query": dict(request.query_params)}

    async def events() -> StreamingResponse:
        async def count() -> AsyncIterator[str]:
            for number in range(3):
                yield f"event: count\r\ndata: {number}\r\n\r\n"
                await asyncio.sleep(0.05)

        return StreamingResponse(count(), media_type="text/event-stream")

    async def shout(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text.upper())

    # The annotations are text here, which only the module's names can resolve.
    echo.__annotations__.update(request=Request, data=dict[str, Any], **{"return": dict[str, Any]})
    events.__annotations__["return"] = StreamingResponse
    shout.__annotations__["socket"] = WebSocket
    app.post("/echo")(echo)
    app.get("/events")(events)
    app.websocket("/socket")(shout)
    return app


def make_quart() -> Any:
    from quart import Quart, request, websocket

    app = Quart(__name__)

    @app.get("/")
    async def hello() -> str:
        return "hello"

    @app.post("/echo")
    async def echo() -> dict[str, Any]:
        return {"json": await request.get_json(), "query": request.args.to_dict()}

    @app.get("/events")
    async def events() -> Any:
        async def count() -> AsyncIterator[str]:
            for number in range(3):
                yield f"event: count\r\ndata: {number}\r\n\r\n"
                await asyncio.sleep(0.05)

        return count(), {"Content-Type": "text/event-stream"}

    @app.websocket("/socket")
    async def shout() -> None:
        while True:
            await websocket.send((await websocket.receive()).upper())

    return app


def make_litestar() -> Any:
    from litestar import Litestar, MediaType, Request, WebSocket, get, post, websocket
    from litestar.exceptions import WebSocketDisconnect
    from litestar.response import ServerSentEvent, ServerSentEventMessage

    async def hello() -> str:
        return "hello"

    async def echo(request: Request[Any, Any, Any]) -> dict[str, Any]:
        return {"json": await request.json(), "query": dict(request.query_params)}

    async def events() -> ServerSentEvent:
        async def count() -> AsyncIterator[ServerSentEventMessage]:
            for number in range(3):
                yield ServerSentEventMessage(event="count", data=number)
                await asyncio.sleep(0.05)

        return ServerSentEvent(count())

    async def shout(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        try:
            while True:
                await socket.send_text((await socket.receive_text()).upper())
        except WebSocketDisconnect:
            pass

    hello.__annotations__["return"] = str
    echo.__annotations__.update(request=Request, **{"return": dict[str, Any]})
    events.__annotations__["return"] = ServerSentEvent
    shout.__annotations__.update(socket=WebSocket, **{"return": None})
    return Litestar(
        [
            get("/", media_type=MediaType.TEXT)(hello),
            post("/echo", status_code=200)(echo),
            get("/events")(events),
            websocket("/socket")(shout),
        ]
    )


def make_django() -> Any:
    """Django has no WebSocket."""
    from json import loads

    from django.conf import settings  # type: ignore[import-untyped]
    from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
    from django.http import (  # type: ignore[import-untyped]
        HttpResponse,
        JsonResponse,
        StreamingHttpResponse,
    )
    from django.urls import path  # type: ignore[import-untyped]

    async def hello(request: Any) -> HttpResponse:
        return HttpResponse("hello", content_type="text/plain")

    def echo(request: Any) -> JsonResponse:
        return JsonResponse({"json": loads(request.body), "query": request.GET.dict()})

    async def events(request: Any) -> StreamingHttpResponse:
        async def count() -> AsyncIterator[str]:
            for number in range(3):
                yield f"event: count\r\ndata: {number}\r\n\r\n"
                await asyncio.sleep(0.05)

        return StreamingHttpResponse(count(), content_type="text/event-stream")

    urls = type("Urls", (), {"urlpatterns": [path("", hello), path("echo", echo), path("events", events)]})
    settings.configure(ROOT_URLCONF=urls, ALLOWED_HOSTS=["*"], SECRET_KEY="of a test")
    return get_asgi_application()
