"""Graph to program: checks, passes, emitters. Never imports torch."""

from typing import TYPE_CHECKING

from sysgraph_schemas.lazily import lazily

if TYPE_CHECKING:
    from .emit.latex import emit_latex
    from .emit.text import emit_text
    from .observation import Observation
    from .opening import Opened, diagnose, load, open_graph
    from .pipeline import check, compile
    from .program import IR_VERSION, IRVersionError, Program, Term
    from .templates.flaw import TemplateError
    from .templates.render import render_template
    from .variable import Variable

__all__ = [
    "IR_VERSION",
    "IRVersionError",
    "Observation",
    "Opened",
    "Program",
    "TemplateError",
    "Term",
    "Variable",
    "check",
    "compile",
    "diagnose",
    "emit_latex",
    "emit_text",
    "load",
    "open_graph",
    "render_template",
]

_MODULES = {
    "IRVersionError": ".program",
    "IR_VERSION": ".program",
    "Observation": ".observation",
    "Opened": ".opening",
    "Program": ".program",
    "TemplateError": ".templates.flaw",
    "Term": ".program",
    "Variable": ".variable",
    "check": ".pipeline",
    "compile": ".pipeline",
    "diagnose": ".opening",
    "emit_latex": ".emit.latex",
    "emit_text": ".emit.text",
    "load": ".opening",
    "open_graph": ".opening",
    "render_template": ".templates.render",
}

__getattr__ = lazily(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted(__all__)
