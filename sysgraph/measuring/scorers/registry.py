"""Scorers by registered name (entry-point group `sysgraph.scorers`), or by a spec of a model."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import entry_points

from sysgraph_schemas.suggest import suggestion

from ...support.errors import InputError
from ...support.progress import Reporter
from ...traces.trace import Trace
from .base import Scorer
from .spec import FORMS, OF_TEXTS, from_spec

GROUP = "sysgraph.scorers"

ScorerLike = Scorer | Callable[[Trace], float] | str
"""A scorer, a function that gives a trace's score, or what `find_scorer` takes."""


def as_scorer(given: ScorerLike) -> Scorer:
    """The scorer that is given as one, as a function of a trace, or by its name.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(given, str):
        return find_scorer(given)
    if isinstance(given, Scorer):
        return given
    if not callable(given):
        raise InputError(
            f"{given!r:.60} is no scorer; expected a sysgraph.Scorer, a function that gives a "
            "trace's score, or a name"
        )
    score = given
    name = getattr(given, "__name__", type(given).__name__)
    return Scorer(name, lambda traces: [score(trace) for trace in traces])


def find_scorer(name: str, *, reporter: Reporter | None = None) -> Scorer:
    """The scorer registered under `name`, or the one that the spec `name` describes: see `spec`.

    Args:
        reporter: where models tell what does not stop them; default: standard error.

    Raises:
        InputError: there is none, or its model cannot be loaded.
    """
    registered = {point.name: point for point in entry_points(group=GROUP)}
    if name not in registered and ":" in name:
        return from_spec(name, reporter or Reporter())
    if name not in registered:
        raise InputError(
            f"no scorer is registered as {name!r}; {suggestion(name, registered, 'there are')} "
            f"(packages register them in the entry-point group {GROUP!r}; one of a Python file is "
            "bound with --scorer FILE.py:NAME); "
            f"a model scores images as {', '.join(FORMS[:-1])} or {FORMS[-1]}, and texts as "
            f"{' or '.join(OF_TEXTS)}"
        )
    point = registered[name]
    try:
        scorer = point.load()
    except (ImportError, AttributeError) as error:
        raise InputError(f"scorer {name!r} ({point.value}) cannot be loaded: {error}") from error
    if not isinstance(scorer, Scorer) and not inspect.isroutine(scorer):
        raise InputError(
            f"scorer {name!r} ({point.value}) is no sysgraph.Scorer and no function of a trace: "
            f"{scorer!r:.60}"
        )
    return replace(as_scorer(scorer), name=name) if inspect.isroutine(scorer) else scorer
