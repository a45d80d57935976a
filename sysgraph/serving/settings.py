"""Fields of the protocol that ask for what a graph fixes: ignored, and said so, or refused.

Clients send of themselves how to sample and how long an answer may be. A system's models have that
from its graph, each its own, and the answer is one without it, too. What asks for another kind of
answer (tools, JSON, an early end) is refused, as what came would not be that.
"""

from collections.abc import Mapping
from typing import Any

_SAY_NOTHING = frozenset(
    {
        "metadata",
        "parallel_tool_calls",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
        "verbosity",
    }
)
"""Fields that change no answer here, whatever they are."""
_SAMPLING = "the graph says how its models sample"
_LENGTH = "the graph says how long its texts may be"
_IGNORED: Mapping[str, str] = {
    "temperature": _SAMPLING,
    "top_p": _SAMPLING,
    "frequency_penalty": _SAMPLING,
    "presence_penalty": _SAMPLING,
    "reasoning_effort": _SAMPLING,
    # of vLLM, llama.cpp, Ollama, and clients that are made for them
    "top_k": _SAMPLING,
    "min_p": _SAMPLING,
    "typical_p": _SAMPLING,
    "repetition_penalty": _SAMPLING,
    "repeat_penalty": _SAMPLING,
    "max_tokens": _LENGTH,
    "max_completion_tokens": _LENGTH,
}
"""Fields without which an answer still is one, and why they are ignored."""
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "temperature": (1,),
    "top_p": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "stop": ([], ""),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
}
"""Values of other fields that ask for nothing: what clients send of themselves."""


def ignored(fields: Mapping[str, Any]) -> dict[str, str]:
    """The fields that ask for something that an answer can be without, each with why it is."""
    return {
        name: _IGNORED[name]
        for name, value in fields.items()
        if name in _IGNORED and not _asks_nothing(name, value)
    }


def refused(fields: Mapping[str, Any]) -> dict[str, str]:
    """The fields that ask for what cannot be had, each with what is wrong."""
    found = {}
    for name, value in fields.items():
        if name in _IGNORED or _asks_nothing(name, value):
            continue
        if name in _NEUTRAL:
            found[name] = f"{name}: a system answers as its graph says; leave it out of the request"
        else:
            found[name] = f"{name!r:.80}: no field of a request that is known here"
    return found


def _asks_nothing(name: str, value: Any) -> bool:
    return value is None or name in _SAY_NOTHING or value in _NEUTRAL.get(name, ())
