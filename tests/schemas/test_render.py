"""Diagnostics for people, programs and GitHub."""

import json

from sysgraph_schemas import Diagnostic, Note, Span, render

SPAN = Span("a.yaml", 3, 8, 3, 12, "  key: valu, more")
ONE = Diagnostic(
    "SG105",
    "error",
    "`key` cannot be `valu`",
    ("key",),
    SPAN,
    "it is one of: value",
    (Note("why"),),
)


def test_text() -> None:
    assert render([ONE]).splitlines() == [
        "a.yaml:3:8: error[SG105]: `key` cannot be `valu`",
        "3 |   key: valu, more",
        "  |        ^~~~",
        "  = note: why",
        "  = help: it is one of: value",
    ]


def test_colors_only_add_escapes() -> None:
    import re

    colored = render([ONE], color=True)
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[[\d;]*m", "", colored) == render([ONE])


def test_json() -> None:
    (data,) = json.loads(render([ONE], "json"))
    assert data == {
        "code": "SG105",
        "severity": "error",
        "message": "`key` cannot be `valu`",
        "help": "it is one of: value",
        "path": "key",
        "file": "a.yaml",
        "line": 3,
        "column": 8,
        "end_line": 3,
        "end_column": 12,
        "notes": [{"message": "why"}],
    }
    assert render([], "json") == "[]"


def test_github() -> None:
    span = Span("a,b:c.yaml", 3, 8, 3, 12, "")
    one = Diagnostic("SG101", "warning", "100 %\nsure", (), span, "do: this")
    assert render([one], "github") == (
        "::warning title=SG101,file=a%2Cb%3Ac.yaml,line=3,endLine=3,col=8,endColumn=12"
        "::100 %25%0Asure%0Ahelp: do: this"
    )


def test_without_a_file_the_place_is_the_path() -> None:
    one = Diagnostic("SG403", "error", "undefined", ("nodes", "a", "messages", 0, "content"))
    assert render([one]) == "nodes.a.messages[0].content: error[SG403]: undefined"


def test_carets_stand_under_wide_characters_and_tabs() -> None:
    span = Span("f", 1, 6, 1, 8, "漢字\té:xy")
    _, line, carets = render([Diagnostic("SG1", "error", "m", (), span)]).splitlines()
    assert line == "1 | 漢字 é:xy"
    assert carets == "  |        ^~"


def test_a_file_cannot_steer_the_terminal() -> None:
    span = Span("f", 1, 1, 1, 5, "\x1b[2J\u202eabc")
    text = render([Diagnostic("SG1", "error", "\x1b]0;x\x07\r\n", (), span, "\u202e")])
    assert all(char.isprintable() or char == "\n" for char in text)
    assert len(text.splitlines()) == 4


def test_long_lines_are_cut_around_the_place() -> None:
    line = "x" * 5000 + "HERE" + "y" * 5000
    _, shown, carets = render(
        [Diagnostic("SG1", "error", "m", (), Span("f", 1, 5001, 1, 5005, line))]
    ).splitlines()
    assert len(shown) < 130
    assert shown[carets.index("^") : carets.index("^") + 4] == "HERE"
    assert carets.count("~") == 3
