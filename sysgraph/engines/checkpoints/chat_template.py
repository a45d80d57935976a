"""A checkpoint's chat template, rendered as transformers does, within a budget.

A template is a stranger's program. transformers renders it in Jinja2's sandbox, which keeps it from
files and from Python, and not from taking for ever.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache, wraps
from typing import Any, cast

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from transformers.utils import chat_template_utils

from sysgraph_compiler import TemplateError
from sysgraph_compiler.templates.budget import Budget, current
from sysgraph_compiler.templates.guard import GuardedEnvironment, guarded
from sysgraph_compiler.templates.render import written
from sysgraph_schemas.limits import MAX_WORK

_MAX_TEMPLATE = 200_000
"""Characters of a chat template; published ones have up to some 30,000."""
_PER_CHARACTER = 50
"""Work that each character of the messages allows for: templates look at contents many times."""


class Refused(TemplateError):
    """The template refuses the messages, with `raise_exception`."""


@dataclass(frozen=True)
class Rendered:
    """A chat as text. `varies`: why another run can give another text, None if none can."""

    text: str
    varies: str | None


class _Watched(Budget):
    """A budget that remembers what the rendering did that the next one may do otherwise."""

    varies: str | None = None


def render_chat(
    template: str,
    messages: Sequence[Mapping[str, Any]],
    *,
    add_generation_prompt: bool,
    special_tokens: Mapping[str, str],
) -> Rendered:
    """What `apply_chat_template(messages, tokenize=False)` gives.

    The clock stands still while a process runs, so that a prompt is the same whenever it is made.

    Raises:
        TemplateError: it cannot be rendered, or costs too much; `Refused` where it says so itself.
    """
    compiled = _compiled(template)
    size = sum(_characters(part) for message in messages for part in message.values())
    budget = _Watched(MAX_WORK + _PER_CHARACTER * size)
    scope = {
        "messages": [dict(message) for message in messages],
        "tools": None,
        "documents": None,
        "add_generation_prompt": add_generation_prompt,
        **special_tokens,
    }
    return Rendered(written(compiled, scope, budget), budget.varies)


def _characters(content: str | Sequence[Mapping[str, str]]) -> int:
    """Of a content, a text or a list of parts."""
    if isinstance(content, str):
        return len(content)
    return sum(len(text) for part in content for text in part.values())


@lru_cache(maxsize=64)
def _compiled(template: str) -> jinja2.Template:
    if len(template) > _MAX_TEMPLATE:
        raise TemplateError(f"it has more than {_MAX_TEMPLATE:,} characters")
    try:
        environment = _environment()
        return environment.from_string(guarded(environment.parse(template)))
    except RecursionError:
        raise TemplateError("it is nested too deeply") from None
    except Exception as error:  # whatever Jinja2 and Python's own compiler raise
        raise TemplateError(f"it is no template: {error!s:.500}") from error


@cache
def _environment() -> GuardedEnvironment:
    """The environment that transformers renders chat templates in, guarded."""
    compile_theirs = cast(Any, chat_template_utils)._compile_jinja_template
    theirs: ImmutableSandboxedEnvironment = compile_theirs("").environment
    environment = GuardedEnvironment(
        trim_blocks=theirs.trim_blocks,
        lstrip_blocks=theirs.lstrip_blocks,
        extensions=[type(extension) for extension in theirs.extensions.values()],
    )
    environment.filters = dict(theirs.filters)
    environment.tests = dict(theirs.tests)
    environment.globals = {
        **theirs.globals,
        "raise_exception": _refuse,
        "strftime_now": _strftime_now,
    }
    environment.filters["random"] = _noted("draws at random", cast(Any, theirs.filters["random"]))
    environment.globals["lipsum"] = _noted("draws at random", cast(Any, theirs.globals["lipsum"]))
    environment.guard()
    return environment


def _refuse(message: object) -> None:
    raise Refused(f"{message!s:.500}")


def _strftime_now(format: str) -> str:
    _note("prints the time")
    return _now().strftime(format)


@cache
def _now() -> datetime:
    return datetime.now()


def _noted(what: str, run: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(run)
    def noted(*args: Any, **kwargs: Any) -> Any:
        _note(what)
        return run(*args, **kwargs)

    return noted


def _note(what: str) -> None:
    budget = current()
    assert isinstance(budget, _Watched)
    budget.varies = what
