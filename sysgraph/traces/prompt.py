"""What a model is shown: the prompt of a variable."""

from typing import NamedTuple


class ChatTurn(NamedTuple):
    """One message of a chat prompt, rendered."""

    role: str
    content: str


Context = str | tuple[ChatTurn, ...]
