"""The world "progression": captions of growing intensity, and pictures of them.

A language model writes the captions and a text-conditioned diffusion model draws them: the first
application of SysDPO (arXiv 2502.17721, sections 4.1 and 5.1), in small.
"""

from .measures import likeness, measured
from .photos import photos
from .recipes import CaptionerRecipe, EditorRecipe, PainterRecipe, ViewerRecipe
from .world import attribute_named, inputs

__all__ = [
    "CaptionerRecipe",
    "EditorRecipe",
    "PainterRecipe",
    "ViewerRecipe",
    "attribute_named",
    "inputs",
    "likeness",
    "measured",
    "photos",
]
