"""Images in requests and replies: data URLs. No request has a file opened."""

import base64
import binascii
from pathlib import Path
from typing import Any, ClassVar

from ..data.images import ImageFiles
from ..data.shown import BadValue, kind
from ..traces.pictures import Picture

_MARK = ";base64,"
IMAGE = f"data:image/png{_MARK}..."
"""What messages show of an image that is to be sent."""


def data_url(picture: Picture) -> str:
    """An image as a reply has it."""
    return f"data:image/png{_MARK}{base64.b64encode(picture.png()).decode()}"


class SentImages(ImageFiles):
    """The images that a request holds."""

    wanted: ClassVar[str] = f"an image, {IMAGE}"

    def __init__(self) -> None:
        super().__init__(Path())

    def picture(self, given: Any) -> Picture:
        """The image of a data URL.

        Raises:
            BadValue: it is none, or of no image that `decoded` takes.
        """
        is_url = isinstance(given, str) and given.startswith("data:image/") and _MARK in given[:64]
        if not is_url:
            raise BadValue(f"expected {self.wanted}, got {kind(given)}")
        try:
            return Picture.encoded(base64.b64decode(given.partition(_MARK)[2], validate=True))
        except (binascii.Error, ValueError) as error:
            raise BadValue(f"the image: {error}") from None
