"""Who is who: a colour and a mark per model.

The colours have 3:1 contrast (WCAG 2.1, 1.4.11) on the light and on the dark background, and differ
by at least 24 (CIE 1976) from one another in normal vision and in simulated protanopia,
deuteranopia and tritanopia (Machado et al. 2009). The mark differs too, for print without colours,
and the name stands beside it always.
"""

COLORS = (
    "#e17800",
    "#871eff",
    "#4ba569",
    "#d21e2d",
    "#8787ff",
    "#b40fb4",
    "#b478b4",
    "#696969",
)
MARKS = ("square", "circle", "diamond", "triangle")


def color(index: int) -> int:
    """Which of `COLORS` the model at `index` has."""
    return index % len(COLORS)


def mark(index: int) -> str:
    """The model's mark; with its colour unique among 32."""
    return MARKS[(index + index // len(COLORS)) % len(MARKS)]
