"""`kind: endpoint`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..decoding import Decoding, MaxNewTokens, Stop, Temperature, TopP
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
    decodes: ClassVar[bool] = True

    kind: Annotated[Literal["endpoint"], Field(examples=["endpoint"])] = "endpoint"
    """A hosted language model."""
    id: Annotated[NotBlank, Field(examples=["gpt-4o-mini", "Qwen/Qwen2.5-7B-Instruct"])]
    """What the server calls the model."""
    max_new_tokens: Annotated[MaxNewTokens, Field(examples=[256])] = 256
    """Longest completion that is asked for, in tokens."""
    temperature: Annotated[Temperature, Field(examples=[0.7])] = 1.0
    """Sampling temperature; 0 takes the likeliest token."""
    top_p: Annotated[TopP, Field(examples=[0.95])] = 1.0
    """Nucleus sampling: the smallest set of tokens with this much probability."""
    stop: Annotated[Stop | None, Field(examples=[["\n", "Observation:"]])] = None
    """Strings that end a completion; the value is the text before the first of them."""

    @property
    def summary(self) -> str:
        """What its server calls it."""
        return self.id

    @property
    def decoding(self) -> Decoding:
        """Its settings."""
        return Decoding.of(self)
