"""Parsers on text: what they read, what they reject, and what their policy makes of that."""

import json
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysgraph import Json, Lines, Regex, Split, Tagged, Word
from sysgraph.traces.parsing import ParseFailure, parse
from sysgraph.traces.record import Record
from sysgraph_schemas import Parser

REJECT: dict[str, Any] = {"on_failure": "reject"}
OK: dict[str, Any] = {"options": ["OK", "not ok"], **REJECT}
CALL: dict[str, Any] = {
    "fields": {
        "tool": {"options": ["search", "look up"]},
        "query": "text",
        "args": {"type": "list", "min_items": 1, "max_items": 2, "optional": True},
    },
    **REJECT,
}


def record(tool: str, query: str, *args: str) -> Record:
    return Record({"tool": tool, "query": query, "args": args})


@pytest.mark.parametrize(
    ("parser", "text", "value"),
    [
        (Split(), " a, b,,c ,", ("a", "b", "c")),
        (Split(separator="|"), "a,b", ("a,b",)),
        (Split(), "", ()),
        (Lines(), "a\r\n\n  b\n", ("a", "b")),
        (Regex(pattern="answer: (.+)", **REJECT), "well,\nanswer: 42\nanswer: 43", "42"),
        (Regex(pattern="[0-9]+", **REJECT), "a 12 b 3", "12"),
        (Regex(pattern="[0-9]+", many=True), "a 12 b 3", ("12", "3")),
        (Regex(pattern="x", many=True), "", ()),
        (Tagged(tag="a", **REJECT), "<a> 1\n2 </a><a>3</a>", "1\n2"),
        (Tagged(tag="a", many=True), "<a>1</a> <b>2</b> <a>3</a>", ("1", "3")),
        (Json(field="x", **REJECT), '{"x": "é", "y": 1}', "é"),
        (Json(field="x", many=True, **REJECT), '{"x": ["a", "b"]}', ("a", "b")),
        (Json(field="x", many=True, **REJECT), '{"x": [1, "b", true]}', ("1", "b", "true")),
        (Json(field="x", many=True, **REJECT), '{"x": []}', ()),
        (Json(field="x", **REJECT), 'Here it is: {"x": "go"}', "go"),
        (Json(field="x", **REJECT), '```json\n{"x": "go"}\n```\nDone {or not}.', "go"),
        (Json(field="x", **REJECT), 'a {b} \\frac{1}{2} {"y": {"x": 1}} {"x": "}{"}', "}{"),
        (Json(field="x", **REJECT), '[{"x": "first"}, {"x": "second"}]', "first"),
        (Json(field="x", **REJECT), '{"x": "two\nlines"}', "two\nlines"),
        (Json(field="x", **REJECT), '{"x": -1.50}', "-1.50"),
        (Json(field="x", **REJECT), '{"x": 1e999}', "1e999"),
        (Json(field="x", **REJECT), '{"x": ' + "9" * 5000 + "}", "9" * 5000),
        (Json(field="x", **REJECT), '{"x": false}', "false"),
        (Json(field="x", **REJECT), '{"x": ""}', ""),
        (Json(field="x", **REJECT), '{"x": NaN} {"x": "\\ud83d\\ude00"}', "\U0001f600"),
        (Json(field="x", **REJECT), '{"a": ' * 9 + '{"x": 1}', "1"),
        (Json(field="x", read="strict", **REJECT), ' {"y": 1, "x": 2}\n', "2"),
        (Json(field="x", options=["Yes", "true"], **REJECT), '{"x": true}', "true"),
        (Regex(pattern="is: (.+)", **OK), "it is:  Not  OK ", "not ok"),
        (Tagged(tag="v", **OK), "<v> ok\n</v><v>not ok</v>", "OK"),
        (Word(**OK), "That is OK.", "OK"),
        (Word(**OK), "okay, but not\nok: not ok", "not ok"),
        (Word(which="first", **OK), "ok, or is it not ok?", "OK"),
        (Word(which="last", **OK), "ok, or is it not ok?", "not ok"),
        (Word(options=["1+1", "è"], **REJECT), "it is È", "è"),
        (Word(options=["1+1", "è"], **REJECT), "11 or 1+1", "1+1"),
        (
            Json(**CALL),
            '{"args": ["a", 1], "query": 2, "tool": "Search"}',
            record("search", "2", "a", "1"),
        ),
        (Json(**CALL), 'so {"a": {}} {"tool": "look  up", "query": ""}!', record("look up", "")),
        (Json(**CALL), '{"tool": "search", "query": "q", "args": null}', record("search", "q")),
    ],
)
def test_values(parser: Parser, text: str, value: object) -> None:
    assert parse(parser, text) == value


