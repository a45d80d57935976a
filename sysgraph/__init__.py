"""Describe a compound AI system as a graph, compile it to its log-likelihood, train it as one.

    graph = sysgraph.load("graphs/moa.yaml")
    program = sysgraph.compile(graph)
    system = sysgraph.System(program)

What reads, checks and compiles graphs is cheap to import; what needs torch comes on first use.
"""

import gc
from importlib import import_module
from typing import TYPE_CHECKING

# What follows makes 100,000s of objects that all stay: the collector would look through them again
# and again, and find nothing, for a fifth of a command's time.
_is_collecting = gc.isenabled()
gc.disable()

from sysgraph_compiler import (
    IRVersionError,
    Program,
    TemplateError,
    Term,
    Variable,
    check,
    compile,
    load,
)
from sysgraph_schemas import (
    CausalLM,
    ChoiceNode,
    Classifier,
    Diagnostic,
    Diffusion,
    DiffusionLoRA,
    DiffusionNode,
    DiffusionObjective,
    Endpoint,
    Fit,
    Graph,
    GraphError,
    InputNode,
    InsertedMessages,
    Json,
    Lines,
    LMNode,
    Loop,
    LoRA,
    Message,
    MessagesForEach,
    ParseNode,
    PartNode,
    RecordField,
    Reference,
    Regex,
    Sampling,
    SelectNode,
    Span,
    Split,
    Table,
    Tagged,
    ToolNode,
    Word,
    dump,
    render,
)

if TYPE_CHECKING:
    from .data import load_inputs, load_pairs
    from .measuring.evaluation import evaluate
    from .measuring.judges import find_judge
    from .measuring.scorers import Scorer, find_scorer
    from .measuring.winrate import win_rate
    from .studies import study
    from .support.errors import DataError, InputError, RunError
    from .system import System
    from .tools import Tool, ToolError
    from .traces.pictures import Picture
    from .traces.trace import Completion, Trace
    from .training.collection import collect
    from .training.fitting import Run, fit

if _is_collecting:
    gc.enable()

__version__ = "0.1.0"

_LAZY = {  # name: (module, attribute); these import torch
    "Completion": ("sysgraph.traces.trace", "Completion"),
    "DataError": ("sysgraph.support.errors", "DataError"),
    "InputError": ("sysgraph.support.errors", "InputError"),
    "Picture": ("sysgraph.traces.pictures", "Picture"),
    "Run": ("sysgraph.training.fitting", "Run"),
    "RunError": ("sysgraph.support.errors", "RunError"),
    "Scorer": ("sysgraph.measuring.scorers", "Scorer"),
    "System": ("sysgraph.system", "System"),
    "Tool": ("sysgraph.tools", "Tool"),
    "ToolError": ("sysgraph.tools", "ToolError"),
    "Trace": ("sysgraph.traces.trace", "Trace"),
    "collect": ("sysgraph.training.collection", "collect"),
    "evaluate": ("sysgraph.measuring.evaluation", "evaluate"),
    "find_judge": ("sysgraph.measuring.judges", "find_judge"),
    "find_scorer": ("sysgraph.measuring.scorers", "find_scorer"),
    "fit": ("sysgraph.training.fitting", "fit"),
    "load_inputs": ("sysgraph.data", "load_inputs"),
    "load_pairs": ("sysgraph.data", "load_pairs"),
    "study": ("sysgraph.studies", "study"),
    "win_rate": ("sysgraph.measuring.winrate", "win_rate"),
}

__all__ = [
    "CausalLM",
    "ChoiceNode",
    "Classifier",
    "Completion",
    "DataError",
    "Diagnostic",
    "Diffusion",
    "DiffusionLoRA",
    "DiffusionNode",
    "DiffusionObjective",
    "Endpoint",
    "Fit",
    "Graph",
    "GraphError",
    "IRVersionError",
    "InputError",
    "InputNode",
    "InsertedMessages",
    "Json",
    "LMNode",
    "Lines",
    "LoRA",
    "Loop",
    "Message",
    "MessagesForEach",
    "ParseNode",
    "PartNode",
    "Picture",
    "Program",
    "RecordField",
    "Reference",
    "Regex",
    "Run",
    "RunError",
    "Sampling",
    "Scorer",
    "SelectNode",
    "Span",
    "Split",
    "System",
    "Table",
    "Tagged",
    "TemplateError",
    "Term",
    "Tool",
    "ToolError",
    "ToolNode",
    "Trace",
    "Variable",
    "Word",
    "__version__",
    "check",
    "collect",
    "compile",
    "dump",
    "evaluate",
    "find_judge",
    "find_scorer",
    "fit",
    "load",
    "load_inputs",
    "load_pairs",
    "render",
    "study",
    "win_rate",
]


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LAZY[name]
    value: object = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
