"""Beam search and diverse beam search (Vijayakumar et al. 2016, arXiv 1610.02424).

The beams are in groups. At each step the groups go in turn, and a token costs a group
`diversity_penalty` for every beam of an earlier group that has just taken it (see `hamming`): the
groups part where it costs them least. One group is plain search.

All else is as in transformers 4.55 (diverse) and 5 (plain) `generate` with `early_stopping=False`,
token by token; see `beam_search`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..checkpoints.batching import Ids
from .beam_candidates import best_of
from .beam_group import Candidate, Found, Group
from .beam_settings import BeamSettings
from .decoder import FASTEST, Decoder, NotFinite, Way
from .few_rows import few_rows
from .hamming import Hamming


@torch.no_grad()
def beam_search(
    module: nn.Module, prompts: Sequence[Ids], settings: BeamSettings, way: Way = FASTEST
) -> list[list[Found]]:
    """The texts of each prompt over all groups, best first, as `generate` returns them.

    A text's score is its log-probability (nats, what ends it included), less the diversity
    penalties that its tokens cost, over (number of tokens) ** length_penalty: for ranking, never as
    log p. There are as many as beams, or fewer where there are no more. See `Group` for which.

    Args:
        module: a causal LM of transformers, with or without a peft adapter.
        prompts: token ids, at least one each; distinct for speed.
        way: how beams are written; prompts have one length unless it is padded.

    Raises:
        NotFinite: the model gives logits that are no distribution, behind prompt `row`.
    """
    with few_rows(module, settings.max_new_tokens):
        return _search(module, prompts, settings, way)


def _search(
    module: nn.Module, prompts: Sequence[Ids], settings: BeamSettings, way: Way
) -> list[list[Found]]:
    everyone = [Group(b, g, settings) for g in range(settings.groups) for b in range(len(prompts))]
    live = everyone  # by number, so that groups of one number have rows side by side
    decoder = Decoder(module, way)
    logits = decoder.start(prompts)  # (R, V), one row a prompt; later one a beam
    for step in range(1, settings.max_new_tokens + 1):
        candidates = _candidates(logits.float().log_softmax(-1), live, settings)
        for group, ranked in zip(live, candidates, strict=True):
            group.advance(ranked)
        live = [group for group in live if not group.done]
        if not live or step == settings.max_new_tokens:
            break
        logits = _write(decoder, live)
    for group in live:
        group.cut()
    out: list[list[Found]] = [[] for _ in prompts]
    for group in everyone:
        out[group.prompt] += group.found
    return [sorted(found, key=lambda text: text.score)[::-1] for found in out]


def _write(decoder: Decoder, live: Sequence[Group]) -> Tensor:
    """Writes each beam's last token, and gives the groups their new rows: logits, [R, V]."""
    rows = [(group, beam) for group in live for beam in group.beams]
    try:
        logits = decoder.step(
            [group.first + beam.parent for group, beam in rows],
            [beam.ids[-1] for _, beam in rows],
        )
    except NotFinite as error:
        raise NotFinite(rows[error.row][0].prompt, error.length) from error
    for index, group in enumerate(live):
        group.first = index * len(group.beams)
    return logits


def _candidates(
    log_probs: Tensor, live: Sequence[Group], settings: BeamSettings
) -> list[list[Candidate]]:
    """The best continuations of each group's beams, best first, enough for the step to choose from.

    Args:
        log_probs: [R, V], of the token after each beam.
        live: groups by number; earlier numbers have their turn first.
    """
    hamming = Hamming(settings, {group.prompt for group in live}, log_probs)
    parts = []
    for number in range(live[-1].number + 1):
        turn = [group for group in live if group.number == number]
        prompts = [group.prompt for group in turn]
        if turn:
            scores = hamming.charged(_scores(log_probs, turn), prompts)
            running = scores.new_tensor([[beam.score for beam in g.beams] for g in turn])
            best = best_of(scores + running[..., None], turn, settings)
            parts.append(best)
            hamming.count(prompts, best)
        hamming.count_stopped(prompts)
    columns = [torch.cat(part).tolist() for part in zip(*parts, strict=True)]
    return [
        [Candidate(*candidate) for candidate in zip(*row, strict=True)]
        for row in zip(*columns, strict=True)
    ]


def _scores(log_probs: Tensor, turn: Sequence[Group]) -> Tensor:
    """The rows of groups that lie side by side: [groups, beams, V]."""
    beams = len(turn[0].beams)
    first = turn[0].first
    return log_probs[first : first + len(turn) * beams].view(len(turn), beams, -1)
