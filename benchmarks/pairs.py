"""Real preference pairs: grade-school questions with answers, or text of this repository."""

import itertools
import json
import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer

ROOT = Path(__file__).parents[1]
GSM8K = ROOT.parent / "shared" / "data" / "gsm8k_pairs.jsonl"
Pair = dict[str, str]


def source() -> str:
    """Where the pairs are from."""
    return "gsm8k" if GSM8K.exists() else "text of docs/ cut to the lengths of gsm8k"


def real(count: int) -> list[Pair]:
    """Pairs as they are: about 60 tokens of prompt and 110 of answer."""
    return [_parted(pair) for pair in random.Random(0).sample(_all(), count)]


def cut(model: Path, count: int, prompt: int, answer: int) -> list[Pair]:
    """Pairs whose prompts and answers have so many tokens, their end of sequence included."""
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    texts = {side: "\n".join(pair[side] for pair in _all()) for side in _all()[0]}
    lengths = {"prompt": prompt - 1, "chosen": answer - 1, "rejected": answer - 1}
    pieces = {side: _pieces(tokenizer, texts[side], lengths[side]) for side in texts}
    return [_parted({side: next(of) for side, of in pieces.items()}) for _ in range(count)]


def _parted(pair: Pair) -> Pair:
    """With a line's end between prompt and answer, which no token reaches over.

    Where one does, on one side of a pair alone, TRL scores a token more of the other side.
    """
    answers = {side: text.lstrip() for side, text in pair.items() if side != "prompt"}
    return {"prompt": pair["prompt"].rstrip() + "\n", **answers}


def _pieces(tokenizer: Tokenizer, text: str, length: int) -> Iterator[str]:
    """Texts of `length` tokens, one after the other."""
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    for start in itertools.count(step=length):
        part = offsets[start % (len(offsets) - length) :][:length]
        yield text[part[0][0] : part[-1][1]]


@cache
def _all() -> list[Pair]:
    if GSM8K.exists():
        return [json.loads(line) for line in GSM8K.read_text("utf-8").splitlines()]
    words = " ".join(
        re.sub(r"\s+", " ", file.read_text("utf-8"))
        for file in sorted((ROOT / "docs").glob("*.md"))
    ).split()
    lengths = itertools.cycle([45, 65, 65])  # words, about as many tokens as gsm8k has
    starts = itertools.accumulate(itertools.islice(lengths, 3 * (len(words) // 180)), initial=0)
    cuts = [" ".join(words[a:b]) for a, b in itertools.pairwise(starts)]
    return [
        {"prompt": p, "chosen": c, "rejected": r}
        for p, c, r in zip(cuts[::3], cuts[1::3], cuts[2::3], strict=True)
    ]
