"""Models that a server samples while they are scored and trained here."""

from .engine import ServerEngine

__all__ = ["ServerEngine"]
