"""What a server's reply holds: JSON of strangers, in which anything may be missing."""

import json
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Reply:
    """What a model wrote: None, if `body`, the server's answer, is not of the right shape."""

    body: str
    text: str | None

    @classmethod
    def of_chat(cls, content: bytes) -> Self:
        """That of chat completions."""
        return cls._read(content, "message", "content")

    @classmethod
    def of_text(cls, content: bytes) -> Self:
        """That of completions."""
        return cls._read(content, "text")

    @classmethod
    def _read(cls, content: bytes, *path: str) -> Self:
        body = content.decode(errors="replace")
        try:
            found = json.loads(content)["choices"][0]
            for name in path:
                found = found[name]
        except (ValueError, LookupError, TypeError, RecursionError):
            return cls(body, None)
        return cls(found, found) if isinstance(found, str) else cls(body, None)
