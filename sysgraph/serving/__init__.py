"""A system as one model behind the OpenAI protocol: `sysgraph serve`."""

from .app import app
from .limits import Limits
from .service import Service

__all__ = ["Limits", "Service", "app"]
