"""Judges of answers: scorers, reward models, and models behind an OpenAI-compatible endpoint."""

from collections.abc import Callable

from sysgraph_schemas.suggest import suggestion

from ...support.errors import InputError
from ...support.progress import Reporter
from ..question import question
from ..scorers import Scorer, ScorerLike, as_scorer, find_scorer
from .base import Comparison, Judge, Verdict


def find_judge(spec: str, *, reporter: Reporter | None = None) -> Scorer | Judge:
    """The judge that `KIND:NAME` names.

    `scorer:NAME` is a registered scorer; `reward:ID` a sequence classifier with one output, from
    the Hub or a folder; `openai:MODEL` a model behind the endpoint that OPENAI_BASE_URL and
    OPENAI_API_KEY name.

    Args:
        reporter: where judges tell what does not stop them; default: standard error.

    Raises:
        InputError: there is no such judge, or it cannot be loaded.
    """
    kind, _, name = spec.partition(":")
    if kind not in _KINDS:
        known = [f"{kind}:" for kind in _KINDS]
        near = suggestion(f"{kind}:", known, "a judge is KIND:NAME, KIND one of")
        raise InputError(f"no kind of judge {spec!r}; {near}")
    if not name:
        raise InputError(f"judge {spec!r}: expected {kind}:NAME")
    return _KINDS[kind](name, reporter or Reporter())


def as_judge(given: ScorerLike | Judge) -> Scorer | Judge:
    """The judge that is given as one, as a scorer, as a function of a trace, or by its name.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(given, str):
        return find_judge(given)
    if isinstance(given, Judge):
        return given
    return as_scorer(given)


def _scorer(name: str, reporter: Reporter) -> Scorer:
    return find_scorer(name)


def _reward(name: str, reporter: Reporter) -> Scorer:
    return find_scorer(f"reward:{name}", reporter=reporter)


def _openai(name: str, reporter: Reporter) -> Judge:
    from ...toys.cache import cache_root
    from .endpoint import Endpoint

    return Endpoint(name, cache=cache_root() / "judges", reporter=reporter)


_KINDS: dict[str, Callable[[str, Reporter], Scorer | Judge]] = {
    "scorer": _scorer,
    "reward": _reward,
    "openai": _openai,
}

__all__ = ["Comparison", "Judge", "Verdict", "as_judge", "find_judge", "question"]
