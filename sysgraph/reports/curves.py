"""The charts of a run, from its metrics."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .charts import Mark, Series, line_chart, thinned
from .facts import Facts, Line

_STEPS = "optimizer steps of the run"
_MOST_LINES = 8


@dataclass(frozen=True)
class Chart:
    """An SVG document, and in words what its lines do."""

    svg: str
    words: str


def charts(facts: Facts) -> list[Chart]:
    """Every chart that the metrics have something for."""
    return [
        chart
        for draw in (_loss, _accuracy, _margin, _credit, _score, _sides, _gradient, _samples,
                     _covered, _failed, _tokens)
        if (chart := draw(facts)) is not None
    ]  # fmt: skip


def _loss(facts: Facts) -> Chart | None:
    lines = [_of(facts, "train", "loss"), _held_out(facts, "held out", "loss")]
    return _chart(facts, lines, "Loss", "loss", kept=True)


def _accuracy(facts: Facts) -> Chart | None:
    name = "rewards/accuracies"
    lines = [_of(facts, "train", name), _held_out(facts, "held out", name)]
    return _chart(facts, lines, "How often the chosen side gained more", "accuracy", kept=True)


def _margin(facts: Facts) -> Chart | None:
    name = "rewards/margins"
    lines = [_of(facts, "train", name), _held_out(facts, "held out", name)]
    return _chart(facts, lines, "Margin against the round's start", "margin", kept=True)


def _credit(facts: Facts) -> Chart | None:
    """By node; by model where there are too many nodes for one chart."""
    terms = [t for t in facts.program.terms if t.status == "trained"]
    parts = {t.variable: [t.variable] for t in terms}
    if len(parts) > _MOST_LINES:
        parts = {}
        for term in terms:
            parts.setdefault(str(term.model), []).append(term.variable)
    parts = dict([*parts.items()][:_MOST_LINES])
    has_held_out = any("eval_loss" in line for line in facts.milestones)
    source = facts.milestones if has_held_out else facts.steps
    prefix = "eval_" if has_held_out else ""

    def total(names: Sequence[str]) -> Callable[[Line], float | None]:
        return lambda line: added([credit_in(line, name, prefix) for name in names])

    lines = [_series(facts, part, source, total(names)) for part, names in parts.items()]
    where = "held out" if has_held_out else "train"
    title = f"Credit: each part of the margin ({where})"
    return _chart(facts, lines, title, "margin", kept=has_held_out)


def credit_in(line: Line, variable: str, prefix: str) -> float | None:
    """A variable's share of the mean margin, as a line of metrics has it."""
    return _number(line, f"{prefix}credit/{variable}", f"{prefix}rewards/margins/{variable}")


def added(values: Sequence[float | None]) -> float | None:
    """The sum of those that are there; None where none is."""
    there = [value for value in values if value is not None]
    return sum(there) if there else None


def _score(facts: Facts) -> Chart | None:
    rounds = _rounds(facts, "held-out inputs of training", "score/held_out", "score_low/held_out",
                     "score_high/held_out")  # fmt: skip
    ends = _ends(facts)
    return _chart(facts, [rounds, ends], "Score", "score")


def _ends(facts: Facts) -> Series | None:
    """The evaluations before and after."""
    x, rows = [], []
    for name, line in (("before", 0), ("after", facts.at)):
        found = (facts.result.get(name) or facts.state.get(name) or {}).get("score") or {}
        if found.get("mean") is not None:
            x.append(line)
            rows.append([found["mean"], found.get("low"), found.get("high")])
    if not rows:
        return None
    y, low, high = zip(*[[math.nan if v is None else v for v in row] for row in rows], strict=True)
    return Series("evaluation inputs", x, y, low, high)


def _sides(facts: Facts) -> Chart | None:
    lines = [
        _held_out(facts, f"{side}, held out", f"rewards/{side}") or _of(facts, f"{side}, train",
                                                                       f"rewards/{side}")
        for side in ("chosen", "rejected")
    ]  # fmt: skip
    return _chart(facts, lines, "Chosen and rejected against the round's start", "beta log p/p_ref")