@pytest.mark.parametrize(
    ("parser", "text", "why"),
    [
        (Split(min_items=2, **REJECT), "a", "1 items, at least 2 wanted"),
        (Split(max_items=1, **REJECT), "a,b", "2 items, at most 1 wanted"),
        (Regex(pattern="[0-9]", **REJECT), "none", "nothing matched"),
        (Tagged(tag="a", **REJECT), "<a>open", "nothing matched"),
        (Word(**OK), "okay", "none of the options OK, not ok is named"),
        (Word(**OK), "ok or not ok", "several options are named: ok, not ok"),
        (Regex(pattern=".+", **OK), "maybe", "'maybe' is none of the options OK, not ok"),
        (Tagged(tag="v", **OK), "ok", "nothing matched"),
        (
            Json(field="x", read="strict", **REJECT),
            'Sure: {"x": 1}',
            "the text is no JSON: Expecting value (line 1)",
        ),
        (Json(field="x", read="strict", **REJECT), '[{"x": 1}]', "the text is JSON, but no object"),
        (
            Json(field="x", read="strict", **REJECT),
            '{"y": 1}',
            "the JSON object has no field 'x': it has 'y'",
        ),
        (
            Json(field="x", read="strict", **REJECT),
            "[" * 10**5,
            "the JSON in the text is nested too deeply",
        ),
        (
            Json(**CALL),
            '{"a": 1} {"tool": "search"}',
            "the JSON object in the text has no field 'query': it has 'tool'",
        ),
        (
            Json(**CALL),
            '{"tool": "fly", "query": ""}',
            "the field 'tool': 'fly' is none of the options search, look up",
        ),
        (
            Json(**CALL),
            '{"tool": "search", "query": null}',
            "the field 'query' is null, no text or number",
        ),
        (
            Json(**CALL),
            '{"tool": "search", "query": "", "args": "a"}',
            "the field 'args' is a text, no list",
        ),
        (
            Json(**CALL),
            '{"tool": "search", "query": "", "args": []}',
            "the field 'args' has 0 items, at least 1 wanted",
        ),
        (Json(field="x", **REJECT), "{", "no JSON object in the text"),
        (Json(field="x", **REJECT), "x", "no JSON object in the text"),
        (Json(field="x", **REJECT), '["x"]', "no JSON object in the text"),
        (Json(field="x", **REJECT), '{"x": NaN}', "no JSON object in the text"),
        (Json(field="x", **REJECT), "{'x': 1}", "no JSON object in the text"),
        (
            Json(field="x", **REJECT),
            '{"y": "a", "z": {"x": 1}}',
            "the JSON object in the text has no field 'x': it has 'y', 'z'",
        ),
        (
            Json(field="x", **REJECT),
            "{}",
            "the JSON object in the text has no field 'x': it is empty",
        ),
        (
            Json(field="x", **REJECT),
            '{"a":' + "[" * 100_000,
            "the JSON in the text is nested too deeply",
        ),
        (
            Json(field="x", **REJECT),
            '{"x": "\\ud83d"}',
            "the field 'x' is a text with half of a character",
        ),
        (Json(field="x", **REJECT), '{"x": ["a"]}', "the field 'x' is a list, no text or number"),
        (Json(field="x", **REJECT), '{"x": null}', "the field 'x' is null, no text or number"),
        (Json(field="x", many=True, **REJECT), '{"x": "a"}', "the field 'x' is a text, no list"),
        (
            Json(field="x", many=True, **REJECT),
            '{"x": ["a", {}]}',
            "the field 'x' has an item that is an object, no text or number",
        ),
    ],
)
def test_failures(parser: Parser, text: str, why: str) -> None:
    with pytest.raises(ParseFailure) as caught:
        parse(parser, text)
    assert str(caught.value) == why
    stands_in: dict[str, tuple[Any, object]] = {
        "text": ("d", "d"),
        "choice": ("OK", "OK"),
        "list[text]": (["d"], ("d",)),
        "record": ({"query": "q", "tool": "search", "args": []}, record("search", "q")),
    }
    default, value = stands_in[parser.value_type]
    kinder = type(parser)(**{**parser.model_dump(), "on_failure": "default", "default": default})
    assert parse(kinder, text) == value


@pytest.mark.parametrize("text", ["{" * 1_000_000, '{"a": 1, ' * 100_000, '{"a": "' * 100_000])
def test_braces_without_end_cost_little(text: str) -> None:
    started = process_time()
    with pytest.raises(ParseFailure):
        parse(Json(field="x", **REJECT), text)
    assert process_time() - started < 5


def test_a_pattern_cannot_hang_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysgraph.traces.parsing._MATCH_SECONDS", 0.1)
    with pytest.raises(ParseFailure, match="took over"):
        parse(Regex(pattern="(a|b|ab)*(?=c)", **REJECT), "ab" * 200)


@given(st.text() | st.builds(json.dumps, st.recursive(st.text(), st.lists, max_leaves=4)))
def test_any_text_gives_text_or_fails(text: str) -> None:
    """Never another error, and never what a file or a tokenizer cannot take."""
    parsers = [
        Split(),
        Lines(max_items=2, **REJECT),
        Regex(pattern="(a)?b*", **REJECT),
        Tagged(tag="a", **REJECT),
        Json(field="x", **REJECT),
        Json(**CALL),
        Word(**OK),
    ]
    for parser in parsers:
        try:
            value = parse(parser, text)
        except ParseFailure:
            continue
        assert all(isinstance(item, str) for item in ([value] if isinstance(value, str) else value))
