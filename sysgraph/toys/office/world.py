"""What is true in the office, and what is asked about it.

A thing of somebody has a colour, which only the notes of the office tell (`documents`). A sum can
be calculated. Of counts, the highest can be found one by one. Pictures can be drawn on request.

>>> color("cup", "ada")
'black'
>>> right({"question": "which color is the cup of ada ?"})
'black'
>>> right({"question": "what is 7 + 5 ?"})
'12'
>>> right({"counts": "ada 3 ; bo 7 ; cy 5"})
'bo 7'
"""

import itertools
import random
import re
from collections.abc import Mapping

from ..progression.world import ATTRIBUTES, LEVELS, SCENES, Attribute

NAMES = (
    *("ada", "bo", "cy", "dee", "eve", "fay", "gus", "hal"),
    *("ivy", "jo", "kim", "lou", "max", "nia", "oz", "pia"),
)
ITEMS = ("cup", "hat", "pen", "bag", "box", "key", "map", "fan", "jug", "toy")
COLORS = ("red", "green", "blue", "black", "white", "pink", "gray", "gold")
DIGITS = tuple("0123456789")
SOURCES = ("facts", "sums", "questions", "counts", "requests")
"""What inputs there are: colours, sums, both in turn, counts, and colours in turn with drawings."""
_FACT = "which color is the {item} of {name} ?"
_SUM = "what is {a} + {b} ?"
_FACT_PATTERN = re.compile(_FACT.format(item=r"(\w+)", name=r"(\w+)").replace("?", r"\?"))
_SUM_PATTERN = re.compile(r"what is (\d) \+ (\d) \?")
_TEST = {"facts": 64, "sums": 40}


def color(item: str, name: str) -> str:
    """The colour of a thing, the same on every call."""
    return random.Random(f"office {item} {name}").choice(COLORS)


def document(item: str, name: str) -> str:
    """What the notes say of a thing."""
    return f"the {item} of {name} is {color(item, name)}"


def documents() -> list[dict[str, str]]:
    """All notes: rows {"id": ..., "text": ...}."""
    return [
        {"id": f"{item}-{name}", "text": document(item, name)}
        for item, name in itertools.product(ITEMS, NAMES)
    ]


def fact_question(item: str, name: str) -> str:
    """A question about a colour."""
    return _FACT.format(item=item, name=name)


def sum_question(a: int, b: int) -> str:
    """A question about a sum."""
    return _SUM.format(a=a, b=b)


def right(fields: Mapping[str, str]) -> str:
    """The right answer to a row's `question`, or of its `counts` the highest.

    Raises:
        ValueError: it is no question of this world.
    """
    if "counts" in fields:
        return max(fields["counts"].split(" ; "), key=_count)
    question = fields.get("question", "")
    if found := _FACT_PATTERN.fullmatch(question):
        item, name = found.groups()
        if item in ITEMS and name in NAMES:
            return color(item, name)
    if found := _SUM_PATTERN.fullmatch(question):
        return str(int(found[1]) + int(found[2]))
    raise ValueError(
        f"no question of the office: {question!r:.60}; one looks like "
        f"{fact_question('cup', 'ada')!r} or {sum_question(7, 5)!r}"
    )


def _count(text: str) -> int:
    _, _, count = text.rpartition(" ")
    if not count.isdigit():
        raise ValueError(f"no counts: {text!r:.60}; they look like 'ada 3 ; bo 7'")
    return int(count)


def same(answer: str, wanted: str) -> bool:
    """Whether an answer says what is wanted; words of a tiny model stand apart: `1 2` is 12."""
    return "".join(answer.split()) == "".join(wanted.split())


def pairs(kind: str, split: str) -> list[tuple[str, str]] | list[tuple[int, int]]:
    """The (thing, name)s of facts, or the terms of sums, of "train" or "test"; none is in both."""
    every: list[tuple[str, str]] | list[tuple[int, int]]
    every = [*itertools.product(ITEMS, NAMES)] if kind == "facts" else _terms()
    random.Random(f"office {kind}").shuffle(every)
    held = _TEST[kind]
    return every[:held] if split == "test" else every[held:]


def _terms() -> list[tuple[int, int]]:
    return list(itertools.product(range(10), range(10)))


def inputs(source: str, split: str) -> list[dict[str, str]]:
    """The rows of one of `SOURCES`; the same on every call."""
    if source == "counts":
        rng = random.Random(f"office counts {split}")
        return [{"counts": " ; ".join(counts(rng))} for _ in range(60 if split == "test" else 120)]
    asked = {
        "facts": [{"question": fact_question(str(i), str(n))} for i, n in pairs("facts", split)],
        "sums": [{"question": sum_question(int(a), int(b))} for a, b in pairs("sums", split)],
        "requests": _drawings(split),
    }
    if source in ("facts", "sums"):
        return asked[source]
    other = asked["sums" if source == "questions" else source]
    return [row for both in zip(asked["facts"], other, strict=False) for row in both]


def _drawings(split: str) -> list[dict[str, str]]:
    """Wishes for pictures, with the attribute and how much of it there is to be, 0 to 1."""
    every = list(itertools.product(range(len(LEVELS)), ATTRIBUTES, SCENES))
    random.Random("office drawings").shuffle(every)
    chosen = every[:36] if split == "test" else every[36:]
    return [
        {
            "question": draw_request(level, attribute, scene),
            "attribute": attribute.name,
            "level": str(level / (len(LEVELS) - 1)),
        }
        for level, attribute, scene in chosen
    ]


def draw_request(level: int, attribute: Attribute, scene: str) -> str:
    """A wish for a picture."""
    return f"draw the {scene} that is {LEVELS[level]} {attribute.adjective}"


def counts(rng: random.Random) -> list[str]:
    """Who has how many, three or four of them, all different."""
    several = rng.choice((3, 4))
    numbers = rng.sample(range(10), several)
    return [f"{name} {n}" for name, n in zip(rng.sample(NAMES, several), numbers, strict=True)]
