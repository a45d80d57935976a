"""Graph to program: checks, passes, emitters. Never imports torch."""

from .emit.latex import emit_latex
from .emit.text import emit_text
from .observation import Observation
from .pipeline import check, compile
from .program import IR_VERSION, IRVersionError, Program, Term, Variable
from .templates.flaw import TemplateError
from .templates.render import render_template

__all__ = [
    "IR_VERSION",
    "IRVersionError",
    "Observation",
    "Program",
    "TemplateError",
    "Term",
    "Variable",
    "check",
    "compile",
    "emit_latex",
    "emit_text",
    "render_template",
]
