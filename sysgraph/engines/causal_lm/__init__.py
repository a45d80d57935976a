"""Causal language models on transformers and peft."""

from .engine import CausalLMEngine

__all__ = ["CausalLMEngine"]
