"""The graph file: its sections as pydantic models, read with places and written back."""

from .decoding import Decoding
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
    Endpoint,
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
    InsertedMessages,
    LMNode,
    Message,
    Messages,
    MessagesForEach,
    Node,
    NodeSpec,
    ParseNode,
    Part,
    Prompted,
    SelectNode,
    ToolNode,
)
from .parsers import Json, Lines, ParserSpec, Regex, Split, Tagged, gives_list
from .part import PartNode
from .read import Reading, load, read
from .render import render

__all__ = [
    "CausalLM",
    "Checkpoint",
    "ChoiceNode",
    "Classifier",
    "Code",
    "Computed",
    "Decoding",
    "Diagnostic",
    "Diffusion",
    "DiffusionLoRA",
    "DiffusionNode",
    "DiffusionObjective",
    "Endpoint",
    "Fit",
    "Graph",
    "GraphError",
    "InputNode",
    "InsertedMessages",
    "Json",
    "LMNode",
    "Lines",
    "LoRA",
    "Loop",
    "Message",
    "Messages",
    "MessagesForEach",
    "Model",
    "ModelSpec",
    "Node",
    "NodeSpec",
    "Note",
    "ParseNode",
    "ParserSpec",
    "Part",
    "PartNode",
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
