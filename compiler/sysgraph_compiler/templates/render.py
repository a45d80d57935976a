"""Rendering prompts: Jinja2's sandbox, behind the allowlist, with caps on time and size."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from jinja2 import StrictUndefined, Template, nodes, pass_context
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sysgraph_schemas.limits import MAX_RENDERED, MAX_STEPS, MAX_TEMPLATE

from .allow import forbidden
from .filters import FILTERS, TESTS
from .flaw import Flaw, TemplateError
from .parse import parse, tree_of

_COUNTED = "sysgraph counted"  # no template can name a filter with a space in it


def render_template(template: str, scope: Mapping[str, object]) -> str:
    """The template's text.

    Args:
        template: A Jinja2 template, as prompts are: variables, loops, conditions, a few filters.
        scope: What each name stands for: text, a number, or a list of these.

    Raises:
        TemplateError: the template is not allowed, uses a name that `scope` lacks, or gives more
            text or loops longer than a prompt may.
    """
    if "{" not in template:
        return template
    compiled = _compiled(template)
    budget = _Budget()
    parts: list[str] = []
    size = 0
    try:
        for part in compiled.generate({**scope, _COUNTED: budget}):
            size += len(part)
            if size > MAX_RENDERED:
                raise TemplateError(f"a rendered prompt has more than {MAX_RENDERED:,} characters")
            parts.append(part)
    except TemplateError:
        raise
    except (
        JinjaError,
        TypeError,
        ValueError,
        LookupError,
        ArithmeticError,
        AttributeError,
    ) as error:
        raise TemplateError(f"the template cannot be rendered: {error}") from error
    return "".join(parts)


class _Budget:
    """The turns that all loops of one rendering may take together."""

    def __init__(self) -> None:
        self.left = MAX_STEPS


@pass_context
def _counted(context: Context, items: Iterable[object]) -> Iterator[object]:
    budget: _Budget = context[_COUNTED]
    for item in items:
        budget.left -= 1
        if budget.left < 0:
            raise TemplateError(f"the template's loops take more than {MAX_STEPS:,} turns")
        yield item


@lru_cache(maxsize=1024)
def _compiled(template: str) -> Template:
    if len(template) > MAX_TEMPLATE:
        raise TemplateError(f"a template has more than {MAX_TEMPLATE:,} characters")
    parsed = parse(template)
    flaws = (parsed,) if isinstance(parsed, Flaw) else forbidden(parsed)
    if flaws or isinstance(parsed, Flaw):
        raise TemplateError("; ".join(flaw.message for flaw in flaws))
    tree = tree_of(template)
    for loop in list(tree.find_all(nodes.For)):
        loop.iter = nodes.Filter(loop.iter, _COUNTED, [], [], None, None, lineno=loop.lineno)
    return _ENVIRONMENT.from_string(tree)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, optimized=False
    )
    environment.globals.clear()
    environment.filters = {name: rule.run for name, rule in FILTERS.items()}
    environment.filters[_COUNTED] = _counted
    environment.tests = dict(TESTS)
    return environment


_ENVIRONMENT = _environment()
