"""What pairs can teach each model, and in words why one of them learns nothing."""

from collections.abc import Mapping, Sequence

from sysgraph_compiler import Program

from ..latent import Gaps
from .pairs import PairTable

_WORDS = {
    "absent": "no pair has a value of its nodes ({nodes}), as of a branch that no side took",
    "agrees": "the sides of every pair agree on the values and prompts of its nodes ({nodes}), so "
    "that their terms cancel: train on pairs that differ there",
    "alone": "its nodes ({nodes}) are summed over one drawn value, which both sides share, so that "
    "their terms cancel: draw more (`sampling.k`)",
    "latent": "its nodes ({nodes}) are summed over, and what was drawn for them made chosen and "
    "rejected likelier by the same factor each. So it is where what reads them does not tell the "
    "draws apart, as a model that starts uniform never does, or where all draws of a pair are one: "
    "start from a trained model after it, train on data that holds its values, or draw more "
    "(`sampling.k`)",
    "summed": "nothing that was drawn let its nodes ({nodes}) run: draw more (`sampling.k`), or "
    "take more steps",
    "apart": "some pairs would teach its nodes ({nodes}), and no step had one: take more steps",
}
"""By lesson, from none to the surest."""
_ORDER = tuple(_WORDS)
_NONE = _ORDER[:3]
NO_PAIRS = "no round had a pair: all samples of every input scored the same"


def lessons(table: PairTable, program: Program) -> dict[str, str]:
    """The surest lesson of each trained model in the pairs of `table`, a key of the words.

    `absent`, `agrees`, `alone`: there is no gradient. `latent`: only from how the posterior of what
    is drawn differs between the sides. `summed`: inside the sum, where it is drawn. `apart`: its
    terms stand outside any sum.
    """
    taught = (table.compared | table.anchored).any(0).tolist()
    found: dict[str, str] = {}
    for term, is_taught in zip(table.terms, taught, strict=True):
        several = ["absent"] if term not in table.seen else ["agrees"]
        several += ["apart"] * is_taught
        several += [_summed(program, gaps, term) for gaps in table.gaps if gaps is not None]
        model = str(program.model_of(term))
        found[model] = max([found.get(model, _ORDER[0]), *several], key=_ORDER.index)
    return found


def untaught(table: PairTable, program: Program) -> list[str]:
    """The trained models that no pair of `table` can give a gradient."""
    return [model for model, lesson in lessons(table, program).items() if lesson in _NONE]


def surest(several: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The surest lesson of each model in several tables of pairs."""
    models = dict.fromkeys(model for one in several for model in one)
    return {
        model: max((one[model] for one in several if model in one), key=_ORDER.index)
        for model in models
    }


def why_nothing(program: Program, model: str, lesson: str | None) -> str:
    """Why a model got no gradient.

    Args:
        lesson: what its pairs could teach; None: there were none.
    """
    nodes = ", ".join(t.variable for t in program.terms if t.model == model)
    return NO_PAIRS if lesson is None else _WORDS[lesson].format(nodes=nodes)


def _summed(program: Program, gaps: Gaps, term: str) -> str:
    """What a pair with gaps teaches about a term.

    With one trajectory the likelihood of a latent value is on both sides, and cancels, but for the
    anchor and for losses that are no function of the margin alone.
    """
    plan = gaps.plan
    if term not in plan.summed:
        return "absent"
    cancels = term in plan.cancelling and term not in plan.anchored
    if term not in plan.latent or term in plan.branches or not cancels:
        return "summed"
    return "alone" if program.fit.sampling.k == 1 else "latent"
