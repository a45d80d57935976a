"""Models behind the OpenAI protocol: their engine, and what judges share with it."""

from .engine import EndpointEngine

__all__ = ["EndpointEngine"]
