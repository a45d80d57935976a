"""What libraries say at length, in one sentence."""

import pytest

from sysgraph.support.brief import brief


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("no such thing", "no such thing"),
        ("no such thing. You can avoid it by X=1.", "no such thing"),
        ("\n  no `x`.  See https://a.b/c for more\nand more", "no `x`"),
        ("transformers 5.23 is not 4.1. Update it", "transformers 5.23 is not 4.1"),
        ("", "OSError"),
        ("one of " + ", ".join(f"Class{i}" for i in range(200)), None),
    ],
)
def test_the_first_sentence_is_kept(said: str, kept: str | None) -> None:
    found = brief(OSError(said))
    if kept is not None:
        assert found == kept
    else:
        assert found.startswith("one of Class0, Class1")
        assert found.endswith(" ...")
        assert len(found) < 250
