"""`nodes:` of a graph file: the variables of the DAG. One file a kind."""

from typing import TYPE_CHECKING

from ..kinds import Kinds
from .base import Computed, Node
from .choice import ChoiceNode
from .diffusion import DiffusionNode
from .inputs import InputNode
from .lm import LMNode
from .messages import InsertedMessages, Message, Messages, MessagesForEach, Part
from .parse import ParseNode
from .prompted import Prompted
from .select import SelectNode
from .tool import ToolNode

NODE_KINDS = Kinds(
    "node",
    "sysgraph.nodes",
    Node,
    (InputNode, LMNode, ChoiceNode, DiffusionNode, ParseNode, ToolNode, SelectNode),
)

if TYPE_CHECKING:
    NodeSpec = Node
else:
    NodeSpec = NODE_KINDS.annotation

__all__ = [
    "NODE_KINDS",
    "ChoiceNode",
    "Computed",
    "DiffusionNode",
    "InputNode",
    "InsertedMessages",
    "LMNode",
    "Message",
    "Messages",
    "MessagesForEach",
    "Node",
    "NodeSpec",
    "ParseNode",
    "Part",
    "Prompted",
    "SelectNode",
    "ToolNode",
]
