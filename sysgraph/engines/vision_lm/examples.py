"""Pictures on which a model shows what it allows: of other shapes, and nothing alike in them."""

import numpy as np
from PIL import Image

from ...traces.pictures import Picture

_SIZES = ((32, 32), (48, 32), (32, 64))


def example_pictures() -> list[Picture]:
    """Three, always the same."""
    random = np.random.default_rng(0)
    return [
        Picture.of(Image.fromarray(random.integers(0, 256, (high, wide, 3), np.uint8)))
        for wide, high in _SIZES
    ]
