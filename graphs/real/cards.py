"""The scorer of cards.yaml: what makes a quiz card, checked without a model.

sysgraph eval graphs/real/cards.yaml --scorer graphs/real/cards.py:cards
"""

import re
from collections.abc import Sequence

from sysgraph import Scorer, Trace

__all__ = ["cards"]


def words(text: str) -> list[str]:
    """The words of a text in lower case; a number is one word.

    >>> words("Neil's hair: $3,000!")
    ['neil', 's', 'hair', '3,000']
    """
    return re.findall(r"[a-z]+|\d[\d,.]*\d|\d", text.lower())


COMMON = frozenset(
    words(
        """
        about after also because been before between could does during each first from have into
        just like made make many more most much only other over people some such than that their
        them then there these they this those through very were what when where which while will
        with would your
        """
    )
)


def telling(text: str) -> set[str]:
    """What a text is about: its numbers, and the first five letters of its words of four and more.

    Five letters, so that `horses` gives `horse` away, and `American` `America`.

    >>> sorted(telling("The toothbrushes were made in 1498"))
    ['1498', 'tooth']
    """
    found = (w for w in words(text) if w[0].isdigit() or (len(w) > 3 and w not in COMMON))
    return {w if w[0].isdigit() else w[:5] for w in found}


def stands_in(part: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether the words `part` stand in `whole`, one after the other."""
    n = len(part)
    return any(whole[i : i + n] == part for i in range(len(whole) - n + 1))


def rules(fact: str, question: str, answer: str) -> dict[str, bool]:
    """Which rules of a quiz card are kept, by name.

    An answer that is not from the fact keeps nothing secret, so it fails the last rule too.
    """
    asked, said = words(question), words(answer)
    from_fact = bool(telling(answer)) and stands_in(said, words(fact))
    return {
        "one question": question.count("?") == 1
        and question.strip().endswith("?")
        and 4 <= len(asked) <= 16,
        "about the fact": len(telling(question) & telling(fact)) >= 2,
        "short answer": 1 <= len(said) <= 4,
        "answer from the fact": from_fact,
        "answer not in the question": from_fact and not telling(answer) & telling(question),
    }


def _score(trace: Trace) -> float:
    """The share of the rules that are kept."""
    kept = rules(str(trace["fact"]), str(trace["question"]), str(trace["answer"]))
    return sum(kept.values()) / len(kept)


cards = Scorer("cards", lambda traces: [_score(trace) for trace in traces], perfect=1)
"""From 0 to 1: the share of the rules that a card keeps; perfect: all of them."""
