"""The page of a run: what it says, of runs that died too, and that a real browser shows it."""

import json
import shutil
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph.reports.curves import charts
from sysgraph.reports.facts import read_facts
from sysgraph.reports.page import report
from tests.compiler.drawing.chromium import CHROMIUM, Page, chromium

Command = Callable[..., tuple[int, str]]


def data_of(page: str) -> dict[str, Any]:
    text = page.partition('id="data">')[2].partition("</script>")[0]
    return dict(json.loads(text))


def test_credits_add_up_to_the_margin_at_every_moment(
    run: sysgraph.Run, metrics: list[dict[str, float]]
) -> None:
    evaluations = [line for line in metrics if "eval_loss" in line]
    for line in [*evaluations, *(line for line in metrics if "loss" in line)]:
        prefix = "eval_" if "eval_loss" in line else ""
        parts = [line[f"{prefix}credit/{node}"] for node in ("draft", "answer")]
        assert sum(parts) == pytest.approx(line[f"{prefix}rewards/margins"], abs=1e-5)
    moments = data_of(report(run.folder))["moments"]
    assert len(moments) == len(evaluations) + 1
    for moment, line in zip(moments, evaluations, strict=False):
        shown = [credit for credit in moment["credit"] if credit is not None]
        assert sum(shown) == pytest.approx(line["eval_rewards/margins"], rel=1e-3, abs=1e-4)
    assert any(abs(credit or 0) > 0.01 for credit in moments[-1]["credit"])
    found = run.credit()
    assert sum(n.margin.mean or 0 for n in found.nodes) == pytest.approx(found.margin.mean)


def test_strangers_texts_stay_texts(run: sysgraph.Run) -> None:
    page = report(run.folder)
    assert "<b>big</b>" not in page
    assert "<i>" not in page.replace("<i style", "").replace('<i class="less"', "")
    assert "round & <b>big</b>" in unescape(page)
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")


def test_a_run_that_died_is_shown_as_far_as_it_got(
    run: sysgraph.Run, tmp_path: Path, command: Command
) -> None:
    died = tmp_path / "died"
    shutil.copytree(run.folder, died)
    for gone in ("models", "record/after", "record/credit", "state"):
        shutil.rmtree(died / gone)
    (died / "result.json").unlink()
    lines = (died / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    (died / "metrics.jsonl").write_text("\n".join([*lines[:8], lines[8][:20]]), encoding="utf-8")
    code, shown = command("report", died)
    assert (code, shown.strip()) == (0, str(died / "report.html"))
    page = unescape((died / "report.html").read_text(encoding="utf-8"))
    assert "this run has not finished: it is shown as far as its files go, step 6 of 12" in page
    assert "a part of metrics.jsonl could not be read" in page
    assert len(data_of(page)["moments"]) == 3
    (died / "metrics.jsonl").unlink()
    assert "No credit was measured yet" in report(died)
    code, shown = command("credit", died)
    assert code == 2
    assert "holds no weights yet" in shown


def test_of_many_lines_some_are_read_and_the_page_says_so(
    run: sysgraph.Run, tmp_path: Path
) -> None:
    long = tmp_path / "long"
    shutil.copytree(run.folder, long)
    lines = [{"round": 0, "step": i, "loss": 1 / i} for i in range(1, 20_001)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (long / "metrics.jsonl").write_text(text, encoding="utf-8")
    facts = read_facts(long)
    assert (facts.every, len(facts.steps)) == (5, 4000)
    assert "Of 20,000 logged steps, every 5th is drawn here." in report(long)
    loss = charts(facts)[0]
    assert loss.svg.count("L") < 500
    assert loss.words == "train: 0.2 → 5e-05"


def test_what_is_no_run_is_refused(tmp_path: Path, command: Command) -> None:
    for name in ("report", "credit", "compare"):
        code, shown = command(name, tmp_path)
        assert code == 2, shown
        assert "is no run: it has no program.json" in shown
    assert not [*tmp_path.iterdir()]
    (tmp_path / "program.json").write_text('{"ir": 0}', encoding="utf-8")
    code, shown = command("report", tmp_path)
    assert code == 2
    assert shown.startswith(f"error: {tmp_path / 'program.json'}")
    assert not (tmp_path / "report.html").exists()


def test_commands_on_a_run(run: sysgraph.Run, tmp_path: Path, command: Command) -> None:
    code, shown = command("credit", run.folder, "--format", "json")
    assert code == 0
    found = json.loads(shown[shown.index("{") :])
    assert found["summed"]
    assert {one["model"] for one in found["models"]} == {"drafter", "editor"}
    page = tmp_path / "compare.html"
    code, shown = command("compare", run.folder, "-o", page)
    assert code == 0, shown
    assert "equal answers: " in shown
    assert "before training" in page.read_text(encoding="utf-8")


def test_notebooks(run: sysgraph.Run, metrics: list[dict[str, float]]) -> None:
    assert "credit of editor" in run._repr_html_()
    trace = sysgraph.Trace({"question": "1 < 2"}, {"answer": "<b>"}, ("answer",), frozenset(["n"]))
    assert "1 &lt; 2" in trace._repr_html_()
    assert "&lt;b&gt;" in trace._repr_html_()
    assert "(never came to be)" in trace._repr_html_()
    assert run.plot()._repr_html_().count("<svg") >= 5
    table = run.metrics
    found = table if isinstance(table, list) else table.to_dict("records")
    assert len(found) == len(metrics)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_shows_it(run: sysgraph.Run, tmp_path: Path, tab: Page) -> None:
    tab.open(run.report(tmp_path / "report.html"))
    fill = "document.querySelector('#sg-n2 .sg-box:last-of-type').style.fill"
    last = tab.js(fill)
    assert "color-mix" in last
    tab.js("document.getElementById('when').focus()")
    tab.press("Home", windowsVirtualKeyCode=36)
    assert tab.js("document.getElementById('moment').textContent").startswith("round 1, step 0")
    assert tab.js(fill) != last
    shown = "[...document.querySelectorAll('#answers > *')].filter(e => !e.hidden).length"
    assert tab.js(shown) == 10
    tab.js("document.querySelectorAll('.pager button')[1].click()")
    assert tab.js(shown) == 4
    unnamed = (
        "[...document.querySelectorAll('svg[role=img]')].filter(s => !s.querySelector('title'))"
    )
    assert tab.js(f"{unnamed}.length") == 0
    assert tab.js("document.querySelectorAll('[aria-label=\"\"]').length") == 0
    narrow = {"width": 420, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    tab.call("Emulation.setDeviceMetricsOverride", narrow)
    assert tab.js("document.documentElement.scrollWidth") <= 420
    assert tab.problems == []
    assert all(address.startswith(("file:", "data:")) for address in tab.requests)
