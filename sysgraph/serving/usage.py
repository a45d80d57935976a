"""The tokens that an answer took: of all models of the system, where they are known."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..system import System
from ..traces.course import context
from ..traces.trace import Completion, Trace


@dataclass(frozen=True)
class Usage:
    """Tokens by model; a model that does not count in tokens, or elsewhere, is not among them.

    Attributes:
        read: of prompts, each once a value.
        written: of texts, end-of-sequence tokens included.
    """

    read: Mapping[str, int] = field(default_factory=dict)
    written: Mapping[str, int] = field(default_factory=dict)

    def plain(self) -> dict[str, int]:
        """The sums, as the protocol says them."""
        read, written = sum(self.read.values()), sum(self.written.values())
        return {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        }


def usage_of(system: System, traces: Sequence[Trace]) -> Usage:
    """The tokens that traces took, as far as they got."""
    read, written = Counter[str](), Counter[str]()
    program = system.program
    for trace in traces:
        for variable in program.variables:
            model, value = program.model_of(variable.name), trace.values.get(variable.name)
            if model is None or value is None:
                continue
            prompt = system.prompt_length(model, context(variable, trace))
            if prompt is not None:
                read[model] += prompt
            if isinstance(value, Completion) and value.ids is not None:
                written[model] += len(value.ids)
    return Usage(read, written)
