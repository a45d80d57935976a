"""The HTML page in a real browser: mouse, keyboard, zoom, themes, and nothing from outside."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sysgraph_compiler.drawing import diagram, render

from .chromium import CHROMIUM, Page, chromium
from .samples import EVIL, program

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(tab: Page, tmp_path: Path) -> Iterator[Page]:
    """The page of `fan`, freshly opened; it must ask for nothing and complain of nothing."""
    opened = open_page(tab, tmp_path, "fan")
    yield opened
    assert opened.problems == []
    assert all(request.startswith("file:") for request in opened.requests)
    assert len(opened.requests) == 1


def open_page(tab: Page, folder: Path, name: str) -> Page:
    file = folder / f"{name}.html"
    file.write_bytes(render(program(name), ".html"))
    tab.requests.clear()
    tab.problems.clear()
    tab.open(file)
    return tab


def detail(page: Page) -> str:
    return str(page.js("document.getElementById('detail').innerText"))


def focused(page: Page) -> str:
    return str(page.js("document.activeElement.id"))


def titled(name: str, title: str) -> str:
    return next(f"sg-{box.id}" for box in diagram(program(name)).boxes if box.title == title)


def test_a_click_shows_prompt_model_parents_and_terms(page: Page) -> None:
    assert page.js("document.getElementById('detail').hidden")
    page.click(f"#{titled('fan', 'critique')}")
    shown = detail(page)
    for part in (
        "{{ review | join }}",
        "toy:aggregator",
        "by: m, f",
        "log p_m(critique[m] | review[*])",
        "parents\nreview",
    ):
        assert part in shown
    arrows = page.js(
        "[...document.querySelectorAll('.on')].map(a => a.dataset.from + a.dataset.to)"
    )
    links = diagram(program("fan")).links
    critique = titled("fan", "critique").removeprefix("sg-")
    wanted = {k.source + k.target for k in links if critique in (k.source, k.target)}
    assert set(arrows) == wanted


def test_a_click_shows_gates_options_loop_and_tool(tab: Page, tmp_path: Path) -> None:
    page = open_page(tab, tmp_path, "kinds")
    for title, parts in {
        "route": ("options\nmath, code, with tests, none", "router"),
        "sum": ("runs where\nroute = math", "[route = math] log p_ada(sum | task)"),
        "value": ("tool\ncalculate, on_failure 'reject'",),
        "draft": ("loop\nrefine, 3 turns", "draft[2] | best, critique[*,1], draft[1]"),
        "image": ("for each\none per caption, up to 5", "[|captions| >= 5]"),
    }.items():
        page.click(f"#{titled('kinds', title)}")
        shown = detail(page)
        assert all(part in shown for part in parts), shown
    assert page.problems == []


def test_the_keyboard_does_all(page: Page) -> None:
    page.press("Tab")
    assert focused(page) == titled("fan", "paper")
    page.press("ArrowDown")
    assert focused(page) == titled("fan", "review")
    page.press("Enter")
    assert "{{ paper }} {{ of }}" in detail(page)
    page.press("Escape")
    assert page.js("document.getElementById('detail').hidden")
    assert focused(page) == titled("fan", "review")
    page.press("Tab")
    assert focused(page) != titled("fan", "review")


def test_zoom_pan_and_fit(page: Page) -> None:
    def box() -> list[float]:
        expression = (
            "(r => [r.x, r.y, r.width])(document.querySelector('svg').getBoundingClientRect())"
        )
        return [round(float(v), 3) for v in page.js(expression)]

    fitted = box()
    page.press("+")
    assert box()[2] == pytest.approx(1.25 * fitted[2], rel=1e-3)
    page.press("-")
    assert box() == pytest.approx(fitted, abs=0.1)
    page.press("ArrowRight", modifiers=8)
    assert box()[0] == pytest.approx(fitted[0] - 80, abs=0.1)
    page.click("#fit")
    assert box() == pytest.approx(fitted, abs=0.1)
    page.mouse("mouseWheel", 300, 300, deltaX=0, deltaY=-200)
    assert box()[2] > fitted[2]
    before = box()
    page.mouse("mousePressed", 30, 30)
    page.mouse("mouseMoved", 130, 80)
    page.mouse("mouseReleased", 130, 80)
    assert box() == pytest.approx([before[0] + 100, before[1] + 50, before[2]], abs=0.1)


def test_dark_and_light(page: Page) -> None:
    def colors() -> list[str]:
        what = "['.sg-paper', '.sg-ink'].map(s => getComputedStyle(document.querySelector(s)).fill)"
        return [*page.js(what), page.js("getComputedStyle(document.body).backgroundColor")]

    page.dark(True)
    dark = colors()
    page.dark(False)
    assert colors() == ["rgb(255, 255, 255)", "rgb(27, 31, 36)", "rgb(255, 255, 255)"]
    assert dark == ["rgb(15, 20, 25)", "rgb(230, 237, 243)", "rgb(15, 20, 25)"]


def test_hostile_texts_stay_texts(tab: Page, tmp_path: Path) -> None:
    page = open_page(tab, tmp_path, "hostile")
    for box in diagram(program("hostile")).boxes:
        page.click(f"#sg-{box.id}")
        if box.title.startswith("a_name"):
            text = page.js("[...document.querySelectorAll('#detail pre')].at(-2).textContent")
            assert text == f"{EVIL} {{{{ question }}}}"
    assert page.js("document.body.dataset.pwned") is None
    assert page.problems == []
    assert len(page.requests) == 1


def test_the_policy_stops_a_script_that_would_get_in(page: Page) -> None:
    page.js(
        "const script = document.createElement('script');"
        "script.textContent = 'document.body.dataset.in = 1';"
        "document.body.append(script)"
    )
    assert page.js("document.body.dataset.in") is None
    page.problems.clear()


def test_folded_nodes_are_all_in_the_details(tab: Page, tmp_path: Path) -> None:
    page = open_page(tab, tmp_path, "dag_300")
    seen = []
    for box in diagram(program("dag_300")).boxes:
        page.js(f"document.getElementById('sg-{box.id}').focus()")
        page.press("Enter")
        heads = page.js("[...document.querySelectorAll('#detail h2')].map(h => h.textContent)")
        seen += heads or [box.title]
    assert sorted(seen) == sorted(node.name for node in diagram(program("dag_300")).nodes)


def test_the_browser_gives_labels_the_width_they_were_measured_at(page: Page) -> None:
    overflow = page.js(
        "[...document.querySelectorAll('.sg-node')].filter(g => {"
        "const b = [...g.querySelectorAll('.sg-box')].at(-1).getBoundingClientRect();"
        "return [...g.querySelectorAll('text')].some(t => { const r = t.getBoundingClientRect();"
        "return r.left < b.left || r.right > b.right || r.top < b.top || r.bottom > b.bottom + 2 })"
        "}).length"
    )
    assert overflow == 0
