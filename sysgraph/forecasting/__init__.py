"""What a training would take, found out before anything is loaded: see `forecast`."""

from .foresee import forecast
from .result import Forecast

__all__ = ["Forecast", "forecast"]
