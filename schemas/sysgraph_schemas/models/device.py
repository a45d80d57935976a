"""The name of a device."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from ..spec import refuse

_PATTERN = r"^(auto|cpu|mps|(cuda|xpu|npu)(:[0-9]{1,3})?)$"


def _known(name: str) -> str:
    if re.fullmatch(_PATTERN, name) is None:
        help = "write it as torch does, `cpu`, `cuda` or `cuda:1`, or `auto`"
        raise refuse("SG105", "is no device", help=help)
    return name


Device = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"pattern": _PATTERN})]
"""As torch has it, or `auto`."""
