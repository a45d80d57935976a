"""Graph to program: checks, passes, emitters. Never imports torch."""

from .emit.latex import emit_latex
from .emit.text import emit_text
from .observation import Observation
from .opening import Opened, diagnose, load, open_graph
from .pipeline import check, compile
from .program import IR_VERSION, IRVersionError, Program, Term, Variable
from .templates.flaw import TemplateError
from .templates.render import render_template

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
