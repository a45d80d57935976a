"""Ancestral sampling of many texts at once, each as if it were drawn alone."""

import contextlib
from collections.abc import Callable, Iterator, Sequence, Set

import torch
from torch import Tensor, nn
from transformers import TemperatureLogitsWarper, TopPLogitsWarper

from sysgraph_schemas import Decoding

from ...support.seeding import derive, gumbels
from ..checkpoints import shapes
from ..checkpoints.batching import Ids
from .decoder import Decoder, NotFinite, Way
from .stopping import StopStrings

_ENDED = 0.25
"""Share of the rows that are written whose texts have ended, and which then leave the others.

A row costs no less once its text has ended, and to move the others' caches costs about a step.
"""
_NUMBERS = 2**24
"""Random numbers made at once: of a row, as many as the vocabulary has tokens."""


@torch.no_grad()
def generate(
    module: nn.Module,
    prompts: Sequence[Ids],
    seeds: Sequence[int],
    *,
    room: int,
    decoding: Decoding,
    ends: Sequence[int],
    stops: StopStrings,
    way: Way,
    moves: bool,
    told: Callable[[int, Sequence[int]], bool] | None = None,
) -> list[Ids]:
    """Completion ids of each prompt, ended by one of `ends`, by a stop string or by the length.

    Where rows may be moved, equal prompts are run once, and texts that have ended are not run on.

    Args:
        room: tokens of a completion at most.
        decoding: its temperature and top_p count here.
        moves: whether rows written this `way` can be copied, moved and dropped.
        told: is given the number of a text and its ids, whenever it has one more, and says whether
            it is to go on.

    Raises:
        NotFinite: the model gives logits that are no distribution.
    """
    side = _Side(Decoder(module, way), prompts, moves)
    written: list[list[int]] = [[] for _ in prompts]
    going = set(range(len(prompts)))
    logits = side.start()
    for step in range(room):
        tokens = _drawn(logits, [seeds[text] for text in side.texts], step, decoding)
        for text, token in zip(side.texts, tokens, strict=True):
            if text in going:
                written[text].append(token)
                wanted = told is None or told(text, written[text])
                if token in ends or stops.ends(written[text]) or not wanted:
                    going.remove(text)
        if not going or step + 1 == room:
            break
        logits = side.step(tokens, going)
    return [tuple(ids) for ids in written]


@torch.no_grad()
def rehearse(
    module: nn.Module,
    prompts: Sequence[Ids],
    *,
    room: int,
    decoding: Decoding,
    way: Way,
    moves: bool,
) -> None:
    """Runs on shapes what `generate` holds at its most: each text as long as it may be.

    Args:
        prompts, room, decoding, way, moves: as `generate` takes them.
    """
    decoder = Decoder(module, way)
    side = _Side(decoder, prompts, moves)
    going, tokens = set(range(len(prompts))), [0] * len(prompts)
    logits = side.start()
    if room > 1:
        logits = side.step(tokens, going)
    if room > 3:
        decoder.grow(room - 3)
        logits = side.step(tokens, going)
    rows = min(len(logits), max(1, _NUMBERS // logits.shape[-1]))
    scores = _warped(logits[:rows].float(), decoding)
    with shapes.like(scores):
        noise = gumbels(range(rows), scores.shape[-1], scores.device)
    gumbel_max(scores, noise)


class _Side:
    """Texts that are written side by side.

    Attributes:
        texts: which of them each row is; some may have ended, and are written in vain.
    """

    def __init__(self, decoder: Decoder, prompts: Sequence[Ids], moves: bool) -> None:
        self._decoder, self._moves = decoder, moves
        self._prompts = list(dict.fromkeys(prompts)) if moves else list(prompts)
        where = {prompt: row for row, prompt in enumerate(self._prompts)}
        self.texts = list(range(len(prompts)))
        # Where the decoder has each text now: several go on from one prompt.
        self._rows = [where[prompt] for prompt in prompts] if moves else self.texts

    def start(self) -> Tensor:
        """Logits of each text's first token: [len(texts), V]."""
        with self._named():
            logits = self._decoder.start(self._prompts)
        return logits[torch.tensor(self._rows, device=logits.device)]

    def step(self, tokens: Sequence[int], going: Set[int]) -> Tensor:
        """Logits after `tokens`, one of each of `texts`: [len(texts), V], of those that are left.

        Args:
            going: texts that have not ended.
        """
        rows = self._rows
        if self._moves and len(going) <= (1 - _ENDED) * len(self.texts):
            kept = [i for i, text in enumerate(self.texts) if text in going]
            rows, tokens = [rows[i] for i in kept], [tokens[i] for i in kept]
            self.texts = [self.texts[i] for i in kept]
        self._rows = list(range(len(self.texts)))
        with self._named():
            return self._decoder.step(rows, tokens)

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Tells of a text where the decoder tells of a row."""
        try:
            yield
        except NotFinite as error:
            text = self.texts[self._rows.index(error.row)]
            raise NotFinite(text, error.length) from error


def _drawn(logits: Tensor, seeds: Sequence[int], step: int, decoding: Decoding) -> list[int]:
    """The next token of each row of `logits` [R, V], by the row's own seed."""
    if decoding.is_greedy:
        likeliest: list[int] = logits.argmax(-1).tolist()
        return likeliest
    size = max(1, _NUMBERS // logits.shape[-1])
    out: list[int] = []
    for first in range(0, len(seeds), size):
        part = slice(first, first + size)
        scores = _warped(logits[part].float(), decoding)
        noise = gumbels([derive(s, step) for s in seeds[part]], scores.shape[-1], scores.device)
        out += gumbel_max(scores, noise).tolist()
    return out


def gumbel_max(scores: Tensor, noise: Tensor) -> Tensor:
    """A draw from the softmax of each row of `scores` [R, V]: [R] indices (Gumbel 1954).

    A row of `noise` [R, V] is as fixed as the row's seed. Where scores differ by rounding, as they
    do by what is computed beside them, another token is drawn about as seldom as the distributions
    differ. By an inverse CDF it would be drawn far more often: there, rounding adds up over the
    vocabulary.
    """
    return (scores + noise).argmax(-1)


def _warped(scores: Tensor, decoding: Decoding) -> Tensor:
    """`scores` [R, V] at a temperature, -inf for what `top_p` leaves out."""
    unread = torch.empty(0, dtype=torch.long)  # warpers are given a text that these do not read
    warp = decoding.warp
    if "temperature" in warp:
        scores = TemperatureLogitsWarper(warp["temperature"])(unread, scores)
    if "top_p" in warp:
        scores = TopPLogitsWarper(warp["top_p"])(unread, scores)
    return scores
