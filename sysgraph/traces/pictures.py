"""Pictures: images as values of a trace, decoded only while something looks at them."""

import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from safetensors.torch import load, save
from torch import Tensor

from sysgraph_schemas.bounded import read_bounded

from ..support.errors import DataError, RunError
from ..support.files import write_bytes
from .decoding import MAX_BYTES, as_rgb, decoded

if TYPE_CHECKING:  # Pillow comes with the extra `diffusion`; graphs without images need none
    from PIL.Image import Image

LATENTS = ".safetensors"
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True, repr=False)
class Picture:
    """An image that a model drew or that a file holds: equal where its content is.

    It holds encoded bytes, or the file's path, never pixels: thousands fit in memory.
    """

    digest: str
    """Of the pixels, and of the latents if there are any."""
    size: tuple[int, int]
    """Width and height."""
    source: Path | bytes = field(compare=False, repr=False)
    """An encoded image, or the file with it."""
    final: Path | bytes | None = field(default=None, compare=False, repr=False)
    """The latents that it was decoded from, as safetensors, or the file with them."""

    @classmethod
    def drawn(
        cls, image: "Image", latents: Tensor, vae: str, *, seed: int | None = None
    ) -> "Picture":
        """What a model drew.

        Args:
            image: RGB.
            latents: [C, H, W], what `image` was decoded from.
            vae: names the autoencoder whose latents they are.
            seed: of the noise that it was drawn from, if that is known.
        """
        png = io.BytesIO()
        image.save(png, "PNG")
        final = _as_safetensors(latents, vae, seed)
        return cls(_digest(image, final), image.size, png.getvalue(), final)

    @classmethod
    def of(cls, given: object) -> "Picture":
        """What a user means by an image: one of these, a Pillow image, encoded bytes, or a path.

        Raises:
            DataError, ValueError: it is none.
        """
        if isinstance(given, cls):
            return given
        if isinstance(given, bytes):
            return cls.encoded(given)
        if isinstance(given, str | Path):
            return cls.read(given)
        if hasattr(given, "convert"):  # Pillow's, which need not be installed
            png = io.BytesIO()
            as_rgb(cast("Image", given)).save(png, "PNG")
            return cls.encoded(png.getvalue())
        raise ValueError(f"expected the path of an image, or an image, got {given!r:.40}")

    @classmethod
    def encoded(cls, content: bytes) -> "Picture":
        """The image that a file with these bytes would hold.

        Raises:
            ValueError: they are no image that `decoded` takes.
        """
        image = decoded(content)
        return cls(_digest(image, None), image.size, content)

    @classmethod
    def read(cls, path: Path | str) -> "Picture":
        """The image in a file, with the latents in the `.safetensors` file beside it, if any.

        Raises:
            DataError: there is no such file, or it is no image that `decoded` takes.
        """
        path = Path(path)
        try:
            image = decoded(read_bounded(path, MAX_BYTES))
        except OSError as error:
            raise DataError([f"{path}: {error.strerror or error}"]) from None
        except ValueError as error:
            raise DataError([f"{path}: {error}"]) from None
        beside = path.with_suffix(LATENTS)
        try:
            content = read_bounded(beside, MAX_BYTES) if beside.exists() else None
            _latents(content)
        except (OSError, ValueError) as error:
            raise DataError([f"{beside}: no latents that can be read: {error}"]) from None
        final = beside if content is not None else None
        return cls(_digest(image, content), image.size, path, final)

    def __repr__(self) -> str:
        """Equal for equal ones, and short."""
        return f"<image {self.digest}>"

    @property
    def name(self) -> str:
        """What messages call it: its file, or the start of its digest."""
        return str(self.source) if isinstance(self.source, Path) else f"image {self.digest[:12]}"

    def open(self) -> "Image":
        """The image, RGB.

        Raises:
            RunError: its file has gone or is damaged now.
        """
        try:
            return decoded(_content(self.source))
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.name} could be read before, and can not be now: {error}"
            ) from None

    def latents(self, vae: str) -> Tensor | None:
        """The latents [C, H, W] that it was decoded from by the autoencoder `vae`; None without.

        Raises:
            RunError: their file has gone or is damaged now.
        """
        found = self._kept()
        return found.tensor if found is not None and found.vae == vae else None

    @property
    def seed(self) -> int | None:
        """Of the noise that a model drew it from; None without.

        Raises:
            RunError: the file of its latents has gone or is damaged now.
        """
        found = self._kept()
        return None if found is None else found.seed

    def _kept(self) -> "_Latents | None":
        try:
            return _latents(None if self.final is None else _content(self.final))
        except (OSError, ValueError) as error:
            said = f"the latents of {self.name} could be read before, and can not be now: {error}"
            raise RunError(said) from None

    def write(self, folder: Path) -> Path:
        """Writes a PNG named by the digest into `folder`, its latents beside it; gives its path.

        Raises:
            RunError: it cannot be written there.
        """
        path = folder / f"{self.digest}.png"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot write {folder}: {error.strerror}") from None
        # The latents first: an image that is there has its latents, whatever was interrupted.
        if self.final is not None and not path.with_suffix(LATENTS).exists():
            write_bytes(path.with_suffix(LATENTS), _content(self.final))
        if not path.exists():
            write_bytes(path, self.png())
        return path

    def png(self) -> bytes:
        """It as a PNG file."""
        if isinstance(self.source, bytes) and self.source.startswith(_PNG):
            return self.source
        png = io.BytesIO()
        self.open().save(png, "PNG")
        return png.getvalue()


def _digest(image: "Image", final: bytes | None) -> str:
    parts = hashlib.blake2b(repr(image.size).encode(), digest_size=16)
    parts.update(image.tobytes())
    if final is not None:
        parts.update(hashlib.blake2b(final).digest())
    return parts.hexdigest()


def _content(source: Path | bytes) -> bytes:
    return read_bounded(source, MAX_BYTES) if isinstance(source, Path) else source


class _Latents(NamedTuple):
    """What stands in the file of an image's latents."""

    tensor: Tensor
    vae: str
    seed: int | None


def _as_safetensors(latents: Tensor, vae: str, seed: int | None) -> bytes:
    tensors = {"latents": latents.detach().cpu().contiguous()}
    if seed is not None:  # a tensor: safetensors writes several metadata in any order
        tensors["seed"] = torch.tensor(seed)
    return save(tensors, metadata={"vae": vae})


def _latents(content: bytes | None) -> _Latents | None:
    """Latents, the name of their autoencoder, and the seed of their noise.

    Raises:
        ValueError: `content` is nothing that `_as_safetensors` wrote.
    """
    if content is None:
        return None
    try:
        tensors = load(content)
        latents, seed = tensors["latents"], tensors.get("seed")
        if not latents.is_floating_point() or not latents.isfinite().all():
            raise ValueError("no finite numbers")
        # The header: its length in 8 bytes, then JSON. `load` keeps the metadata to itself.
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        vae = str(header.get("__metadata__", {}).get("vae"))
        return _Latents(latents, vae, None if seed is None else int(seed))
    except Exception as error:  # SafetensorError, and KeyError for a type that torch has not
        raise ValueError(str(error)) from None
