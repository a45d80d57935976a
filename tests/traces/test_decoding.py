"""Encoded images of strangers: what is decoded, what is refused, and how little that costs."""

import contextlib
import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, WebPImagePlugin

from sysgraph.data.images import ImageFiles
from sysgraph.data.shown import BadValue
from sysgraph.support.errors import DataError
from sysgraph.traces.decoding import MAX_BYTES, MAX_PIXELS, decoded
from sysgraph.traces.pictures import Picture

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 16, 3), dtype=np.uint8))
FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "BMP"]


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


# ---- formats


@pytest.mark.parametrize("format", FORMATS)
def test_the_formats_of_image_sets(format: str) -> None:
    content = encoded(NOISE, format)
    found = decoded(content)
    assert (found.mode, found.size) == ("RGB", NOISE.size)
    assert found.tobytes() == Image.open(io.BytesIO(content)).convert("RGB").tobytes()


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF"])
def test_of_a_film_the_first_frame(format: str) -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue", "green")]
    content = encoded(frames[0], format, save_all=True, append_images=frames[1:])
    assert decoded(content).getpixel((0, 0))[0] > 200  # type: ignore[index]


@pytest.mark.parametrize("format", ["TIFF", "EPS", "PDF", "PPM", "ICO", "TGA", "DDS", "AVIF"])
def test_other_formats_are_refused(format: str) -> None:
    with pytest.raises(ValueError, match="not an image of a known format; expected PNG, JPEG"):
        decoded(encoded(NOISE, format))


def test_an_eps_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called .png too: Pillow would tell by its content."""
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "a.png").write_bytes(encoded(NOISE, "EPS"))
    with pytest.raises(DataError, match="not an image of a known format"):
        Picture.read(tmp_path / "a.png")
    assert not (tmp_path / "started").exists()


# ---- sizes


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(5_000_000)))
    return b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b"")


def bmp(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IIIIiiHHIIIIII", 54, 0, 54, 40, width, height, 1, 24, *[0] * 6)


def gif(width: int, height: int) -> bytes:
    """Whose frame is bigger than its canvas."""
    frame = b"\x2c" + struct.pack("<HHHH", 0, 0, width, height) + b"\x00\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HH", 1, 1) + b"\x80\0\0" + bytes(6) + frame + b"\x3b"


def webp(width: int, height: int) -> bytes:
    still = encoded(NOISE, "WEBP", lossless=True)[12:]
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    frame = b"ANMF" + struct.pack("<I", 16 + len(still)) + bytes(6)
    frame += (15).to_bytes(3, "little") + (8).to_bytes(3, "little") + bytes(4) + still
    body = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas
    body += b"ANIM" + struct.pack("<I", 6) + bytes(6) + frame
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def jpeg(width: int, height: int) -> bytes:
    content = encoded(NOISE, "JPEG")
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]


@pytest.mark.parametrize("make", [png, bmp, gif, webp, jpeg])
@pytest.mark.parametrize("size", [(13_000, 13_000), (16_000, 3_000), (1, 60_000_000)])
def test_too_many_pixels_are_not_decoded(
    make: Callable[[int, int], bytes], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if max(size) > 16_383 and make is not png and make is not bmp:
        pytest.skip("no such header")
    for kind in (ImageFile.ImageFile, WebPImagePlugin.WebPImageFile):
        monkeypatch.setattr(kind, "load", pytest.fail)
    with pytest.raises(ValueError, match=f"an image of {size[0]} x {size[1]} pixels"):
        decoded(make(*size))


def test_more_pixels_than_pillow_looks_at() -> None:
    with pytest.raises(ValueError, match=f"too many pixels; expected at most {MAX_PIXELS:,}"):
        decoded(png(100_000, 100_000))


def peak() -> int:
    """Most memory that this process ever had, in kilobytes."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0])


@pytest.mark.parametrize("make", [png, bmp, webp, jpeg])
def test_a_refused_image_takes_no_memory(make: Callable[[int, int], bytes]) -> None:
    """Three bytes for every pixel are 500 MB."""
    content = make(13_000, 13_000)
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak begins anew
    before = peak()
    with pytest.raises(ValueError, match="pixels"):
        decoded(content)
    assert peak() - before < 50_000


