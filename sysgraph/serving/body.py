"""The content of a request: JSON, and no more of it than a server takes."""

import asyncio

from starlette.requests import Request

from .errors import ApiError
from .limits import Limits


async def read_body(request: Request, limits: Limits) -> bytes:
    """The content.

    Raises:
        ApiError: it is too long or too slow, or says that it is no JSON.
        ClientDisconnect: the client went away.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        said = "expected JSON, with the header Content-Type: application/json"
        raise ApiError(415, said, code="not_json")
    too_long = ApiError(413, f"the request is longer than {limits.body} bytes", code="too_long")
    if int(request.headers.get("content-length", 0)) > limits.body:
        raise too_long
    content = bytearray()
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                content += part
                if len(content) > limits.body:
                    raise too_long
    except TimeoutError:
        said = f"the request was not there after {limits.seconds:g} seconds"
        raise ApiError(408, said, code="too_slow") from None
    return bytes(content)
