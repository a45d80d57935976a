"""An HTTP client for endpoints of strangers: a reply has an end, in bytes and in time."""

import time
import zlib
from collections.abc import Sequence
from typing import Any

import httpx2
import openai

from .parallel import within

MAX_REPLY = 4 << 20
"""Bytes of a reply: several times what the longest reasoning about a verdict is."""

_ZLIB = {"gzip", "x-gzip", "deflate"}
_DESCRIBING = ("content-encoding", "content-length", "transfer-encoding")


class BoundedClient(openai.DefaultHttpxClient):
    """Cuts replies off after `MAX_REPLY` bytes, and waits `seconds` in all for each.

    A server that sends a byte now and then satisfies any time-out per read; one that compresses
    sends gigabytes in a few. No redirect is followed: questions, answers and the key go to no other
    address than the one that was given.

    Args:
        seconds: of waiting for a reply.
        given: what says the address, for messages.
        without: headers that are not sent, whoever sets them.
    """

    def __init__(self, seconds: float, given: str, *, without: Sequence[str] = ()) -> None:
        super().__init__(follow_redirects=False, headers={"Accept-Encoding": "identity"})
        self._seconds, self._given, self._without = seconds, given, without

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """The whole reply, or as much of it as is read, as one that was never compressed.

        Raises:
            httpx2.ReadTimeout: it takes longer.
            openai.OpenAIError: the server sends on to another address.
        """
        end = time.monotonic() + self._seconds
        for name in self._without:
            request.headers.pop(name, None)
        options["stream"] = True  # so that its headers come without its body
        try:
            return within(self._seconds, lambda: self._received(request, end, options))
        except TimeoutError:
            said = f"no whole reply within {self._seconds:g} seconds"
            raise httpx2.ReadTimeout(said, request=request) from None

    def _received(
        self, request: httpx2.Request, end: float, options: dict[str, Any]
    ) -> httpx2.Response:
        response = super().send(request, **options)
        try:
            if response.has_redirect_location:
                raise openai.OpenAIError(
                    f"it sends on to {response.headers['location']}, which is not followed: set "
                    f"{self._given} to the address that answers"
                )
            body = _bounded(response, end)
        finally:
            response.close()
        headers = [(k, v) for k, v in response.headers.multi_items() if k not in _DESCRIBING]
        # Some of Python's encodings are none of text, and decompress.
        headers = [(k, v) for k, v in headers if k != "content-type"]
        return httpx2.Response(response.status_code, headers=headers, content=body, request=request)


def _bounded(response: httpx2.Response, end: float) -> bytes:
    """The body, decompressed; its start if it is too long, or is not compressed as it says."""
    compressed = response.headers.get("content-encoding", "").strip().lower() in _ZLIB
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 32) if compressed else None
    body = bytearray()
    received = 0
    for chunk in response.iter_raw():
        if time.monotonic() > end:
            raise TimeoutError
        received += len(chunk)
        left = MAX_REPLY - len(body)
        try:
            body += unpack.decompress(chunk, left) if unpack else chunk[:left]
        except zlib.error:
            break
        if len(body) == MAX_REPLY or received > MAX_REPLY:
            break
    return bytes(body)
