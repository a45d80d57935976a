"""Models that measure attributes of images: image classifiers and regressors, and CLIP."""

from .base import Meter
from .classifier import Classifier
from .clip import Clip, Texts

__all__ = ["Classifier", "Clip", "Meter", "Texts"]
