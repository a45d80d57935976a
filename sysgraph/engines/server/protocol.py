"""What a vLLM server is asked, and what its replies hold, in which anything may be missing."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..ordering import Order


@dataclass(frozen=True)
class Drawn:
    """A text as it came: its ids, and the log-probability of each, where that was asked for."""

    ids: tuple[int, ...]
    log_probs: tuple[float, ...] = ()


def completions(
    model: str, order: Order, *, seed: int, n: int, salt: str, log_probs: bool = False
) -> dict[str, Any]:
    """The body of a request for `n` texts; text i is drawn from seed + i.

    Every setting is said: what is not, a server takes from the checkpoint's generation settings.
    The ids that end a text are ours, and no others.

    Args:
        model: what the server calls it.
        salt: tells the model's weights: what was computed under others is not gone on from.
    """
    decoding = order.decoding
    temperature, top_p = decoding.temperature, decoding.top_p
    body: dict[str, Any] = {
        "model": model,
        "prompt": list(order.prompt),
        "n": n,
        "seed": seed,
        "max_tokens": order.room,
        "min_tokens": 0,
        "temperature": 1.0 if temperature is None else temperature,
        "top_p": 1.0 if top_p is None else top_p,
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "stop": list(decoding.stop or ()),
        "stop_token_ids": list(order.ends),
        "ignore_eos": True,  # `stop_token_ids` has all
        "skip_special_tokens": True,
        "return_token_ids": True,
        "cache_salt": salt,
    }
    return {**body, "logprobs": 0} if log_probs else body


def texts(content: bytes, order: Order, n: int) -> list[Drawn]:
    """What a reply holds.

    Raises:
        ValueError: it does not hold `n` texts as ids, or is about another prompt; why.
    """
    try:
        choices = json.loads(content)["choices"]
        found = [_drawn(choice) for choice in choices]
        prompts = [choice.get("prompt_token_ids") for choice in choices]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        said = "a reply holds no texts as token ids: it takes vLLM 0.10.2 or a newer"
        raise ValueError(said) from None
    if len(found) != n:
        raise ValueError(f"{n} texts were asked for, and {len(found)} came")
    if any(prompt is not None and tuple(prompt) != order.prompt for prompt in prompts):
        raise ValueError("it drew for another prompt than it was sent: it cuts prompts, or adds")
    return found


def base_model(content: bytes) -> tuple[str, str]:
    """What a server calls its base, and where that is from, as its list of models says.

    Raises:
        ValueError: it lists none.
    """
    try:
        models = json.loads(content)["data"]
        base = next(one for one in models if one.get("parent") is None)
        return str(base["id"]), str(base.get("root"))
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration, RecursionError):
        raise ValueError("it lists no model at /models") from None


def _drawn(choice: dict[str, Any]) -> Drawn:
    ids = _numbers(choice["token_ids"], int)
    said = choice.get("logprobs")
    return Drawn(ids, _numbers(said["token_logprobs"], (int, float)) if said else ())


def _numbers(values: Sequence[Any], kind: Any) -> tuple[Any, ...]:
    if not isinstance(values, list) or not all(isinstance(value, kind) for value in values):
        raise TypeError(values)
    return tuple(values)
