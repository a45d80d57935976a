"""`POST /v1/feedback`: what people say of an answer."""

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from ..data.shown import BadValue, kind
from ..support.errors import RunError
from .body import read_body
from .chat import GONE
from .errors import ApiError
from .limits import Limits
from .log import Log, UnknownAnswer


class Feedback:
    """Takes ratings of the answers in a log.

    Args:
        log: None: this server keeps none.
        limits: of the server.
    """

    def __init__(self, log: Log | None, limits: Limits) -> None:
        self._log, self._limits = log, limits

    async def rate(self, request: Request) -> Response:
        """Records a rating, as `read_rating` takes it.

        Raises:
            ApiError: it is none, or of no answer that is known here, or cannot be recorded.
        """
        if self._log is None:
            why = "this server records no answers: `sysgraph serve --log DIR` does"
            raise ApiError(404, why, code="no_log")
        try:
            said = _fields(await read_body(request, self._limits))
        except ClientDisconnect:
            return Response(status_code=GONE)
        try:
            await run_in_threadpool(self._log.rated, said)
        except UnknownAnswer as error:
            raise ApiError(404, str(error), code="answer_not_found", param="id") from None
        except BadValue as error:
            raise ApiError(400, str(error), code="bad_rating") from None
        except RunError as error:
            raise ApiError(503, str(error), code="not_recorded") from None
        return JSONResponse({"object": "feedback", "id": said["id"]})


def _fields(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise ApiError(400, "the request is no JSON", code="invalid_json") from None
    if not isinstance(found, dict):
        said = f"expected a rating, a JSON object, got {kind(found)}"
        raise ApiError(400, said, code="invalid_json")
    return found
