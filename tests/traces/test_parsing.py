"""Parsers on text: what they read, what they reject, and what their policy makes of that."""

import json
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysgraph import Json, Lines, Regex, Split, Tagged
from sysgraph.traces.parsing import ParseFailure, parse

REJECT: dict[str, str] = {"on_failure": "reject"}


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
    ],
)
def test_values(parser: Split, text: str, value: object) -> None:
    assert parse(parser, text) == value


@pytest.mark.parametrize(
    ("parser", "text", "why"),
    [
        (Split(min_items=2, **REJECT), "a", "1 items, at least 2 wanted"),
        (Split(max_items=1, **REJECT), "a,b", "2 items, at most 1 wanted"),
        (Regex(pattern="[0-9]", **REJECT), "none", "nothing matched"),
        (Tagged(tag="a", **REJECT), "<a>open", "nothing matched"),
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
def test_failures(parser: Split, text: str, why: str) -> None:
    with pytest.raises(ParseFailure) as caught:
        parse(parser, text)
    assert str(caught.value) == why
    default = ["d"] if isinstance(parser, Split) or getattr(parser, "many", False) else "d"
    kinder = type(parser)(**{**parser.model_dump(), "on_failure": "default", "default": default})
    assert parse(kinder, text) == (tuple(default) if isinstance(default, list) else default)


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
    ]
    for parser in parsers:
        try:
            value = parse(parser, text)
        except ParseFailure:
            continue
        assert all(isinstance(item, str) for item in ([value] if isinstance(value, str) else value))
