"""Names as components of paths, and JSON that is damaged."""

from pathlib import Path

import pytest

from sysgraph import InputError
from sysgraph.support.files import component, read_json

NAMES = [
    *("..", ".", "../../evil", "/etc/passwd", "a/b", "", " ", "...", "-rf", ".hidden", "a\\b"),
    *("a\nb", "\x00", "\ud800", "é" * 300, "\U0001f600" * 200, "a:b", "..\u2215evil", "~", "a b."),
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_component_stays_where_it_is_put(name: str, tmp_path: Path) -> None:
    folder = tmp_path / component(name)
    folder.mkdir()
    assert folder.resolve().parent == tmp_path.resolve()
    assert not folder.name.startswith((".", "-"))
    (tmp_path / f"{component(name)}-study").mkdir()


def test_identifiers_and_plain_names_stay_as_they_are() -> None:
    for name in ("moa", "two_stage", "gpt-2.5", "Überblick", "模型"):
        assert component(name) == name
    assert component("ada alone") == "ada-alone"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[" * 10**6, b"[1]", b'{"a": ' * 10**5, b"\x00" * 100]
)
def test_damaged_json_is_told_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.json is damaged: .*; do that") as raised:
        read_json(tmp_path / "a.json", "do that")
    assert len(str(raised.value)) < 500
