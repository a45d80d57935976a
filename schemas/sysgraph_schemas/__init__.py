"""The graph file: its sections as pydantic models, read with places and written back."""

from .diagnostics import Code, Diagnostic, GraphError, Note, Span
from .dump import dump
from .fit import Fit, Reference, Sampling
from .graph import Graph
from .loops import Loop
from .models import (
    CausalLM,
    Checkpoint,
    Classifier,
    Diffusion,
    DiffusionLoRA,
    DiffusionObjective,
    LoRA,
    Model,
    ModelSpec,
    Table,
)
from .nodes import (
    ChoiceNode,
    Computed,
    DiffusionNode,
    InputNode,
    LMNode,
    Message,
    Node,
    NodeSpec,
    ParseNode,
    Prompted,
    SelectNode,
    ToolNode,
)
from .parsers import Json, Lines, ParserSpec, Regex, Split, Tagged, gives_list
from .read import Reading, load, read
from .render import render

__all__ = [
    "CausalLM",
    "Checkpoint",
    "ChoiceNode",
    "Classifier",
    "Code",
    "Computed",
    "Diagnostic",
    "Diffusion",
    "DiffusionLoRA",
    "DiffusionNode",
    "DiffusionObjective",
    "Fit",
    "Graph",
    "GraphError",
    "InputNode",
    "Json",
    "LMNode",
    "Lines",
    "LoRA",
    "Loop",
    "Message",
    "Model",
    "ModelSpec",
    "Node",
    "NodeSpec",
    "Note",
    "ParseNode",
    "ParserSpec",
    "Prompted",
    "Reading",
    "Reference",
    "Regex",
    "Sampling",
    "SelectNode",
    "Span",
    "Split",
    "Table",
    "Tagged",
    "ToolNode",
    "dump",
    "gives_list",
    "load",
    "read",
    "render",
]