def _gradient(facts: Facts) -> Chart | None:
    models = [key.removeprefix("grad_norm/") for key in (facts.steps or [{}])[-1]
              if key.startswith("grad_norm/")]  # fmt: skip
    if len(models) < 2:
        return None

    def share(model: str) -> Callable[[Line], float | None]:
        def of(line: Line) -> float | None:
            squares = [(line.get(f"grad_norm/{m}") or 0.0) ** 2 for m in models]
            total = sum(squares)
            return squares[models.index(model)] / total if total else None

        return of

    lines = [_series(facts, m, facts.steps, share(m)) for m in models[:_MOST_LINES]]
    return _chart(facts, lines, "Share of the gradient's squared norm", "share")


def _samples(facts: Facts) -> Chart | None:
    lines = [_of(facts, "distinct", "sampling/distinct"), _of(facts, "effective", "sampling/ess")]
    return _chart(facts, lines, "Trajectories that are summed over", "trajectories a pair")


def _covered(facts: Facts) -> Chart | None:
    lines = [_of(facts, "covered", "sampling/covered_mass")]
    return _chart(facts, lines, "Mass that the trajectories cover", "share of p(y | x)")


def _failed(facts: Facts) -> Chart | None:
    lines = [_rounds(facts, side.replace("_", " "), f"failed/{side}") for side in _SIDES]
    if not any(value for line in lines if line for value in line.y):
        return None
    return _chart(facts, lines, "Samples without an output", "share")


def _tokens(facts: Facts) -> Chart | None:
    prefix = "tokens/held_out/"
    names = [k.removeprefix(prefix) for k in (_round_lines(facts) or [{}])[-1]
             if k.startswith(prefix)]  # fmt: skip
    lines = [_rounds(facts, name, prefix + name) for name in names[:_MOST_LINES]]
    return _chart(facts, lines, "Length of samples", "tokens")


_SIDES = ("train", "held_out")


def _round_lines(facts: Facts) -> list[Line]:
    return [line for line in facts.milestones if "step" not in line and "evaluation" not in line]


def _rounds(facts: Facts, name: str, *keys: str) -> Series | None:
    """What lines of rounds have under a key, and the ends of its band."""
    rows = [(facts.when(line), *(_value(line, key) for key in keys))
            for line in _round_lines(facts) if line.get(keys[0]) is not None]  # fmt: skip
    if not rows:
        return None
    x, y, *band = zip(*rows, strict=True)
    return Series(name, x, y, *band)


def _of(facts: Facts, name: str, key: str) -> Series | None:
    return _series(facts, name, facts.steps, lambda line: _number(line, key))


def _held_out(facts: Facts, name: str, key: str) -> Series | None:
    return _series(facts, name, facts.milestones, lambda line: _number(line, f"eval_{key}"))


def _series(
    facts: Facts, name: str, lines: Sequence[Line], value: Callable[[Line], float | None]
) -> Series | None:
    """A line with a gap before every round: what it shows starts anew there."""
    x: list[float] = []
    y: list[float] = []
    last = None
    for line in lines:
        found = value(line)
        if found is None:
            continue
        at = facts.when(line)
        if last is not None and line.get("round") != last:
            x.append(at)
            y.append(math.nan)
        x.append(at)
        y.append(found)
        last = line.get("round")
    return Series(name, x, y) if x else None


def _number(line: Line, *keys: str) -> float | None:
    return next((float(line[key]) for key in keys if line.get(key) is not None), None)


def _value(line: Line, key: str) -> float:
    found = line.get(key)
    return math.nan if found is None else float(found)


def _chart(
    facts: Facts, lines: Sequence[Series | None], title: str, label: str, *, kept: bool = False
) -> Chart | None:
    there = [thinned(line) for line in lines if line is not None]
    if not any(math.isfinite(v) for line in there for v in line.y):
        return None
    marks = list(_kept(facts)) if kept else []
    lowest, highest = min(min(s.x) for s in there), max(max(s.x) for s in there)
    marks = [mark for mark in marks if lowest <= mark.x <= highest]
    svg = line_chart(there, title=title, x_label=_STEPS, y_label=label, marks=marks)
    return Chart(svg, "; ".join(map(_words, there)))


def _kept(facts: Facts) -> Iterator[Mark]:
    """The steps whose weights were kept, by round."""
    for one in facts.result.get("kept") or facts.state.get("kept") or []:
        start = (max(1, one["round"]) - 1) * facts.program.fit.steps
        yield Mark(start + one["step"], "kept")


def _words(one: Series) -> str:
    values = [v for v in one.y if math.isfinite(v)]
    if not values:
        return f"{one.name}: nothing"
    return f"{one.name}: {values[0]:.3g} → {values[-1]:.3g}"
