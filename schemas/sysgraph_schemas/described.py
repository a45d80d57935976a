"""What stands in the sources under each attribute, for the JSON Schemas and the pages made of them.

pydantic's own `use_attribute_docstrings` parses every class's source when the class is made, which
is at each start of a command; only a schema asks for it.
"""

import ast
import inspect
from functools import cache
from itertools import pairwise
from textwrap import dedent
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue


class Described:
    """Its JSON Schema describes each key by the docstring under the attribute."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """What pydantic makes, with the docstrings."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        fields = cls.model_fields if issubclass(cls, BaseModel) else {}
        keys = {name: field.alias for name, field in fields.items() if field.alias}
        for base in reversed(cls.__mro__):
            for name, text in attribute_docs(base).items():
                key = keys.get(name, name)
                if key in properties:
                    described = {**properties[key], "description": text}
                    properties[key] = dict(sorted(described.items()))  # as pydantic sorts others
        return schema


@cache
def attribute_docs(cls: type) -> dict[str, str]:
    """The docstrings under a class's own attributes; none where its source is not to be had."""
    try:
        (parsed,) = ast.parse(dedent(inspect.getsource(cls))).body
    except (OSError, TypeError, SyntaxError):
        return {}
    assert isinstance(parsed, ast.ClassDef)
    return {
        one.target.id: inspect.cleandoc(text.value.value)
        for one, text in pairwise(parsed.body)
        if isinstance(one, ast.AnnAssign)
        and isinstance(one.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
