"""Templates of text and names alone: their trees are those of jinja2's parser, to the line."""

import random

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.parser import Parser

from sysgraph_compiler.templates.parse import _PARSER
from sysgraph_compiler.templates.plain import plain_tree

NAMES = ("{{ a }}", "{{b}}", "{{  c_1 }}", "{{ if }}", "{{ is }}", "{{ loop }}")
CONSTANTS = ("{{ not }}", "{{ true }}", "{{ None }}")
CODE = ("{{ a.b }}", "{{- a }}", "{{ a -}}", "{{+ a }}", "{{ 1 }}", "{{ é }}", "{{\na }}")
SIGNS = ("{", "}", "{{", "}}", "{%", "%}", "{#", "#}", "\n", "\r\n", "\r", " ", "é", "# x")


def everything(tree: nodes.Template) -> list[tuple[object, ...]]:
    """What each node of a tree is, and where it stands."""
    return [
        (type(node), node.lineno, node.environment, dict(node.iter_fields()))
        for node in (tree, *tree.find_all(nodes.Node))
    ]


def jinja(text: str) -> nodes.Template | None:
    try:
        return Parser(_PARSER, text).parse()
    except TemplateSyntaxError:
        return None


def test_a_tree_is_the_one_that_jinja2_makes_of_the_text():
    draw = random.Random(0)
    made = left = 0
    for _ in range(4000):
        parts = draw.choices((*NAMES, *NAMES, *CONSTANTS, *CODE, *SIGNS), k=draw.randint(1, 4))
        text = "".join(parts)
        tree = plain_tree(text, _PARSER)
        if tree is None:
            left += 1
            continue
        made += 1
        wanted = jinja(text)
        assert wanted is not None, text
        assert everything(tree) == everything(wanted), text
    assert made > 500
    assert left > 500


def test_text_and_names_need_no_lexer():
    for text in ("{{ a }}", "a {{ b }}\n{{c}} } { {{ d_1 }}\n", "plain", "{ {{ a }} }", ""):
        assert plain_tree(text, _PARSER) == jinja(text), text
    for text in ("{{{ a }}", "{{ a }}{% if b %}c{% endif %}", "{{ a | upper }}", "{{ true }}"):
        assert plain_tree(text, _PARSER) is None, text
