"""Describe a compound AI system as a graph, compile it to its log-likelihood, train it as one.

    graph = sysgraph.load("graphs/moa.yaml")
    program = sysgraph.compile(graph)
    system = sysgraph.System(program)

Importing this is cheap: every name is imported on first use.
"""

import sys
from typing import TYPE_CHECKING

import sysgraph_compiler  # noqa: F401 - a notebook shows graphs by it
from sysgraph_schemas.lazily import lazily

from .support.alone import Alone

sys.meta_path.insert(0, Alone("bitsandbytes"))

if TYPE_CHECKING:
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
        ModelSampler,
        ParseNode,
        PartNode,
        RecordField,
        Reference,
        Regex,
        Sampling,
        SelectNode,
        Shard,
        Span,
        Split,
        Table,
        Tagged,
        ToolNode,
        VisionLM,
        Word,
        dump,
        render,
    )

    from .data import load_inputs, load_pairs
    from .forecasting import Forecast, forecast
    from .measuring.evaluation import evaluate
    from .measuring.judges import find_judge
    from .measuring.scorers import Scorer, find_scorer
    from .measuring.winrate import win_rate
    from .studies import study
    from .support.errors import DataError, InputError, RunError
    from .support.servers import Servers
    from .system import System
    from .tools import Tool, ToolError
    from .traces.pictures import Picture
    from .traces.trace import Completion, Trace
    from .training.collection import collect
    from .training.fitting import Run, fit
    from .training.from_log import collect_from_log

__version__ = "0.1.0"

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
    "Forecast",
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
    "ModelSampler",
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
    "Servers",
    "Shard",
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
    "VisionLM",
    "Word",
    "__version__",
    "check",
    "collect",
    "collect_from_log",
    "compile",
    "dump",
    "evaluate",
    "find_judge",
    "find_scorer",
    "fit",
    "forecast",
    "load",
    "load_inputs",
    "load_pairs",
    "render",
    "study",
    "win_rate",
]

_MODULES = {  # where the names are that are no part of the language
    "Completion": ".traces.trace",
    "DataError": ".support.errors",
    "Forecast": ".forecasting",
    "IRVersionError": "sysgraph_compiler",
    "InputError": ".support.errors",
    "Picture": ".traces.pictures",
    "Program": "sysgraph_compiler",
    "Run": ".training.fitting",
    "RunError": ".support.errors",
    "Scorer": ".measuring.scorers",
    "Servers": ".support.servers",
    "System": ".system",
    "TemplateError": "sysgraph_compiler",
    "Term": "sysgraph_compiler",
    "Tool": ".tools",
    "ToolError": ".tools",
    "Trace": ".traces.trace",
    "Variable": "sysgraph_compiler",
    "check": "sysgraph_compiler",
    "collect": ".training.collection",
    "collect_from_log": ".training.from_log",
    "compile": "sysgraph_compiler",
    "evaluate": ".measuring.evaluation",
    "find_judge": ".measuring.judges",
    "find_scorer": ".measuring.scorers",
    "fit": ".training.fitting",
    "forecast": ".forecasting",
    "load": "sysgraph_compiler",
    "load_inputs": ".data",
    "load_pairs": ".data",
    "study": ".studies",
    "win_rate": ".measuring.winrate",
}

__getattr__ = lazily(__name__, {**dict.fromkeys(__all__, "sysgraph_schemas"), **_MODULES})


def __dir__() -> list[str]:
    return sorted(__all__)
