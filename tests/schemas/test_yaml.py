"""YAML 1.2 values and where they stand."""

import math

import pytest

from sysgraph_schemas.diagnostics import GraphError
from sysgraph_schemas.scalar_map import offsets
from sysgraph_schemas.source import Source
from sysgraph_schemas.yaml_reader import read_yaml


def value(text: str) -> object:
    root, diagnostics = read_yaml(Source("t", text))
    assert diagnostics == []
    return root.value


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("1e-4", 1e-4), ("1E3", 1000.0), (".5", 0.5), ("5.", 5.0), ("-0.0", -0.0), ("+3", 3)),
        *(("0o17", 15), ("0x1F", 31), ("017", 17), ("1_000", "1_000"), ("0b1", "0b1")),
        *(("no", "no"), ("yes", "yes"), ("on", "on"), ("True", True), ("FALSE", False)),
        *(("~", None), ("null", None), ("", None), ("nULL", "nULL"), ("12:30", "12:30")),
        *((".inf", math.inf), ("-.INF", -math.inf), ("2026-01-01", "2026-01-01"), ("1e", "1e")),
        *(('"1"', "1"), ("'no'", "no"), ("!!str 1", "1"), ("!!int 3", 3), ("!!float 3", 3.0)),
        *(
            ('"\u2028 \x85"', "\u2028 \x85"),
            ("a\u2029b", "a\u2029b"),
            ('"\\ufdd0 \u2028 \ufdd1"', "\ufdd0 \u2028 \ufdd1"),
            ('"\\U0000FDD0\x85"', "\ufdd0\x85"),
            ('"\\ufdd0"', "\ufdd0"),
            ("'\\ud83d\\ude00'", "\\ud83d\\ude00"),
        ),
        *(('"\\\\ud83d \\uD83D\\uDE00!"', "\\ud83d 😀!"), ("\\ud83d\\uDE00", "\\ud83d\\uDE00")),
        *(("! 1", "1"), ('"\\ud83d\\ude00"', "😀"), ("9" * 101, "9" * 101)),
    ],
)
def test_core_schema(written: str, meant: object) -> None:
    read = value(f"key: {written}\n")
    assert read == {"key": meant}
    assert isinstance(read, dict)
    assert type(read["key"]) is type(meant)


def test_nan() -> None:
    read = value("[.nan]")
    assert isinstance(read, list)
    assert math.isnan(read[0])


def test_aliases_and_merge_keys() -> None:
    text = "base: &b {x: 1, y: 2}\nmore: &m {z: 3}\nall: {<<: [*b, *m], y: 5}\nsame: *b\n"
    assert value(text) == {
        "base": {"x": 1, "y": 2},
        "more": {"z": 3},
        "all": {"x": 1, "y": 5, "z": 3},
        "same": {"x": 1, "y": 2},
    }


def test_keys_are_names_as_written() -> None:
    assert value("1: a\ntrue: b\n~: c\n") == {"1": "a", "true": "b", "~": "c"}


def test_places_of_keys_and_values() -> None:
    text = "nodes:\n  ä: {kind: lm, 'p': [1, \"two\"]}\n"
    root, _ = read_yaml(Source("f.yaml", text))
    entry = root.entries["nodes"].node.entries["ä"]
    assert str(entry.key.span) == "f.yaml:2:3"
    item = entry.node.entries["p"].node.items[1].span
    assert (item.line, item.column, item.end_line, item.end_column) == (2, 26, 2, 31)
    assert item.text == "  ä: {kind: lm, 'p': [1, \"two\"]}"


def test_windows_line_breaks_do_not_move_places() -> None:
    root, _ = read_yaml(Source("f", "a: 1\r\nb:\r\n  c: x\r\n"))
    assert str(root.entries["b"].node.entries["c"].node.span) == "f:3:6"


@pytest.mark.parametrize(
    "written",
    [
        "'say {{ name }}, it''s {{ this }}'",
        '"say \\"{{ name }}\\"\\n\\t{{ this }}"',
        '"say {{ name }} \\\n    on {{ this }}"',
        "say {{name}}\n  and {{ this }}",
        "|\n  say {{ name }}\n\n    and {{ this }}\n",
        "|-\n  say {{ name }}\n  and {{ this }}",
        ">\n  say {{ name }}\n  and\n\n  then {{ this }}\n",
        ">-\r\n  say {{ name }}\r\n  and {{ this }}\r\n",
        '"\\u00e9\\x41 {{ name }} {{ this }}"',
    ],
)
def test_a_place_in_a_text_is_found_in_the_file(written: str) -> None:
    written = written.replace("\n ", "\n     ")
    text = f"key:\n  - {written}\n"
    root, _ = read_yaml(Source("f", text))
    node = root.entries["key"].node.items[0]
    assert isinstance(node.value, str)
    for word in ("say", "name", "this"):
        if word in node.value:
            at = node.value.index(word)
            start, end = offsets(node, at, at + len(word))
            assert text[start:end] == word
            assert start == text.index(word)


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: 1\nb: [1\n", "SG002", "f:3:1"),
        ("a: *x\n", "SG002", "f:1:4"),
        ("a: &x [*x]\n", "SG002", "f:1:8"),
        ("a: {<<: 3}\n", "SG002", "f:1:9"),
        ("a: !!python/name:os.system x\n", "SG004", "f:1:4"),
        ("a: !!int x\n", "SG004", "f:1:4"),
        ("a: !!set {x}\n", "SG004", "f:1:4"),
        ("a: 1\n---\nb: 1\n", "SG005", "f:2:1"),
        ("# nothing\n", "SG005", "f:1:1"),
        ("a: " + "[" * 30, "SG006", "f:1:27"),
    ],
)
def test_refusals(text: str, code: str, place: str) -> None:
    with pytest.raises(GraphError) as caught:
        read_yaml(Source("f", text))
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.place) == (code, place)


def test_depth_counts_through_aliases() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 30)]
    with pytest.raises(GraphError, match="inside one another"):
        read_yaml(Source("f", "\n".join(lines)))


def test_every_duplicate_is_reported_and_the_first_is_kept() -> None:
    root, diagnostics = read_yaml(Source("f", "a: 1\na: 2\nb: {c: 1, c: 2, 'c': 3}\n"))
    assert root.value == {"a": 1, "b": {"c": 1}}
    assert [d.place for d in diagnostics] == ["f:2:1", "f:3:11", "f:3:17"]
    assert [str(d.notes[0].span) for d in diagnostics] == ["f:1:1", "f:3:5", "f:3:5"]
