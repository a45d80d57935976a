"""What a request to `/v1/chat/completions` asks of a system."""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sysgraph_compiler import Program

from ..data.inputs import row_inputs
from ..data.shown import BadValue
from ..traces.trace import Given, input_names, is_broken
from .errors import ApiError
from .limits import Limits
from .pictures import IMAGE, SentImages
from .settings import ignored, refused


@dataclass(frozen=True)
class Asked:
    """A request that the system can be run on.

    Attributes:
        inputs: as traces have them.
        n: answers wanted.
        seed: of the answers; drawn where the request has none.
        stream: whether the answer is sent in parts.
        usage: whether a stream ends with the tokens that it took.
        values: whether every node's value is wanted, not the outputs alone.
        ignored: fields of the request that the answer does without, and why.
    """

    inputs: Mapping[str, Given]
    n: int
    seed: int
    stream: bool = False
    usage: bool = False
    values: bool = False
    ignored: Mapping[str, str] = field(default_factory=dict)


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)
    type: str
    text: str | None = None


class _Message(BaseModel):
    model_config = ConfigDict(strict=True)
    role: str
    content: str | list[_Part] | None = None


class _StreamOptions(BaseModel):
    model_config = ConfigDict(strict=True)
    include_usage: bool | None = None


class _Own(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    values: bool = False


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    model: str | None = None
    messages: list[_Message] = []
    inputs: dict[str, Any] | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    sysgraph: _Own | None = None


def read_asked(program: Program, content: bytes, limits: Limits) -> Asked:
    """What the content of a request asks.

    Raises:
        ApiError: it is no such request, it has no inputs for this system, or it asks for what the
            graph fixes; all that is wrong.
    """
    body = _body(content)
    if body.model not in (None, program.name):
        said = f"no model {body.model!r:.80} is served here; there is {program.name!r}"
        raise ApiError(404, said, code="model_not_found", param="model")
    fields = body.model_extra or {}
    problems = refused(fields)
    if body.n is not None and body.n > limits.samples:
        problems["n"] = f"n is {body.n}; this server takes at most {limits.samples}"
    if problems:
        said, first = _all(problems.values()), next(iter(problems))
        raise ApiError(400, said, code="unsupported_parameter", param=first)
    inputs, unread = _inputs(program, body)
    options = body.stream_options
    return Asked(
        inputs=inputs,
        n=body.n or 1,
        seed=secrets.randbelow(2**31) if body.seed is None else body.seed,
        stream=bool(body.stream),
        usage=bool(options and options.include_usage),
        values=bool(body.sysgraph and body.sysgraph.values),
        ignored={**unread, **ignored(fields)},
    )


def _body(content: bytes) -> _Body:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise ApiError(400, "the request is no JSON", code="invalid_json") from None
    if not isinstance(found, dict):
        raise ApiError(400, "the request is no JSON object", code="invalid_json")
    try:
        return _Body.model_validate(found)
    except ValidationError as error:
        wrong = [(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
        said = _all(f"{place}: {message}" for place, message in wrong)
        raise ApiError(400, said, code="invalid_type", param=wrong[0][0]) from None


def _all(problems: Iterable[str]) -> str:
    """Problems as one text: the first ones, of a request that has nothing else."""
    found = [*problems]
    more = [f"and {len(found) - _TOLD} more"] if len(found) > _TOLD else []
    return "; ".join([*found[:_TOLD], *more])


_TOLD = 20


def _inputs(program: Program, body: _Body) -> tuple[dict[str, Given], dict[str, str]]:
    """The value of every input of the program, and what of the messages is no part of it.

    Raises:
        ApiError: the request does not give them.
    """
    if body.inputs is not None:
        return _given(program, body.inputs), {}
    names = input_names(program)
    if len(names) != 1 or program.variable(names[0]).type == "image":
        shown = {n: IMAGE if program.variable(n).type == "image" else "..." for n in names}
        example = json.dumps({"inputs": shown})
        has = f"this system has the inputs {', '.join(names)}"
        said = f"{has}: give them beside `messages`, as {example}"
        raise ApiError(400, said, code="missing_inputs", param="inputs")
    if program.variable(names[0]).type == "messages":
        turns = [{"role": one.role, "content": _text(one)} for one in body.messages]
        return _given(program, {names[0]: turns}), {}
    unread = {} if len(body.messages) == 1 else {"messages": _LAST_ALONE}
    return {names[0]: _question(body.messages)}, unread


_LAST_ALONE = "only the last one is read: this system's prompts are in its graph"


def _given(program: Program, inputs: Mapping[str, Any]) -> dict[str, Given]:
    problems: list[str] = []
    try:
        found = row_inputs(program, {"inputs": inputs}, SentImages(), problems)
    except BadValue as error:
        problems.append(str(error))
    if problems or found is None:
        raise ApiError(400, "; ".join(problems), code="bad_input", param="inputs")
    return found[0]


def _question(messages: list[_Message]) -> str:
    """The text of the last message, which is the user's.

    Raises:
        ApiError: there is none.
    """
    if not messages or messages[-1].role != "user":
        said = 'messages: expected the question as the last one, {"role": "user", "content": "..."}'
        raise ApiError(400, said, code="missing_inputs", param="messages")
    text = _text(messages[-1])
    if is_broken(text):
        raise ApiError(400, "messages: the last one holds half of a character", code="bad_input")
    return text


def _text(message: _Message) -> str:
    if isinstance(message.content, str):
        return message.content
    parts = message.content or []
    if not parts or any(part.type != "text" or part.text is None for part in parts):
        said = 'messages: a content is a text, or parts of {"type": "text", "text": "..."}'
        raise ApiError(400, said, code="unsupported_message", param="messages")
    return "\n".join(part.text or "" for part in parts)
