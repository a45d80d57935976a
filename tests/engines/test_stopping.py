"""Where stop strings end texts: token by token, sampled and searched, as a plain reading has it."""

import random
from collections.abc import Sequence
from functools import cache

import pytest
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from sysgraph.engines.causal_lm.beam import beam_search
from sysgraph.engines.causal_lm.beam_settings import BeamSettings
from sysgraph.engines.causal_lm.stopping import StopStrings

from .conftest import _tokenizer
from .test_beam import Prompt, seeded, slow

Strings = tuple[str, ...]
PIECES = ["▁", "▁a", "a", "b", "ab", "é", "…", "▁Observation", ":", "\n", "▁\n\n", "b\nb"]
OFTEN = ("</s>", "Ċ", "é", "<0xE2>", "<0x80>", "<0xA6>", "<0x0A>", "▁\n\n")


@cache
def byte_level() -> PreTrainedTokenizerFast:
    return _tokenizer(eos_token="</s>")


@cache
def sentencepiece() -> PreTrainedTokenizerFast:
    """As Llama 2 has it: bytes for what is no piece, and no space before the first word."""
    names = ["</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *PIECES]
    vocabulary = {name: index for index, name in enumerate(names)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], byte_fallback=True, fuse_unk=True))
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>")


def plain(tokenizer: PreTrainedTokenizerFast, ids: Sequence[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def is_over(tokenizer: PreTrainedTokenizerFast, ids: Sequence[int], strings: Strings) -> bool:
    return any(one in plain(tokenizer, ids) for one in strings)


@pytest.mark.parametrize("tokenizer", [byte_level(), sentencepiece()], ids=["bytes", "pieces"])
def test_ends_at_the_first_token_with_which_the_text_has_one(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    """Texts of random tokens, special ones and parts of characters among them."""
    rng, size = random.Random(0), len(tokenizer)
    known = tokenizer.get_vocab()
    likely = [known[one] for one in OFTEN if one in known]
    ended = spanned = 0
    for _ in range(150):
        ids = [rng.choice([rng.randrange(size), *likely]) for _ in range(rng.randint(1, 40))]
        text, strings = plain(tokenizer, ids), ["Observation:"]
        for _ in range(2):  # two that may be there, of several characters
            start = rng.randrange(len(text) or 1)
            strings.append(text[start : start + rng.randint(1, 6)] or "x")
        stops = StopStrings(tokenizer, strings)
        wanted = (n for n in range(1, len(ids) + 1) if is_over(tokenizer, ids[:n], (*strings,)))
        found = (n for n in range(1, len(ids) + 1) if stops.ends(ids[:n]))
        at = next(wanted, None)
        assert next(found, None) == at, (ids, strings)
        if at is not None:
            ended += 1
            spanned += not is_over(tokenizer, ids[at - 1 : at], (*strings,))
            whole = plain(tokenizer, ids[:at])
            first = min(whole.index(one) for one in strings if one in whole)
            assert stops.text(ids[:at]) == whole[:first]
            assert stops.may_give(ids[:at])
            assert at == len(ids) or not stops.may_give(ids[: at + 1])
    assert ended > 100
    assert spanned > 50


DOTS = ["<0xE2>", "<0x80>", "<0xA6>"]


@pytest.mark.parametrize(
    ("names", "string"),
    [
        ([*DOTS * 4, "<0x0A>"], "\n"),  # bytes beside a half of a character are lost with it
        (["<0x80>", *["<0x0A>"] * 9], "\n"),  # here all of them are, and nothing ends
        (["<0x80>", *["<0x0A>"] * 9, "a", "\n"], "\n"),
        (["a", *["</s>"] * 9, "b"], "ab"),
        (["b", "▁a"], " "),
        (["b", *DOTS * 11], "…" * 11),
        (["▁a", "b\nb"], "a"),
    ],
)
def test_what_hangs_on_the_tokens_before(names: list[str], string: str) -> None:
    tokenizer = sentencepiece()
    ids = tokenizer.convert_tokens_to_ids(["b"] * 9 + names)
    stops = StopStrings(tokenizer, [string])
    for n in range(1, len(ids) + 1):
        over = is_over(tokenizer, ids[:n], (string,))
        assert stops.ends(ids[:n]) == over
        if over:
            break


def test_a_long_text_is_not_decoded_again_at_every_token(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer, decoded = byte_level(), []
    whole = tokenizer.decode
    monkeypatch.setattr(
        tokenizer, "decode", lambda ids, **how: (decoded.append(len(ids)), whole(ids, **how))[1]
    )
    ids = tokenizer.encode("She sold 48 clips in May. " * 20)
    stops = StopStrings(tokenizer, ["\nObservation:"])
    assert not any(stops.ends(ids[:n]) for n in range(1, len(ids)))
    assert max(decoded) < 20 < len(ids) // 4


WORDS = ["a", "b", "ab", "\n", " ", "c", "ba", "d", "e", "f", "g", "h"]


@cache
def words() -> PreTrainedTokenizerFast:
    """Twelve tokens, as many as the model of `seeded` has."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, "h"))
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize(
    "strings", [("abe",), ("\n", "f a"), (*"abcdefg",)], ids=["across", "two", "most"]
)
def test_a_search_is_the_slow_one_of_the_paper(strings: Strings, size: int, groups: int) -> None:
    """In the last case ten of twelve tokens end a text: more than a step looks at at first."""
    module, end = seeded(4), 11
    prompts: list[Prompt] = [(3, 5, 7, 1, 2), (8,), (4, 4, 6)]
    found = beam_search(
        module,
        prompts,
        BeamSettings(
            beams=groups * size,
            groups=groups,
            diversity_penalty=1.5,
            max_new_tokens=6,
            pad=None,
            ends=[end],
            stops=StopStrings(words(), strings),
            length_penalty=0.0,
        ),
    )
    stopped = 0
    for prompt, texts in zip(prompts, found, strict=True):
        wanted = slow(
            module,
            prompt,
            groups=groups,
            size=size,
            penalty=1.5,
            room=6,
            over=lambda ids: ids[-1] == end or is_over(words(), ids, strings),
        )
        assert [[t.ids for t in texts if t.group == g] for g in range(groups)] == wanted
        stopped += sum(is_over(words(), t.ids, strings) for t in texts)
    assert stopped
