"""How wide a text is, and what is cut from one that is too wide."""

import pytest

from sysgraph_compiler.drawing.measure import elide, is_covered, width


def test_widths_are_those_of_arial() -> None:
    """The advances that Arial, Helvetica and Liberation Sans share, in em / 1000."""
    regular = {"A": 667, "i": 222, "m": 833, " ": 278, "W": 944, "8": 556, "…": 1000, "×": 584}
    bold = {"A": 722, "i": 278, "m": 889, " ": 278, "W": 944, "8": 556, "…": 1000, "×": 584}
    for weight, known in ((False, regular), (True, bold)):
        assert is_covered("".join(known))
        for char, advance in known.items():
            assert width(char, 1000, weight) == pytest.approx(advance, abs=1)
    assert width("Aim", 10) == pytest.approx(6.67 + 2.22 + 8.33, abs=0.01)
    assert width("日本", 10) > 20  # another font draws these: room enough


def test_elided_text_fits() -> None:
    for middle in (False, True):
        cut = elide("step_" * 60 + "last", 12, 100, middle=middle)
        assert width(cut, 12) <= 100
        assert "…" in cut
        assert cut.endswith("last") == middle
    assert elide("short", 12, 100) == "short"
