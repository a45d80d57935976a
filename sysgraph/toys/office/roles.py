"""What the clerk is asked to do, and how well it does it: prompts with imperfect answers.

Every role ends its prompt with its own word and a colon. An answer is right as often as `RIGHT`
says, else wrong in the ways that a role has; so the clerk can do everything, and does little well.
"""

import random
from collections.abc import Callable, Sequence

from ..progression.world import ATTRIBUTES, LEVELS, SCENES, caption
from .world import (
    COLORS,
    DIGITS,
    ITEMS,
    NAMES,
    counts,
    document,
    draw_request,
    fact_question,
    pairs,
    sum_question,
)

RIGHT = {
    "search": 0.4,
    "call": 0.4,
    "read": 0.5,
    "check": 0.75,
    "pick": 0.6,
    "fold": 0.75,
    "hint": 0.6,
    "trust": 0.5,
    "plan": 0.65,
    "caption": 0.5,
}
"""How often the clerk is right, by role."""
CALL = ('{"tool":"', '","query":"', '"}')
"""The words that a call of a tool is written with."""
LETTERS = "abc"


def vocabulary() -> tuple[str, ...]:
    """Every word, each once; one that begins another comes after it."""
    words = ["which", "color", "is", "the", "of", "?", "what", "+", "|", ";", ":", "that", "draw"]
    words += ["calculate", "ok", "again", "not", "most", "browse", "paint", *LETTERS, *DIGITS]
    words += [*CALL, *RIGHT, *NAMES, *ITEMS, *COLORS]
    words += [*LEVELS, *(attribute.adjective for attribute in ATTRIBUTES), *SCENES]
    return tuple(sorted(dict.fromkeys(words), key=len, reverse=True))


def examples(rng: random.Random, count: int) -> list[tuple[str, str]]:
    """Prompts of all roles with answers to them."""
    return [rng.choice(_ROLES)(rng) for _ in range(count)]


def _fact(rng: random.Random) -> tuple[str, str]:
    item, name = rng.choice(pairs("facts", "train"))
    return str(item), str(name)


def _terms(rng: random.Random) -> tuple[int, int]:
    return rng.randrange(10), rng.randrange(10)


def _is_right(rng: random.Random, role: str) -> bool:
    return rng.random() < RIGHT[role]


def _other(rng: random.Random, known: Sequence[str], *not_these: str) -> str:
    return rng.choice([one for one in known if one not in not_these])


def _digits(number: int) -> str:
    return " ".join(str(number))


def _search(rng: random.Random) -> tuple[str, str]:
    item, name = _fact(rng)
    prompt = f"{fact_question(item, name)} search :"
    if _is_right(rng, "search"):
        return prompt, f"{item} {name}"
    other = f"{_other(rng, ITEMS, item)} {name}", f"{item} {_other(rng, NAMES, name)}"
    return prompt, rng.choice((item, name, "color", *other))


def _call(rng: random.Random) -> tuple[str, str]:
    if rng.random() < 0.5:
        question, query = _search(rng)
        question, tool = question.removesuffix(" search :"), "search"
    else:
        a, b = _terms(rng)
        question, tool, query = sum_question(a, b), "calculate", f"{a} + {b}"
        if not _is_right(rng, "search"):
            query = f"{rng.randrange(10)} + {b}"
    if rng.random() > 0.6:
        tool = "calculate" if tool == "search" else "search"
    head, middle, tail = CALL
    return f"{question} call :", f"{head} {tool} {middle} {query} {tail}"


def _read(rng: random.Random) -> tuple[str, str]:
    """From up to three notes, or from a number."""
    if rng.random() < 0.4:
        a, b = _terms(rng)
        wrong = _digits(rng.randrange(19))
        found = _digits(a + b)
        answer = found if _is_right(rng, "read") else wrong
        return f"{found} | {sum_question(a, b)} read :", answer
    item, name = _fact(rng)
    others = [_near(rng, item, name) for _ in range(rng.randrange(3))]
    facts = [(item, name), *others]
    rng.shuffle(facts)
    notes = [_note(rng, *fact) for fact in facts]
    says = notes[facts.index((item, name))].split()[-1]
    seen = [note.split()[-1] for note in notes] + [rng.choice(COLORS)]
    answer = says if _is_right(rng, "read") else rng.choice(seen)
    sent_back = f"not {rng.choice(COLORS)} | " if rng.random() < 0.3 else ""
    return f"{sent_back}{' | '.join(notes)} | {fact_question(item, name)} read :", answer


