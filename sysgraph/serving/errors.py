"""Errors as the OpenAI protocol says them."""

from collections.abc import Mapping
from typing import Any

from sysgraph_schemas.visible import visible_lines

from ..support.errors import InputError, RunError, ServiceError

_KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    422: "answer_error",
    429: "rate_limit_error",
}
"""The protocol's `type` by status; of others, whether the request or the server is to blame."""


class ApiError(Exception):
    """An answer that is an error.

    Args:
        message: what is wrong and what to do, for people; its start, where it repeats a long
            request.
        code: for programs.
        param: the field of the request that is wrong.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code = status, code
        self.message = _shown(message, _LONGEST)
        self.param = None if param is None else _shown(param, _LONGEST_NAME)
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """What is sent: {"error": {...}}."""
        otherwise = "invalid_request_error" if self.status < 500 else "server_error"
        return {
            "error": {
                "message": self.message,
                "type": _KINDS.get(self.status, otherwise),
                "param": self.param,
                "code": self.code,
            }
        }


_LONGEST, _LONGEST_NAME = 4000, 80


def _shown(text: str, longest: int) -> str:
    """The text's start, fit to be sent and to be read on a terminal."""
    text = visible_lines(text[: longest + 1])
    return text if len(text) <= longest else f"{text[:longest]} ..."


def api_error(error: Exception) -> ApiError:
    """What a client is told of what went wrong while its request was sampled."""
    if isinstance(error, InputError):
        return ApiError(400, str(error), code="bad_input")
    # What these say is about the server's insides: that goes to its own log.
    if isinstance(error, ServiceError):
        said = "a server that runs one of the system's models failed"
        return ApiError(502, said, code="model_server_failed")
    if isinstance(error, RunError):
        return ApiError(422, str(error), code="no_answer")
    name = type(error).__name__
    if isinstance(error, MemoryError) or name == "OutOfMemoryError":
        return ApiError(503, "the server has not enough memory for this", code="out_of_memory")
    return ApiError(500, f"the server failed: {name}", code="server_failed")
