"""`sysgraph report`: everything that a run has learned, on one page."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from sysgraph_compiler.drawing import diagram
from sysgraph_compiler.drawing.picture import picture
from sysgraph_compiler.drawing.svg import svg

from ..measuring.evaluation import Estimate
from ..support.files import write_text
from . import examples
from .alarms import alarms
from .credit import Credit
from .curves import charts
from .facts import Facts, Line, read_facts
from .moments import moments
from .sheet import sheet
from .texts import table


def write_report(run: Path, file: Path) -> None:
    """Writes the page of a run, as far as that got.

    Raises:
        InputError: the folder holds no run.
        RunError: the file cannot be written.
    """
    write_text(file, report(run))


def report(run: Path) -> str:
    """The page of a run: HTML that needs nothing else. Arguments and errors as `write_report`."""
    facts = read_facts(run)
    shown = diagram(facts.program)
    over_time = moments(facts, shown)
    data = {
        "page": examples.PAGE,
        "boxes": [box.id for box in shown.boxes],
        "moments": over_time,
    }
    parts = {
        "Warnings": _alarms(facts),
        "Graph": _graph(svg(picture(shown)), len(over_time)),
        "Credit": _credit(facts.credit) if facts.credit else "",
        "Curves": _curves(facts),
        "Examples": _examples(facts),
        "Most wrong": examples.wrong(facts),
        "Study": _study(facts.study),
        "Time and memory": _timings(facts),
        "Settings": _settings(facts),
    }
    there = {name: part for name, part in parts.items() if part}
    links = "".join(f'<a href="#{_id(name)}">{name}</a>' for name in there)
    sections = "".join(
        f'<section aria-labelledby="{_id(name)}"><h2 id="{_id(name)}">{name}</h2>{part}</section>'
        for name, part in there.items()
    )
    head = f'{_head(facts)}<nav class="top" aria-label="Sections">{links}</nav>{_figures(facts)}'
    title = f"{facts.program.name}: what was learned"
    return sheet(title, f"<header>{head}</header><main>{sections}</main>", data)


def _id(name: str) -> str:
    return name.lower().replace(" ", "-")


def _head(facts: Facts) -> str:
    about = escape(facts.program.description or "")
    state = "" if facts.finished else " · not finished"
    where = escape(facts.root.absolute().name)
    return f'<h1>{escape(facts.program.name)}</h1><p class="dim">{about} Run {where}{state}</p>'


def _figures(facts: Facts) -> str:
    """The few numbers that matter most."""
    found: list[tuple[str, str]] = []
    scores = [_mean(facts, name) for name in ("before", "after")]
    if any(scores):
        found.append(("score before → after", " → ".join(score or "–" for score in scores)))
    if facts.credit:
        credit = facts.credit
        found.append((f"margin on {credit.data}", _figure(credit.margin)))
        found.append(("chosen above rejected", _figure(credit.accuracy)))
        shares = {one.model: one.share for one in credit.models if one.share is not None}
        if len(shares) > 1:
            top = max(shares, key=lambda model: shares[model])
            found.append(("most of the margin", f"{escape(top)} {shares[top]:.0%}"))
    fit = facts.program.fit
    found.append(("steps", f"{facts.at:,} of {fit.steps * max(1, fit.rounds):,}"))
    seconds = sum(line.get("seconds", 0) for line in facts.timings)
    if seconds:
        found.append(("time", _duration(seconds)))
    items = "".join(f"<li>{name}<b>{value}</b></li>" for name, value in found)
    return f'<ul class="figures">{items}</ul>'


def _figure(found: Estimate) -> str:
    mean, _, interval = _interval(found).partition(" ")
    return f"{mean} <small>{interval}</small>"


def _mean(facts: Facts, name: str) -> str | None:
    found = (facts.result.get(name) or facts.state.get(name) or {}).get("score") or {}
    return None if found.get("mean") is None else f"{found['mean']:.3f}"


def _alarms(facts: Facts) -> str:
    found = alarms(facts)
    items = "".join(f"<li>{escape(text)}</li>" for text in found)
    return f'<ul class="alarms">{items}</ul>' if found else "<p>Nothing odd was found.</p>"


def _graph(drawn: str, count: int) -> str:
    if not count:
        return f'<div class="graph">{drawn}</div><p>No credit was measured yet.</p>'
    scrub = (
        f'<div class="scrub"><button type="button" id="play">Play</button>'
        f'<input type="range" id="when" min="0" max="{count - 1}" value="{count - 1}" '
        'aria-label="Moment of training"><output id="moment" for="when"></output></div>'
    )
    key = (
        '<p class="dim"><span class="key" style="background:var(--gain)"></span> makes the chosen '
        'side likelier, <span class="key" style="background:var(--loss)"></span> the rejected one; '
        "the thicker the outline, the farther from the reference. The number is the node's credit; "
        "credits add up to the margin. Steps are compared with the start of their round.</p>"
    )
    frame = '<div class="graph" tabindex="0" role="region" aria-label="Graph">'
    return f"{scrub}{frame}{drawn}</div>{key}"


def _credit(found: Credit) -> str:
    most = max([abs(n.margin.mean or 0) for n in found.nodes] + [1e-12])
    nodes = [
        [
            escape(one.variable) + (" *" if one.bound else ""),
            escape(one.model),
            _interval(one.margin),
            _bar((one.margin.mean or 0) / most),
            _percent(one.share),
            "–" if one.moved is None else f"{one.moved:.3f}",
        ]
        for one in found.nodes
    ]
    models = [
        [
            escape(one.model),
            _interval(one.margin),
            _percent(one.share),
            _interval(one.accuracy_lost),
            "–" if one.score_lost is None else _interval(one.score_lost),
            _percent(one.gradient),
        ]
        for one in found.models
    ]
    said = (
        f"{found.pairs:,} {found.data} ({found.inputs:,} inputs). A node's credit is beta "
        f"({found.beta:g}) times its log-ratio on the chosen side less that on the rejected one, "
        "against the models before training; credits add up to the system's margin of "
        f"{found.margin}."
    )
    if found.summed:
        said += (
            " Unobserved values are summed over: a node's log-ratios count by the logarithmic mean "
            "of each trajectory's posteriors under policy and reference, which keeps the sum exact."
        )
    if any(one.bound for one in found.nodes):
        said += " *: a bound on the log-likelihood, as an image has one."
    if found.skipped:
        said += (
            f" {found.skipped} pairs are left out: no drawn trajectory gives one of their sides."
        )
    node_head = ["node", "model", "credit [95 %]", "", "share", "moved, nats"]
    model_head = [
        "model", "credit [95 %]", "share", "accuracy falls without it by",
        "score falls without it by", "share of the gradient",
    ]  # fmt: skip
    drop = [i for i in range(len(model_head)) if all(row[i] == "–" for row in models)]
    model_head, *models = (
        [cell for i, cell in enumerate(row) if i not in drop] for row in (model_head, *models)
    )
    return f"<p>{escape(said)}</p>" + table(node_head, nodes) + table(model_head, models)


def _curves(facts: Facts) -> str:
    found = charts(facts)
    if not found:
        return ""
    said = (
        f"Of {len(facts.steps) * facts.every:,} logged steps, every {facts.every}th is drawn here."
        if facts.every > 1
        else ""
    )
    figures = "".join(
        f'<figure><div class="wide">{one.svg}</div><figcaption>{escape(one.words)}</figcaption>'
        "</figure>"
        for one in found
    )
    return f'{f"<p>{said}</p>" if said else ""}<div class="charts">{figures}</div>'


def _examples(facts: Facts) -> str:
    folders = facts.root / "record" / "before", facts.root / "record" / "after"
    names, total = ("before training", "after training"), facts.answered or len(facts.before)
    if facts.before and not facts.after:
        return "<p>Answers after training are there once the run has finished.</p>"
    found = examples.answers(facts.program, (facts.before, facts.after), folders, names, total)
    return found or "<p>None were kept: `fit.eval_inputs` and `fit.scorer` give some.</p>"


def _study(found: Mapping[str, Any]) -> str:
    rows = found.get("rows")
    if not rows:
        return ""
    cells = [[escape(str(row["name"])), _plain(row.get("score")), _plain(row.get("perfect")),
              _plain(row.get("against_before")), escape(str(row.get("meaning", "")))]
             for row in rows]  # fmt: skip
    return table(["", "score [95 %]", "perfect", "wins against before", "meaning"], cells)


def _timings(facts: Facts) -> str:
    phases: dict[str, list[Line]] = {}
    for line in facts.timings:
        phases.setdefault(line["phase"], []).append(line)
    if not phases:
        return ""
    rows = [
        [
            escape(name),
            str(len(lines)),
            _duration(sum(line["seconds"] for line in lines)),
            f"{max(line['memory'] for line in lines) / 2**30:.2f} GiB",
            *_tokens(lines),
        ]
        for name, lines in phases.items()
    ]
    return table(["phase", "times", "time", "peak memory until then", "tokens", "padding"], rows)


def _tokens(lines: Sequence[Line]) -> tuple[str, str]:
    """The tokens that models ran on, and the share of the padding beside them."""
    tokens, padding = (sum(line.get(key, 0) for line in lines) for key in ("tokens", "padding"))
    share = f"{padding / (tokens + padding):.1%}" if tokens else "-"
    return f"{tokens:,}" if tokens else "-", share


def _settings(facts: Facts) -> str:
    program = json.loads(facts.program.to_json())
    surroundings = facts.state.get("surroundings") or {}
    prints = {
        **{f"weights of {m}, before": d for m, d in (facts.state.get("bases") or {}).items()},
        "data": facts.state.get("data"),
        "pairs of the last round": facts.state.get("pairs"),
    }
    models = program.get("models") or {}
    parts = [
        table(["setting", "value"], list(_rows(program.get("fit") or {})), "fit"),
        table(["version", "value"], list(_rows(surroundings)), "versions and machine"),
        table(["of", "digest"], list(_rows(prints)), "fingerprints"),
        f"<pre>{escape(json.dumps(models, indent=1, ensure_ascii=False)[:20_000])}</pre>",
    ]
    return f"<details><summary>Show all</summary>{''.join(parts)}</details>"


def _rows(values: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for name, value in values.items():
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield escape(name), escape(text)


def _plain(found: Mapping[str, Any] | None) -> str:
    return "–" if not found else _interval(Estimate.model_validate(found))


def _interval(found: Estimate) -> str:
    return escape(str(found)) if found.mean is not None else "–"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _bar(share: float) -> str:
    """A bar from the middle, to the right for a gain."""
    size = 50 * min(1.0, abs(share))
    left, kind = (50.0, "") if share >= 0 else (50 - size, ' class="less"')
    return f'<span class="bar"><i{kind} style="left:{left:.1f}%;width:{size:.1f}%"></i></span>'


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
