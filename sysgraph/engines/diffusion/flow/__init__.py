"""Pipelines that are trained by flow matching: rectified flows from images to noise."""

from .matching import FlowMatching

__all__ = ["FlowMatching"]
