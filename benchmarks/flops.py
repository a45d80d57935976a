"""A3: the FLOPs of sysgraph's step on the rows of A1 and A2, against what it cannot do without."""

from collections.abc import Iterator

from transformers import AutoTokenizer

from sysgraph import Completion
from sysgraph.engines.causal_lm.tokens import Encoded, encode

from . import pairs
from .bound import bound, trie
from .counting import flops
from .dpo_long import LENGTHS
from .dpo_step import SPREAD, one_lm
from .pairs import Pair
from .row import Options, Row
from .shares import shares
from .sides.ours import Ours
from .sides.trls import RANK


def rows(options: Options) -> Iterator[Row]:
    yield _row(options, f"DPO step, one LM, one pair ({pairs.source()})", pairs.real(6))
    for prompt, answer in LENGTHS:
        made = pairs.cut(options.language_model, 2, prompt, answer)
        yield _row(
            options, f"DPO step, one LM, one pair, prompt {prompt} and answer {answer}", made
        )


def _row(options: Options, work: str, made: list[Pair]) -> Row:
    """The share of what is counted over a step a pair that the limit takes.

    Args:
        made: one more than the pairs that are counted: the last step is profiled.
    """
    model = options.language_model
    ours = Ours(one_lm(model), made, device=options.device, spread=SPREAD)
    ours.prepare()
    *steps, _ = [row for (row,) in ours.order]
    counted = sum(flops(ours.step)[0] for _ in steps)
    limit = [bound(model, RANK, trie(encoded(options, made[row]))) for row in steps]
    took = sorted(shares(ours.step, options.device).items(), key=lambda share: -share[1])
    least = sum(one.total for one in limit)
    head = sum(one.head for one in limit)
    return Row(
        "A3",
        work,
        "the limit",
        least / counted,
        0.85,
        measure="share of the FLOPs that are needed",
        note=f"{counted / 1e9:.1f} GFLOP counted, {least / 1e9:.1f} needed, of these "
        f"{head / least:.0%} in the head; a step's time: "
        + ", ".join(f"{kind} {share:.0%}" for kind, share in took),
    )


def encoded(options: Options, pair: Pair) -> list[Encoded]:
    """The token ids of both sides."""
    tokenizer = AutoTokenizer.from_pretrained(options.language_model)
    completions = [Completion(pair["chosen"]), Completion(pair["rejected"])]
    return [
        encode(tokenizer, pair["prompt"], one, vocabulary=len(tokenizer), stop=())
        for one in completions
    ]
