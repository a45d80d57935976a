"""Rendering prompts: a guarded sandbox behind the allowlist."""

from collections.abc import Mapping
from functools import lru_cache

from jinja2 import StrictUndefined, Template

from sysgraph_schemas.limits import MAX_RENDERED, MAX_TEMPLATE
from sysgraph_schemas.visible import half_character, visible

from .allow import forbidden
from .budget import Budget, spending
from .fields import FIELD, field, nested, with_lookups
from .filters import FILTERS, TESTS
from .flaw import Flaw, TemplateError
from .guard import GuardedEnvironment, guarded
from .parse import parse, tree_of


def render_template(template: str, scope: Mapping[str, object]) -> str:
    """The template's text.

    Args:
        template: A Jinja2 template, as prompts are: variables, loops, conditions, a few filters.
        scope: What each name stands for: text, a number, a list of these, or a record; a field of
            one also by itself, as `call.query`.

    Raises:
        TemplateError: the template is not allowed, uses a name that `scope` lacks, or gives more
            text, loops longer or costs more than a prompt may.
    """
    if "{" not in template:
        return template
    return written(_compiled(template), nested(scope), Budget())


def written(template: Template, scope: Mapping[str, object], budget: Budget) -> str:
    """What a template of a `GuardedEnvironment` prints.

    Raises:
        TemplateError: it cannot be rendered, whatever the reason, or not within `budget`.
    """
    parts: list[str] = []
    size = 0
    try:
        with spending(budget):
            for part in template.generate(scope):
                size += len(part)
                if size > MAX_RENDERED:
                    said = f"a rendered prompt has more than {MAX_RENDERED:,} characters"
                    raise TemplateError(said)
                parts.append(part)
    except TemplateError:
        raise
    except RecursionError:
        raise TemplateError("the template cannot be rendered: it is nested too deeply") from None
    except Exception as error:  # a template can raise whatever Python can
        said = str(error) or type(error).__name__
        raise TemplateError(f"the template cannot be rendered: {said:.500}") from error
    text = "".join(parts)
    half = half_character(text)
    if half is not None:
        raise TemplateError(f"the rendered text has half of a character, {visible(half)}")
    return text


@lru_cache(maxsize=1024)
def _compiled(template: str) -> Template:
    if len(template) > MAX_TEMPLATE:
        raise TemplateError(f"a template has more than {MAX_TEMPLATE:,} characters")
    parsed = parse(template)
    flaws = (parsed,) if isinstance(parsed, Flaw) else forbidden(parsed)
    if flaws or isinstance(parsed, Flaw):
        raise TemplateError("; ".join(flaw.message for flaw in flaws))
    return _ENVIRONMENT.from_string(guarded(with_lookups(tree_of(template))))


def _environment() -> GuardedEnvironment:
    environment = GuardedEnvironment(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True
    )
    environment.globals.clear()
    environment.filters = {name: rule.run for name, rule in FILTERS.items()} | {FIELD: field}
    environment.tests = dict(TESTS)
    environment.guard()
    return environment


_ENVIRONMENT = _environment()
