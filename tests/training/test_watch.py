"""What a run's lines say of its pace and its curves, against time that is known; and how it looks.

The frames are drawn as a terminal of each size would show them.
"""

import io
import itertools

import pytest
import torch
from rich.console import Console

from sysgraph.training.view import TrainingView
from sysgraph.training.watch import Curve, Watch


class Clock:
    """Time that passes when told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def watch(clock: Clock, *, rounds: int = 3, nodes: tuple[str, ...] = ("draft", "answer")) -> Watch:
    return Watch(steps=40, rounds=rounds, batch_size=8, nodes=nodes, clock=clock)


def trained(one: Watch, number: int, clock: Clock, *, upto: int = 40) -> None:
    """A round: 60 s of collecting, 2 s a step, 5 s an evaluation every 20 steps."""
    clock.now += 60
    one.see({"round": number, "score/train": 0.1 * number, "score/held_out": 0.2 * number})
    for step in range(0, upto + 1, 10):
        if step:
            clock.now += 20
            line = {"loss": 0.5, "rewards/margins": 1.5, "rewards/margins/answer": 0.25}
            more = {"credit/draft": -0.5, "scored_tokens": 12.0, "learning_rate": 1.0}
            one.see({"round": number, "step": step, **line, **more})
        if step % 20 == 0:
            clock.now += 5
            held = {"eval_loss": 0.625, "eval_rewards/accuracies": 0.75, "eval_credit/draft": 0.125}
            one.see({"round": number, "step": step, **held})


def test_pace_and_what_is_left() -> None:
    clock = Clock()
    one = watch(clock)
    assert (one.pace, one.left) == (None, None)
    one.see({"evaluation": "before", "score": 0.5})
    trained(one, 0, clock, upto=20)
    assert one.pace is not None
    assert (one.pace.pairs, one.pace.tokens) == (8 / 2, 8 * 12 / 2), "steps alone"
    assert one.pace.step == 45 / 20, "with the evaluation that came with them"
    here, later = 20 * 45 / 20, 2 * (65 + 40 * 45 / 20)
    assert one.left == pytest.approx(here + later)
    clock.now += 7
    assert one.left == pytest.approx(here + later - 7)
    assert one.elapsed == 60 + 5 + 45 + 7


def test_a_later_round_and_a_resumed_run() -> None:
    clock = Clock()
    one = watch(clock)
    for number in (0, 1):
        trained(one, number, clock)
    assert one.left == pytest.approx(65 + 40 * 90 / 40), "one round, as long as this one was"
    one.see({"round": 3, "score/held_out": 0.9})
    assert (one.round, one.held_out["score"].last) == (1, 0.9), "after the last round"
    resumed = watch(clock, rounds=0)
    for step in (30, 35):
        clock.now += 10
        resumed.see({"round": 0, "step": step, "loss": 0.5, "learning_rate": 1.0})
    assert resumed.left == pytest.approx(5 * 10 / 5)


def test_nodes_are_credited_where_they_are_summed_over() -> None:
    one = watch(clock := Clock())
    trained(one, 0, clock)
    margins = [one.margin(node) for node in one.nodes]
    assert [curve.last for curve in margins if curve] == [-0.5, 0.25]
    held = one.margin("draft", held_out=True)
    assert held is not None
    assert held.last == 0.125
    assert one.margin("answer", held_out=True) is None


def test_a_long_curve_is_thinned_out_evenly() -> None:
    curve = Curve()
    for value in range(5000):
        curve.add(float(value))
    assert 128 <= len(curve.values) <= 256
    steps = {b - a for a, b in itertools.pairwise(curve.values)}
    assert steps == {32.0}
    assert (curve.values[0], curve.last) == (15.5, 4999.0)


def drawn(view: TrainingView, width: int, height: int, *, last: bool = False) -> list[str]:
    out = Console(width=width, height=height, file=io.StringIO(), color_system=None)
    with out.capture() as capture:
        out.print(view.frame(width, height, last=last))
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [20, 40, 80, 100])
@pytest.mark.parametrize("height", [3, 8, 23])
@pytest.mark.parametrize("nodes", [2, 40])
def test_a_frame_fits_its_terminal(width: int, height: int, nodes: int) -> None:
    names = tuple(f"agents[{i}].draft" for i in range(nodes))
    one = watch(clock := Clock(), nodes=names)
    view = TrainingView("日本語 " * 8, one, [torch.device("cpu")])
    assert drawn(view, width, height, last=True) == [""], "nothing happened"
    assert len(drawn(view, width, height)) <= height
    trained(one, 0, clock)
    values = {f"rewards/margins/{name}": 1.0 for name in names}
    one.see({"round": 0, "step": 40, "learning_rate": 1.0, **values})
    for last in (False, True):
        lines = drawn(view, width, height, last=last)
        assert len(lines) <= height
        assert max(map(len, lines)) <= width
    if height == 23:
        assert ("and 2" in "".join(lines)) == (nodes == 40)


def test_what_a_frame_says() -> None:
    one = watch(clock := Clock())
    view = TrainingView("two_stage", one, [torch.device("cpu")])
    trained(one, 0, clock)
    asked = False
    view.stopping = lambda: asked
    lines = drawn(view, 60, 20)
    assert lines[0] == "two_stage  round 1 of 3  2:35  about 5:10 left"
    assert lines[1].split() == ["train", "held", "out"]
    rows = {line.split()[0]: line.split()[1:] for line in lines[2:]}
    assert rows["loss"] == ["▁▁▁▁", "0.5000", "0.6250"]
    assert rows["accuracy"] == ["▁▁▁", "0.7500"], "of held-out pairs alone"
    assert rows["draft"] == ["▁▁▁▁", "-0.5000", "0.1250"]
    assert rows["answer"] == ["▁▁▁▁", "0.2500"]
    assert rows["score"] == ["▁", "0.0000", "0.0000"]
    assert lines[-2].startswith("4.00 pairs/s, 48.0 tokens/s, ")
    assert lines[-1] == "Ctrl-C stops after a step; --resume goes on"
    asked = True
    assert drawn(view, 60, 20)[-1].startswith("stopping after this step")
    assert view.note() == (
        "held-out loss 0.625 accuracy 0.75  4.00 pairs/s  48.0 tokens/s  5:10 left"
    )
    assert drawn(view, 60, 20, last=True)[0] == "two_stage  round 1 of 3  step 40 of 40  2:35"
