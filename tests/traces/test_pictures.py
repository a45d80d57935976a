"""Pictures: equal by content, cheap to hold, and clear about files that are none."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sysgraph.support.errors import DataError, RunError
from sysgraph.traces.pictures import Picture

RNG = np.random.default_rng(0)


def noise(width: int = 6, height: int = 4) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8))


def saved(image: Image.Image, path: Path) -> Path:
    image.save(path)
    return path


# ---- content


def test_equal_where_the_pixels_are(tmp_path: Path) -> None:
    image = noise()
    png = Picture.read(saved(image, tmp_path / "a.png"))
    bmp = Picture.read(saved(image, tmp_path / "b.bmp"))
    assert png == bmp
    assert len({png, bmp}) == 1
    assert png.size == (6, 4)
    image.putpixel((5, 3), (1, 2, 3))
    other = Picture.read(saved(image, tmp_path / "c.png"))
    assert other != png
    assert np.array_equal(np.asarray(other.open()), np.asarray(image))


def test_same_bytes_in_another_shape_are_another_image(tmp_path: Path) -> None:
    flat = Image.new("RGB", (6, 4), "red")
    turned = Image.new("RGB", (4, 6), "red")
    pictures = {Picture.read(saved(i, tmp_path / f"{i.width}.png")) for i in (flat, turned)}
    assert len(pictures) == 2


def test_latents_are_part_of_the_content() -> None:
    image, latents = noise(), torch.randn(4, 2, 3)
    drawn = Picture.drawn(image, latents, "vae")
    assert drawn == Picture.drawn(image, latents.clone(), "vae")
    assert drawn != Picture.drawn(image, latents + 1, "vae")
    assert drawn != Picture.drawn(image, latents, "another")


def test_latents_are_given_to_the_autoencoder_that_made_them() -> None:
    latents = torch.randn(4, 2, 3, dtype=torch.float16)
    drawn = Picture.drawn(noise(), latents, "vae")
    found = drawn.latents("vae")
    assert found is not None
    assert torch.equal(found, latents)
    assert found.dtype == torch.float16
    assert drawn.latents("another") is None


def test_holds_no_pixels(tmp_path: Path) -> None:
    picture = Picture.read(saved(noise(512, 512), tmp_path / "big.png"))
    assert len(pickle.dumps(picture)) < 2_000
    flat = Picture.drawn(Image.new("RGB", (512, 512)), torch.zeros(1), "vae")
    assert len(pickle.dumps(flat)) < 20_000


# ---- other modes than RGB


MODES = {
    "gray": (Image.new("L", (1, 1), 100), (100, 100, 100)),
    "opaque": (Image.new("RGBA", (1, 1), (10, 20, 30, 255)), (10, 20, 30)),
    "invisible": (Image.new("RGBA", (1, 1), (10, 20, 30, 0)), (255, 255, 255)),
    # Over white: 255 + (value - 255) * 51 / 255.
    "thin": (Image.new("RGBA", (1, 1), (0, 100, 255, 51)), (204, 224, 255)),
    "gray with alpha": (Image.new("LA", (1, 1), (0, 51)), (204, 204, 204)),
    "black and white": (Image.new("1", (1, 1), 1), (255, 255, 255)),
    "16 bits": (Image.fromarray(np.array([[0x64FF]], dtype=np.uint16)), (100, 100, 100)),
}


@pytest.mark.parametrize("name", MODES)
def test_becomes_rgb_over_white(name: str, tmp_path: Path) -> None:
    image, wanted = MODES[name]
    opened = Picture.read(saved(image, tmp_path / "a.png")).open()
    assert opened.mode == "RGB"
    assert opened.getpixel((0, 0)) == wanted


def test_transparent_palette_entry_is_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([200, 0, 0, 0, 0, 200])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=0)
    opened = Picture.read(tmp_path / "a.png").open()
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 200)]


def test_turned_as_the_camera_was(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.new("RGB", (6, 4)).save(tmp_path / "a.jpg", exif=exif)
    assert Picture.read(tmp_path / "a.jpg").size == (4, 6)


# ---- files that are none


def whole(tmp_path: Path) -> bytes:
    return saved(noise(64, 64), tmp_path / "whole.png").read_bytes()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda content: content[: len(content) // 2], "damaged"),
        (lambda content: content[:-40], "damaged"),
        (lambda content: b"", "not an image"),
        (lambda content: b"GIF is a format" * 9, "not an image"),
    ],
    ids=["half", "nearly whole", "empty", "text"],
)
def test_a_damaged_file_is_named(damage, said: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "one.png"
    path.write_bytes(damage(whole(tmp_path)))
    with pytest.raises(DataError, match=said) as raised:
        Picture.read(path)
    assert str(path) in raised.value.problems[0]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.png: No such file"):
        Picture.read(tmp_path / "none.png")
    with pytest.raises(DataError, match="Is a directory"):
        Picture.read(tmp_path)


def test_damaged_latents_are_named(tmp_path: Path) -> None:
    path = Picture.drawn(noise(), torch.randn(4, 2, 2), "vae").write(tmp_path)
    beside = path.with_suffix(".safetensors")
    beside.write_bytes(beside.read_bytes()[:-3])
    with pytest.raises(DataError) as raised:
        Picture.read(path)
    assert str(beside) in raised.value.problems[0]


def test_a_file_that_goes_later_is_named(tmp_path: Path) -> None:
    path = saved(noise(), tmp_path / "a.png")
    picture = Picture.read(path)
    path.unlink()
    with pytest.raises(RunError, match=r"a\.png"):
        picture.open()


# ---- writing


def test_round_trip(tmp_path: Path) -> None:
    latents = torch.randn(4, 2, 3)
    drawn = Picture.drawn(noise(), latents, "vae")
    path = drawn.write(tmp_path / "new" / "images")
    assert path.name == f"{drawn.digest}.png"
    read = Picture.read(path)
    assert read == drawn
    found = read.latents("vae")
    assert found is not None
    assert torch.equal(found, latents)
    assert np.array_equal(np.asarray(read.open()), np.asarray(drawn.open()))
    assert read.write(tmp_path / "again").read_bytes() == path.read_bytes()


def test_a_file_of_another_format_is_written_as_png(tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 8), (10, 200, 30))
    picture = Picture.read(saved(image, tmp_path / "a.bmp"))
    path = picture.write(tmp_path / "out")
    assert Image.open(path).format == "PNG"
    assert Picture.read(path) == picture
    assert [p.name for p in (tmp_path / "out").iterdir()] == [path.name]
