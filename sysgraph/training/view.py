"""How a run that lasts is shown: a table of curves on a terminal, a few words in a log."""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import torch
from rich.console import RenderableType
from rich.text import Text

from sysgraph_schemas.visible import visible

from ..support.memory import on_gpus, resident
from ..support.sparkline import sparkline
from .watch import Curve, Watch

_NUMBER = 9
"""Columns of a number, the space before it included."""
_NAME = 24
"""Columns of a name at most."""
_SPARK = 8
"""Columns of a curve at least."""


@dataclass(frozen=True)
class _Row:
    name: str
    train: Curve | None
    held_out: Curve | None
    signed: bool = False  # good above 0, bad below

    @property
    def values(self) -> list[float]:
        """What the curve is drawn of."""
        curve = self.train or self.held_out
        return list(curve.values) if curve else []


class TrainingView:
    """What `fit` shows while it runs.

    Args:
        name: the graph's.
        devices: whose memory is shown.
    """

    def __init__(self, name: str, watch: Watch, devices: Collection[torch.device]) -> None:
        self._name, self._watch, self._devices = visible(name), watch, devices
        self.stopping: Callable[[], bool] | None = None
        """Whether the run was asked to stop after a step; None: no one can ask for that."""

    def frame(self, width: int, height: int, *, last: bool) -> RenderableType:
        """See `support.screen.View`."""
        with self._watch.lock:
            rows = [row for row in self._rows() if row.train or row.held_out]
            if last and not rows:
                return Text("")  # nothing happened that is worth to stay
            hint = [] if last else self._hint()
            table = _table(rows, width, height - 2 - len(hint)) if rows else ()
            lines = [self._title(last=last), *table, self._speed(width), *hint]
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        return Text("\n", no_wrap=True).join(lines[: max(1, height)])

    def note(self) -> str:
        """See `support.screen.View`."""
        with self._watch.lock:
            watch, held = self._watch, self._watch.held_out
            parts = []
            if "loss" in held:
                accuracy = held.get("rewards/accuracies")
                also = f" accuracy {accuracy.last:.2f}" if accuracy else ""
                parts.append(f"held-out loss {held['loss'].last:.3f}{also}")
            parts += self._pace()
            if watch.left is not None:
                parts.append(f"{duration(watch.left)} left")
            return "  ".join(parts)

    def _rows(self) -> Iterator[_Row]:
        train, held = self._watch.train, self._watch.held_out
        several = {"loss": "loss", "accuracy": "rewards/accuracies", "margin": "rewards/margins"}
        for name, metric in several.items():
            yield _Row(name, train.get(metric), held.get(metric), signed=name == "margin")
        for node in self._watch.nodes:
            one, other = self._watch.margin(node), self._watch.margin(node, held_out=True)
            yield _Row(f"  {visible(node)}", one, other, signed=True)
        if "score" in train or "score" in held:
            yield _Row("score", train.get("score"), held.get("score"))

    def _title(self, *, last: bool) -> Text:
        watch, parts = self._watch, []
        if watch.rounds:
            parts.append(f"round {watch.round + 1} of {watch.rounds}")
        if last:  # until then a bar says it
            parts.append(f"step {watch.step} of {watch.steps}")
        parts.append(duration(watch.elapsed))
        left = None if last else watch.left
        if left:
            parts.append(f"about {duration(left)} left")
        return Text.assemble((self._name, "bold"), *(f"  {part}" for part in parts))

    def _speed(self, width: int) -> Text:
        parts = [*self._pace(), f"{amount(resident())}B memory"]
        found = on_gpus(self._devices)
        if found is not None:
            used, whole = map(amount, found)
            parts.append(f"{used} of {whole}B on the GPU{'s' * (len(self._devices) > 1)}")
        text = ", ".join(parts)
        return Text(text if len(text) <= width else ", ".join(parts[-2:]), style="dim")

    def _pace(self) -> list[str]:
        pace = self._watch.pace
        if pace is None:
            return []
        found = [f"{amount(pace.pairs)} pairs/s"]
        return found + ([f"{amount(pace.tokens)} tokens/s"] if pace.tokens else [])

    def _hint(self) -> list[Text]:
        if self.stopping is None:
            return []
        if self.stopping():
            return [Text("stopping after this step (Ctrl-C again: at once)", style="yellow")]
        return [Text("Ctrl-C stops after a step; --resume goes on", style="dim")]


def _table(rows: Sequence[_Row], width: int, height: int) -> Iterator[Text]:
    """A heading and a line for each row, as many as fit; the last ones are left out first."""
    fit = max(1, height - 1)
    left_out = len(rows) - fit + 1 if len(rows) > fit else 0
    shown = rows[: len(rows) - left_out]
    name = min(_NAME, max(len(row.name) for row in rows), max(8, width - 2 * _NUMBER - _SPARK - 1))
    spark = width - name - 1 - 2 * _NUMBER
    heading = f"{'':{width - 2 * _NUMBER}}{'train':>{_NUMBER}}{'held out':>{_NUMBER}}"
    yield Text(heading, style="dim", no_wrap=True)
    for row in shown:
        line = Text(_cut(row.name, name).ljust(name + 1), no_wrap=True)
        if spark >= _SPARK:
            line.append(sparkline(row.values, spark).ljust(spark), style="cyan")
        else:
            line.append(" " * max(0, spark))
        for curve in (row.train, row.held_out):
            text = number(curve.last if curve else math.nan)
            line.append(f"{text:>{_NUMBER}}", style=_style(text) if row.signed else "")
        yield line
    if left_out:
        yield Text(f"and {left_out} more", style="dim")


def _style(number: str) -> str:
    """Green above 0 as shown, red below."""
    if not number or float(number) == 0:
        return ""
    return "red" if number.startswith("-") else "green"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def number(value: float) -> str:
    """Four figures, in eight columns at most; empty: there is none.

    >>> [number(x) for x in (0.69314, -12.3456, 0.00001, 123456.0, float("nan"))]
    ['0.6931', '-12.35', '0.0000', '1.23e+05', '']
    """
    if math.isnan(value):
        return ""
    if abs(value) >= 99999.5:  # and what is infinite
        return f"{value:.2e}"
    text = f"{value:.{4 if abs(value) < 1 else max(0, 4 - len(str(int(abs(value)))))}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def amount(value: float) -> str:
    """Three figures with a factor of thousand: 1.23k.

    >>> [amount(x) for x in (0.512, 31.27, 1234, 5.6e7, 2**31)]
    ['0.512', '31.3', '1.23 k', '56.0 M', '2.15 G']
    """
    for factor, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= factor:
            return f"{_three(value / factor)}{unit}"
    return _three(value)


def _three(value: float) -> str:
    return f"{value:.{2 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f}"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds.

    >>> duration(75.4), duration(7325)
    ('1:15', '2:02:05')
    """
    hours, rest = divmod(round(max(0, seconds)), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
