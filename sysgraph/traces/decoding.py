"""Encoded images to pixels: of few formats, up to a size, whatever the bytes are."""

import io
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # Pillow comes with the extra `diffusion`; graphs without images need none
    from PIL.Image import Image

MAX_BYTES = 64 << 20
"""Bytes of an encoded image, or of the latents beside it."""
MAX_PIXELS = 1 << 25
"""Pixels of an image: 8K, or 5,792 squared."""

# Those that sets of images have. Pillow's other decoders are seldom looked at, and the one for
# EPS starts a program.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
_NAMES = "PNG, JPEG, WebP, GIF or BMP"
_MAX_PASSES = 100 * MAX_PIXELS
"""Pixels times scans of a JPEG: each scan, however few its bytes, may be about all of them."""


def decoded(content: bytes) -> "Image":
    """An encoded image as RGB.

    The first frame, turned as its EXIF tag says; transparency over white; grayscale of 16 bits by
    its upper 8.

    Raises:
        ValueError: it is no PNG, JPEG, WebP, GIF or BMP image, is damaged, or is too big.
    """
    from PIL import Image, UnidentifiedImageError

    if len(content) > MAX_BYTES:
        raise ValueError(f"an image of {len(content):,} bytes; expected at most {MAX_BYTES:,}")
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            # Its header only: what it asks for is known before any of it is decoded.
            Image.open(io.BytesIO(content), formats=_FORMATS) as opened,
        ):
            _refuse(opened, content)
            return _rgb(opened)
    except UnidentifiedImageError:
        raise ValueError(f"not an image of a known format; expected {_NAMES}") from None
    except Image.DecompressionBombError:
        raise ValueError(f"an image of too many pixels; expected at most {MAX_PIXELS:,}") from None
    except _RefusedError as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # decoders raise anything: struct.error, KeyError, ZeroDivisionError
        said = str(error) or type(error).__name__
        raise ValueError(f"a damaged image: {said}") from None


def as_rgb(image: "Image") -> "Image":
    """A Pillow image, which may still be undecoded, as `decoded` makes one of its file.

    Raises:
        ValueError: it is damaged, or is too big.
    """
    try:
        _refuse(image, b"")
        return _rgb(image)
    except _RefusedError as error:
        raise ValueError(str(error)) from None
    except Exception as error:
        raise ValueError(f"a damaged image: {str(error) or type(error).__name__}") from None


class _RefusedError(Exception):
    """A sound image, as far as is known, that nothing is done with."""


def _refuse(opened: "Image", content: bytes) -> None:
    width, height = opened.size
    if width * height > MAX_PIXELS:
        raise _RefusedError(
            f"an image of {width} x {height} pixels; expected at most {MAX_PIXELS:,} of them"
        )
    # FF DA begins a scan, and within one FF is followed by 00.
    scans = content.count(b"\xff\xda") if content.startswith(b"\xff\xd8") else 1
    if scans * width * height > _MAX_PASSES:
        raise _RefusedError(f"an image of {width} x {height} pixels in {scans:,} scans")


def _rgb(opened: "Image") -> "Image":
    from PIL import Image, ImageOps

    opened.load()
    image = ImageOps.exif_transpose(opened)
    if image.mode.startswith("I;16"):
        return Image.fromarray(_upper_bits(image)).convert("RGB")
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _upper_bits(image: "Image") -> Any:
    import numpy as np

    return (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