def _near(rng: random.Random, item: str, name: str) -> tuple[str, str]:
    if rng.random() < 0.5:
        return _other(rng, ITEMS, item), name
    return item, _other(rng, NAMES, name)


def _note(rng: random.Random, item: str, name: str) -> str:
    """A note of any colour: what is read is not known by heart."""
    said = document(item, name).rsplit(" ", 1)[0]
    return f"{said} {rng.choice(COLORS)}"


def _check(rng: random.Random) -> tuple[str, str]:
    """Whether an answer is what the note says."""
    item, name = _fact(rng)
    note = _note(rng, item, name)
    says = note.split()[-1]
    said = says if rng.random() < 0.5 else _other(rng, COLORS, says)
    right, wrong = ("ok", "again") if said == says else ("again", "ok")
    answer = right if _is_right(rng, "check") else wrong
    return f"{note} | {said} | {fact_question(item, name)} check :", answer


def _pick(rng: random.Random) -> tuple[str, str]:
    """The letter of what the note says."""
    item, name = _fact(rng)
    note = _note(rng, item, name)
    says = note.split()[-1]
    said = [says if rng.random() < 0.4 else rng.choice(COLORS) for _ in LETTERS]
    good = [letter for letter, one in zip(LETTERS, said, strict=True) if one == says]
    picked = rng.choice(good) if good and _is_right(rng, "pick") else rng.choice(LETTERS)
    shown = " | ".join(f"{letter} {one}" for letter, one in zip(LETTERS, said, strict=True))
    return f"{note} | {shown} | {fact_question(item, name)} pick :", picked


def _fold(rng: random.Random) -> tuple[str, str]:
    one, other, *_ = counts(rng)
    if rng.random() < 0.3:
        return f"{one} fold :", one if rng.random() < 0.9 else other
    wanted, not_wanted = sorted((one, other), key=lambda text: int(text.split()[-1]), reverse=True)
    answer = wanted if _is_right(rng, "fold") else not_wanted
    return f"{one} | most {other} | fold :", answer


def _hint(rng: random.Random) -> tuple[str, str]:
    item, name = _fact(rng)
    note = _note(rng, item, name)
    says = note.split()[-1]
    answer = says if _is_right(rng, "hint") else _other(rng, COLORS, says)
    return f"{note} | {fact_question(item, name)} hint :", answer


def _trust(rng: random.Random) -> tuple[str, str]:
    item, name = _fact(rng)
    note, hint = _note(rng, item, name), rng.choice(COLORS)
    answer = note.split()[-1] if _is_right(rng, "trust") else hint
    return f"hint {hint} | {note} | {fact_question(item, name)} trust :", answer


def _plan(rng: random.Random) -> tuple[str, str]:
    """Whether to look something up or to draw."""
    asks, right, wrong = fact_question(*_fact(rng)), "browse", "paint"
    if rng.random() < 0.5:
        asks, right, wrong = _drawing(rng)[0], "paint", "browse"
    return f"{asks} plan :", right if _is_right(rng, "plan") else wrong


def _caption(rng: random.Random) -> tuple[str, str]:
    asks, right = _drawing(rng)
    other = caption(rng.randrange(len(LEVELS)), rng.choice(ATTRIBUTES), rng.choice(SCENES))
    return f"{asks} caption :", right if _is_right(rng, "caption") else other


def _drawing(rng: random.Random) -> tuple[str, str]:
    """A wish for a picture, and the caption that says it."""
    what = rng.randrange(len(LEVELS)), rng.choice(ATTRIBUTES), rng.choice(SCENES)
    return draw_request(*what), caption(*what)


_ROLES: tuple[Callable[[random.Random], tuple[str, str]], ...] = (
    *(_search, _call, _call, _read, _read, _check, _check, _pick, _pick),
    *(_fold, _fold, _hint, _trust, _plan, _caption),
)
