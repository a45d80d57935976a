"""The content of a request: JSON, and no more of it than a server takes."""

from starlette.requests import Request

from .errors import ApiError


async def read_body(request: Request, most: int) -> bytes:
    """The content.

    Raises:
        ApiError: it is longer than `most` bytes, or says that it is no JSON.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        said = "expected JSON, with the header Content-Type: application/json"
        raise ApiError(415, said, code="not_json")
    if int(request.headers.get("content-length", 0)) > most:
        raise _too_long(most)
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > most:
            raise _too_long(most)
    return bytes(content)


def _too_long(most: int) -> ApiError:
    return ApiError(413, f"the request is longer than {most} bytes", code="too_long")
