"""The graph file: its sections as pydantic models, read with places and written back."""

from .diagnostics import Code, Diagnostic, GraphError, Note, Span
from .dump import dump
from .fit import Fit
from .graph import Graph
from .models import CausalLM, LoRA, ModelSpec, Table
from .nodes import InputNode, LMNode, Message, NodeSpec, ParseNode
from .parsers import Json, Lines, ParserSpec, Regex, Split, Tagged, gives_list
from .read import Reading, load, read
from .render import render

__all__ = [
    "CausalLM",
    "Code",
    "Diagnostic",
    "Fit",
    "Graph",
    "GraphError",
    "InputNode",
    "Json",
    "LMNode",
    "Lines",
    "LoRA",
    "Message",
    "ModelSpec",
    "NodeSpec",
    "Note",
    "ParseNode",
    "ParserSpec",
    "Reading",
    "Regex",
    "Span",
    "Split",
    "Table",
    "Tagged",
    "dump",
    "gives_list",
    "load",
    "read",
    "render",
]
