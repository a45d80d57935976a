"""The server's routes, as an ASGI application."""

import asyncio
from collections.abc import Iterable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..traces.trace import generated_nodes, input_names
from .chat import Chat
from .errors import ApiError, api_error
from .feedback import Feedback
from .guard import Guard
from .log import Log
from .page import Page
from .replies import event_line
from .service import Service


def app(
    service: Service,
    log: Log | None = None,
    *,
    key: str | None = None,
    hosts: Iterable[str] | None = None,
) -> ASGIApp:
    """The application.

    Args:
        service: entered, and left after the server has stopped.
        log: is told of every answer, and of what people say of them.
        key: see `Guard`.
        hosts: see `Guard`.
    """
    about = _About(service)
    routes = [
        Route("/v1/chat/completions", Chat(service, log).answer, methods=["POST"]),
        Route("/v1/feedback", Feedback(log, service.limits).rate, methods=["POST"]),
        Route("/v1/models", about.models),
        Route("/v1/models/{model:path}", about.model),
        Route("/health", about.health),
        Route("/metrics", about.metrics),
        *Page(service.program).routes(),
    ]
    answering = Starlette(
        routes=routes,
        exception_handlers={ApiError: _said, HTTPException: _no_route, Exception: _unforeseen},
    )
    return _Counted(Guard(answering, key=key, hosts=hosts), service, routes)


class _About:
    """What the server says of itself."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def models(self, request: Request) -> Response:
        """The one model."""
        return JSONResponse({"object": "list", "data": [self._model()]})

    async def model(self, request: Request) -> Response:
        """The model of this name."""
        name = request.path_params["model"]
        if name != self._service.program.name:
            said = f"no model {name!r:.80} is served here; there is {self._service.program.name!r}"
            raise ApiError(404, said, code="model_not_found", param="model")
        return JSONResponse(self._model())

    async def health(self, request: Request) -> Response:
        """Whether requests are answered."""
        works = self._service.works
        found = {"status": "ok" if works else "stopping", "waiting": self._service.waiting}
        return JSONResponse(found, 200 if works else 503)

    async def metrics(self, request: Request) -> Response:
        """The counts, for Prometheus."""
        kind = "text/plain; version=0.0.4"
        return Response(self._service.meters.text(), media_type=kind)

    def _model(self) -> dict[str, object]:
        program = self._service.program
        inputs = [{"name": n, "type": program.variable(n).type} for n in input_names(program)]
        outputs = {program.variable(name).node for name in program.outputs}
        nodes = [
            {"name": node, "output": node in outputs, "variables": list(variables)}
            for node, variables in generated_nodes(program).items()
        ]
        return {
            "id": program.name,
            "object": "model",
            "created": int(self._service.started),
            "owned_by": "sysgraph",
            "sysgraph": {
                "description": program.description or "",
                "inputs": inputs,
                "nodes": nodes,
                "max_n": self._service.limits.samples,
            },
        }


class _Counted:
    """Counts answers by route and status; of paths that are no route's, as one.

    Where the server is told to end at once, what is under way is answered that it did.
    """

    def __init__(self, app: ASGIApp, service: Service, routes: Sequence[Route]) -> None:
        self._app, self._service, self._routes = app, service, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = ended = False

        async def counted(message: Message) -> None:
            nonlocal begun, ended
            ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            if message["type"] == "http.response.start":
                begun = True
                there = (one.path for one in self._routes if one.matches(scope)[0] != Match.NONE)
                self._service.meters.requests.labels(next(there, ""), message["status"]).inc()
            await send(message)

        try:
            await self._app(scope, receive, counted)
        except asyncio.CancelledError:
            error = ApiError(503, "the server was stopped", code="stopping")
            if not begun:
                await JSONResponse(error.body(), error.status)(scope, receive, counted)
            elif not ended:  # a stream of events
                await counted({"type": "http.response.body", "body": event_line(error.body())})


async def _said(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), error.status, error.headers)


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    nothing = "there is nothing here; POST /v1/chat/completions answers, where a client's base URL "
    said = {404: f"{nothing}ends in /v1", 405: "this path takes other methods"}
    message = f"{request.method} {request.url.path}: {said.get(error.status_code, error.detail)}"
    return await _said(request, ApiError(error.status_code, message, headers=error.headers))


async def _unforeseen(request: Request, error: Exception) -> Response:
    return await _said(request, api_error(error))
