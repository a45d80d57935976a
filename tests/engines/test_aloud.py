"""Texts that are told while they are written: what was told stays, and leads to the whole."""

import random
from itertools import pairwise

import pytest
from transformers import PreTrainedTokenizerFast

from sysgraph.engines import Listener
from sysgraph.engines.causal_lm.aloud import Aloud
from sysgraph.engines.causal_lm.stopping import StopStrings

from .test_stopping import OFTEN, byte_level, plain, sentencepiece


@pytest.mark.parametrize("tokenizer", [byte_level(), sentencepiece()], ids=["bytes", "pieces"])
def test_what_is_told_begins_the_value(tokenizer: PreTrainedTokenizerFast) -> None:
    """Texts of random tokens, special ones and parts of characters among them."""
    rng, size = random.Random(0), len(tokenizer)
    known = tokenizer.get_vocab()
    likely = [known[one] for one in OFTEN if one in known]
    told_whole = held = 0
    for _ in range(150):
        ids = [rng.choice([rng.randrange(size), *likely]) for _ in range(rng.randint(1, 40))]
        text = plain(tokenizer, ids)
        start = rng.randrange(len(text) or 1)
        string = text[start : start + rng.randint(1, 6)] or "x"
        stops = StopStrings(tokenizer, [string])
        wanted = (n for n in range(1, len(ids) + 1) if string in plain(tokenizer, ids[:n]))
        ids = ids[: next(wanted, len(ids))]
        told = [""]
        aloud = Aloud(tokenizer, stops, {7: Listener(lambda: True, told.append)})
        for n in range(1, len(ids) + 1):
            aloud(7, ids[:n])
            aloud(8, ids[:n])  # nobody hears it
        value = stops.text(ids)
        assert all(after.startswith(before) for before, after in pairwise(told))
        assert value.startswith(told[-1]), (ids, string)
        told_whole += told[-1] == value
        begun = value + string[0]
        held += any(plain(tokenizer, ids[:n]).startswith(begun) for n in range(len(ids)))
    assert told_whole > 50
    assert held > 20


def test_a_text_of_whole_characters_is_told_token_by_token() -> None:
    tokenizer = byte_level()
    text = "Zoë sold 48 clips … in May 🎉 and June."
    ids, told = tokenizer.encode(text), list[str]()
    aloud = Aloud(
        tokenizer,
        StopStrings(tokenizer, ["\nObservation:"]),
        {0: Listener(lambda: True, told.append)},
    )
    for n in range(1, len(ids) + 1):
        aloud(0, ids[:n])
    assert told[-1] == text
    whole = [plain(tokenizer, ids[:n]) for n in range(1, len(ids) + 1)]
    assert told == [one for one in whole if not one.endswith("\ufffd")]
