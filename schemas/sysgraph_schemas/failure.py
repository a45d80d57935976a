"""What a deterministic part may do where it has no value: parsers and tools."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .spec import Spec, refuse

OnFailure = Literal["reject", "abstain", "default"]
Default = str | list[str] | dict[str, str | list[str]]
"""A text, a list of texts, or the fields of a record."""


class Fallible(Spec):
    """Something that may fail, with a declared policy."""

    on_failure: Annotated[OnFailure | None, Field(examples=["reject"])] = None
    """What a failure means. `reject`: the trace ends there and is unusable; what hangs on it never
    existed, and where that is an output the trace loses to every other. `abstain`: the trace ends
    there too, but that is an outcome like others, and the scorer says how good it is (the "no" of a
    verifier may be right). `default`: it goes on with `default`. Required where a parser can fail;
    a tool's failure stops its row without it."""
    default: Annotated[Default | None, Field(examples=["unknown"])] = None
    """The value after a failure, for `on_failure: default`."""

    @property
    def ends(self) -> bool:
        """Whether a trace ends where there is no value."""
        return self.on_failure in ("reject", "abstain")

    @model_validator(mode="after")
    def _default_fits(self) -> Self:
        if self.on_failure == "default" and self.default is None:
            help = 'add for example `default: "unknown"`'
            raise refuse(
                "SG107", "`on_failure: default` needs a `default`", at=("on_failure",), help=help
            )
        if self.on_failure != "default" and self.default is not None:
            help = "add `on_failure: default`, or remove `default`"
            raise refuse(
                "SG107", "`default` is for `on_failure: default`", at=("default",), help=help
            )
        return self
