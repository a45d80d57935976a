"""What tool nodes call, by name: opened with its settings, asked for many rows at once."""

from .base import GROUP, Tool, ToolError, find_tool
from .toolbox import Toolbox, bind, toolbox_of

__all__ = ["GROUP", "Tool", "ToolError", "Toolbox", "bind", "find_tool", "toolbox_of"]
