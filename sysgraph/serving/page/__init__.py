"""The page at `/`: to try the system, and see every node's value."""

from base64 import b64encode
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sysgraph_compiler import Program
from sysgraph_compiler.drawing import diagram
from sysgraph_compiler.drawing.picture import picture
from sysgraph_compiler.drawing.svg import style, svg

_FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_FOLDER = Path(__file__).parent


class Page:
    """The page's files, which say nothing of the system, and the graph that its script asks for."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def routes(self) -> list[Route]:
        """All of them."""
        files = [Route(path, self.file) for path in _FILES]
        return [*files, Route("/graph", self.graph)]

    async def file(self, request: Request) -> Response:
        """A file of the page."""
        name, kind = _FILES[request.url.path]
        content = (_FOLDER / name).read_bytes()
        return Response(content, media_type=kind, headers=_headers())

    async def graph(self, request: Request) -> Response:
        """The drawing, and which nodes each box of it stands for."""
        return JSONResponse(await run_in_threadpool(lambda: self._drawn))

    @cached_property
    def _drawn(self) -> dict[str, object]:
        shown = diagram(self._program)
        boxes = [{"id": b.id, "title": b.full_title, "nodes": b.nodes} for b in shown.boxes]
        return {"svg": svg(picture(shown)), "boxes": boxes}


def _headers() -> dict[str, str]:
    """What the page may do: run its script, ask this server, and nothing else."""
    drawing = b64encode(sha256(style().encode()).digest()).decode()
    policy = (
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; "
        f"style-src 'self' 'sha256-{drawing}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
