"""What a causal LM allows to be done with rows of tokens, found out on a few of them.

Architectures differ: some let padding into their results, some keep a cache whose rows cannot be
moved, some are no causal models at all. No list of names says which, and one would age. A probe
asks the model itself, through the very functions that score, sample and search.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor
from transformers import PreTrainedModel

from ...support.errors import InputError
from ..checkpoints import shapes
from ..checkpoints.batching import Ids, padded
from ..checkpoints.probing import FAILURES, LENGTH, apart, few_rows, holds, is_close, tolerance
from .attention import forbid_packing, let_pack, packed_inputs
from .decoder import FASTEST, Decoder, Way
from .packing import pack
from .seen import SeenIds, first, seen_inputs, sight_of
from .tokens import Encoded

_WAYS = [Way(*flags) for flags in itertools.product((True, False), repeat=3)]
"""Ways of writing, the fastest first."""
_COARSE = 1e-2
"""The least of tolerances of half precision."""


@dataclass(frozen=True)
class Habits:
    """What leaves the log-probabilities of a model's rows as they are alone and run whole.

    Attributes:
        packs: how long rows may be that are scored in one, end to end (see `packing`); 0: none.
        pads_right: padding behind rows, where texts are scored side by side.
        samples: how texts are written.
        searches: how texts are written whose rows are copied, moved and dropped.
    """

    packs: int
    pads_right: bool
    samples: Way
    searches: Way


@torch.no_grad()
def probe(module: PreTrainedModel, vocabulary: int) -> Habits:
    """The habits of a causal LM; five or so forward passes of a few tokens.

    Args:
        vocabulary: number of ids that the model can read and write.

    Raises:
        InputError: it cannot be run on tokens alone, gives logits that are not finite, or is no
            causal model: what follows a token changes its log-probability.
    """
    if shapes.are_all():
        return Habits(let_pack(module), pads_right=True, samples=FASTEST, searches=FASTEST)
    name = type(module).__name__
    one, second, third = few_rows(vocabulary)
    half = LENGTH // 2
    turned = one[:half] + second[half:]
    try:
        table = _table(module, [one, turned, second, third])  # (4, T, V)
    except FAILURES as error:
        raise InputError(f"{name} cannot be run on a few tokens: {error!r:.300}") from error
    if not table.amax(-1).isfinite().all():
        raise InputError(
            f"{name} gives logits that are NaN or +infinite on a few tokens: its weights are "
            "damaged, or its dtype is too narrow for it"
        )
    differences = table[:, 1:] - table[:, :-1]
    alike = partial(is_close, differences=differences, dtype=module.dtype)
    if not alike(table[1, :half], table[0, :half]):
        raise InputError(
            f"{name} is no causal language model: the log-probability of a token changes with the "
            "tokens that follow it; take one that is made to write texts from left to right"
        )
    packs = _packs(module, {one: table[0], turned: table[1], third: table[3]}, alike)
    known = {one: table[0], second: table[2], third: table[3]}
    habits = _habits(module, packs, known, partial(apart, differences=differences))
    if habits is None:
        raise InputError(
            f"{name} gives other log-probabilities for a text when it is written token by token"
        )
    return habits


@torch.no_grad()
def probe_seen(module: PreTrainedModel, prompts: Sequence[Ids], vocabulary: int) -> Habits:
    """The habits of a causal LM with prompts that have images, which are not packed.

    Args:
        prompts: three, of one shape, whose last id stands for an image or follows it.
        vocabulary: as for `probe`.

    Raises:
        InputError: it cannot be run on them, or not written behind them.
    """
    if shapes.are_all():
        return Habits(0, pads_right=True, samples=FASTEST, searches=FASTEST)
    name = type(module).__name__

    def known(several: Sequence[Ids]) -> dict[Ids, Tensor]:
        texts = zip(several, few_rows(vocabulary), strict=True)
        rows = [_continued(prompt, text) for prompt, text in texts]
        return {row: _table(module, [row])[0] for row in rows}  # (T, V) each, alone

    try:
        alone = known(prompts)
    except FAILURES as error:
        raise InputError(f"{name} cannot be run on an image: {error!r:.300}") from error
    tails = torch.stack([table[-LENGTH:] for table in alone.values()])
    if not tails.amax(-1).isfinite().all():
        raise InputError(f"{name} gives logits that are NaN or +infinite behind an image")
    differs = partial(apart, differences=tails[:, 1:] - tails[:, :-1])
    habits = _habits(module, 0, alone, differs, even=lambda: known([prompts[0]] * 3))
    if habits is None:
        raise InputError(
            f"{name} gives other log-probabilities behind an image when it writes token by token"
        )
    return habits


def _continued(prompt: Ids, text: Ids) -> Ids:
    """A prompt and ids that stand for no image."""
    sight = sight_of(prompt)
    assert sight is not None
    other = next(i for i in range(len(sight.stand_ins) + 1) if i not in sight.stand_ins)
    return SeenIds((*prompt, *(other if i in sight.stand_ins else i for i in text)), sight)


def _habits(
    module: PreTrainedModel,
    packs: int,
    known: dict[Ids, Tensor],
    differs: Callable[[Tensor, Tensor], float],
    even: Callable[[], dict[Ids, Tensor]] | None = None,
) -> Habits | None:
    """Compares what scoring and writing do with what rows [T, V] are; None: no way does right.

    Args:
        known: rows that are cut within their last `LENGTH` ids alone: what is before may stand for
            images.
        even: gives such rows of one length, if `known` has others.
    """
    one, _, third = known
    evenly, most = cache(even or (lambda: known)), tolerance(module.dtype)

    def is_padded_right() -> bool:
        start = len(third) - LENGTH
        short = first(third, start + LENGTH // 2)
        after = slice(start, len(short))
        return differs(_table(module, [one, short])[1, after], known[third][after]) <= most

    def error(way: Way, moved: Sequence[int]) -> float:
        """How far beginnings of rows, and then two more tokens of each, are from what is known."""
        table = known if way.padded else evenly()
        sizes = [7, 3, 5] if way.padded else [6, 6, 6]
        rows = [(r, len(r) - LENGTH + size) for r, size in zip(table, sizes, strict=True)]
        decoder = Decoder(module, way)
        logits = decoder.start([first(row, size) for row, size in rows])
        worst = 0.0
        for _ in range(3):
            wanted = torch.stack([table[row][size - 1] for row, size in rows])
            off = differs(logits, wanted)
            if not off <= most:  # NaN too
                return math.inf
            worst = max(worst, off)
            rows = [rows[i] for i in moved]
            logits = decoder.step(moved, [row[size] for row, size in rows])
            rows = [(row, size + 1) for row, size in rows]
        return worst

    def tried(way: Way, moved: Sequence[int]) -> float:
        try:
            return error(way, moved)
        except FAILURES:
            return math.inf

    def first_right(moved: Sequence[int]) -> Way | None:
        if even is None or most < _COARSE:
            return next((way for way in _WAYS if tried(way, moved) <= most), None)
        # In half precision rounding hides positions that are a little wrong, as they are behind an
        # image: what is right beside it then is only what is about as near as the nearest.
        errors = {way: tried(way, moved) for way in _WAYS if way.cached}
        near = max(2 * min(errors.values()), float(torch.finfo(module.dtype).eps))
        near = min(near, most)
        found = next((way for way, off in errors.items() if off <= near), None)
        slow = (way for way in _WAYS if not way.cached and tried(way, moved) <= most)
        return found or next(slow, None)

    searches = first_right([2, 0, 0, 1])
    samples = searches if searches == FASTEST else first_right([0, 1, 2])
    if searches is None or samples is None:
        return None
    return Habits(packs, holds(is_padded_right), samples, searches)


def _packs(
    module: PreTrainedModel, known: dict[Ids, Tensor], alike: Callable[[Tensor, Tensor], bool]
) -> int:
    """How long rows may be that are run in one, and give what they are [T, V]."""
    longest = let_pack(module)

    def is_right() -> bool:
        packed = pack([Encoded(row[:1], row[1:]) for row in known])
        logits = module(**packed_inputs(packed, module.device)).logits[0].float()  # (N, V)
        after = [table[1:-1] for table in known.values()]
        before = [[packed.scored[s] for s in slots[:-1]] for slots in packed.slots]
        return all(alike(logits[b], a) for b, a in zip(before, after, strict=True))

    if longest and not holds(is_right):
        forbid_packing(module)
        return 0
    return longest


def _table(module: PreTrainedModel, rows: Sequence[Ids]) -> Tensor:
    """Logits at every position: [len(rows), longest row, V], float32."""
    tokens, mask = padded(rows, next(module.parameters()).device)
    inputs = {"input_ids": tokens, "attention_mask": mask, "use_cache": False}
    out = module(**inputs | seen_inputs(rows, tokens, module.dtype))
    logits: Tensor = out.logits.float()
    return logits
