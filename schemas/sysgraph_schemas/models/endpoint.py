"""`kind: endpoint`."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..spec import NotBlank
from .base import Gives, Likelihood, Model


class Endpoint(Model):
    """A language model that a server elsewhere runs, behind the OpenAI protocol. It is frozen.

    Where the server is, and the key to it, are given by whoever runs the graph: `--endpoint`, or
    SYSGRAPH_ENDPOINT and SYSGRAPH_API_KEY (see docs/endpoints.md). `messages` are sent to its chat
    completions, a plain `prompt` to its completions. It gives no likelihood: Direct needs none, as
    the term of a frozen model cancels; inside Sampling's sum it can not stand.
    """

    noun: ClassVar[str] = "an endpoint model"
    likelihood: ClassVar[Likelihood] = "none"
    gives: ClassVar[tuple[Gives, ...]] = ("text",)
    is_hosted: ClassVar[bool] = True

    kind: Annotated[Literal["endpoint"], Field(examples=["endpoint"])] = "endpoint"
    """A hosted language model."""
    id: Annotated[NotBlank, Field(examples=["gpt-4o-mini", "Qwen/Qwen2.5-7B-Instruct"])]
    """What the server calls the model."""
    max_new_tokens: Annotated[int, Field(ge=1, le=1_000_000, examples=[256])] = 256
    """Longest completion that is asked for, in tokens."""
    temperature: Annotated[float, Field(ge=0, examples=[0.7])] = 1.0
    """Sampling temperature; 0 takes the likeliest token."""
    top_p: Annotated[float, Field(gt=0, le=1, examples=[0.95])] = 1.0
    """Nucleus sampling: the smallest set of tokens with this much probability."""

    @property
    def summary(self) -> str:
        """What its server calls it."""
        return self.id

    @property
    def warp(self) -> Mapping[str, float]:
        """The settings of its draws that are not 1."""
        settings = {"temperature": self.temperature, "top_p": self.top_p}
        return {name: value for name, value in settings.items() if value != 1}

    @property
    def is_greedy(self) -> bool:
        """At temperature 0."""
        return self.temperature == 0