def test_a_jpeg_of_many_scans_is_refused() -> None:
    content = encoded(Image.new("RGB", (2000, 2000)), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    assert decoded(content).size == (2000, 2000)
    with pytest.raises(ValueError, match=r"2000 x 2000 pixels in 5,0\d\d scans"):
        decoded(content[:last] + content[last:-2] * 5000 + content[-2:])


def test_too_many_bytes() -> None:
    with pytest.raises(ValueError, match="bytes; expected at most"):
        decoded(encoded(NOISE, "PNG") + bytes(MAX_BYTES))


# ---- files that are none


def special(name: str, folder: Path) -> str:
    path = folder / name
    if name == "pipe":
        os.mkfifo(path)
    if name == "sparse.png":
        with path.open("wb") as file:
            file.truncate(1 << 40)
    return str(path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/dev/zero", "/dev/zero: a device, not a file"),
        ("/dev/stdin", "not a file|not an image"),
        ("pipe", "pipe: a pipe, not a file"),
        ("sparse.png", r"sparse\.png: 1,099,511,627,776 bytes; expected at most 67,108,864"),
        ("a\0b", "null"),
        ("a" * 300, "File name too long"),
        ("\udcff", "No such file"),
    ],
)
def test_what_is_no_image_file(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=said):
        ImageFiles(tmp_path).picture(special(name, tmp_path))


@pytest.mark.parametrize("name", ["pipe", "sparse.png"])
def test_latents_that_are_no_file(name: str, tmp_path: Path) -> None:
    NOISE.save(tmp_path / "a.png")
    Path(special(name, tmp_path)).rename(tmp_path / "a.safetensors")
    with pytest.raises(DataError, match=r"a\.safetensors: no latents that can be read: "):
        Picture.read(tmp_path / "a.png")


# ---- damage


def camera() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x8769] = 6, "a text", {0x9286: b"comment"}
    return encoded(NOISE, "JPEG", exif=exif, progressive=True)


SOUND = {
    **{format: encoded(NOISE, format) for format in FORMATS},
    "camera": camera(),
    "PNG with EXIF": encoded(NOISE, "PNG", exif=Image.Exif(), dpi=(72, 72)),
    "palette": encoded(NOISE.quantize(7), "PNG", transparency=0),
    "gray": encoded(NOISE.convert("L"), "BMP"),
    "film": encoded(NOISE, "WEBP", save_all=True, append_images=[NOISE.rotate(180)]),
    "GIF film": encoded(NOISE, "GIF", save_all=True, append_images=[NOISE.rotate(180)]),
}


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.filterwarnings("error")
def test_damage_is_always_told_as_such(name: str) -> None:
    """Bits flipped, bytes set, cut out and doubled; the header more often than the pixels."""
    rng, sound = np.random.default_rng(7), SOUND[name]
    for turn in range(400):
        content = bytearray(sound)
        end = len(content) if turn % 2 else min(len(content), 200)
        for at in rng.integers(0, end, rng.integers(1, 4)):
            content[at] = (content[at] ^ (1 << rng.integers(8)), 0, 255)[rng.integers(3)]
        if turn % 5 == 0:
            first, last = sorted(rng.integers(0, len(content), 2))
            content = content[:first] + content[last:] * (1 + turn % 2)
        with contextlib.suppress(ValueError):  # of others, and warnings, none
            assert decoded(bytes(content)).mode == "RGB"


def test_whatever_a_decoder_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(self: object) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", load)
    with pytest.raises(ValueError, match="a damaged image: MemoryError"):
        decoded(encoded(NOISE, "PNG"))


# ---- Pillow's own


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGBA", (4, 2), (200, 10, 10, 0)),
        Image.fromarray(np.array([[0, 9000, 65535]], np.uint16)),
        NOISE,
    ],
    ids=["transparent", "16 bits", "turned"],
)
def test_an_image_of_pillow_is_what_its_file_is(tmp_path: Path, image: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x112] = 6  # a camera that was held upright
    image.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as opened:
        assert Picture.of(opened) == Picture.read(tmp_path / "a.png")


def test_a_damaged_image_of_pillow_is_told(tmp_path: Path) -> None:
    content = encoded(NOISE, "PNG")
    said = r"the image: a damaged image: .*truncated"
    with (
        Image.open(io.BytesIO(content[: len(content) // 2])) as opened,
        pytest.raises(BadValue, match=said),
    ):
        ImageFiles(tmp_path).picture(opened)
