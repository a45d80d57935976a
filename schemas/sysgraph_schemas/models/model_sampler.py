"""`sampler:` of a language model: who draws its texts, in place of the process that trains it."""

from typing import Annotated, ClassVar

from pydantic import Field

from ..spec import IDENTIFIER, Spec


class ModelSampler(Spec):
    """A vLLM server that draws the model's texts, under the weights that the trainer sends it.

    Where it is, is given by whoever runs the graph: `--server NAME=URL` (see docs/servers.md).
    """

    noun: ClassVar[str] = "`sampler`"

    server: Annotated[str, Field(pattern=IDENTIFIER, examples=["gpu"])]
    """A name for the server. Models on one base, with an adapter each, can have the same."""
