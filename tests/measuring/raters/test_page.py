"""The page on which people compare, in a real browser: keyboard, mouse, themes, what it keeps."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sysgraph import Picture, Trace
from sysgraph.measuring.raters.base import Place
from sysgraph.measuring.raters.page import page

from ...compiler.drawing.chromium import CHROMIUM, Page, chromium

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
EVIL = "</script><img src=x onerror=document.body.dataset.pwned=1>"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    Image.new("RGB", (40, 30), "red").save(tmp_path / "red.png")
    picture = Picture.read(tmp_path / "red.png")
    traces = [
        Trace({"question": EVIL}, {"answer": f"{EVIL} {i}", "look": picture}, ("answer", "look"))
        for i in range(3)
    ]
    places = [Place(0, 0, 1), Place(0, 2, 0), Place(0, 1, 2)]
    both = [(traces[place.first], traces[place.second]) for place in places]
    (tmp_path / "compare.html").write_text(page("which?", str(tmp_path), places, both))
    return tmp_path / "compare.html"


@pytest.fixture
def opened(tab: Page, file: Path) -> Iterator[Page]:
    tab.requests.clear()
    tab.problems.clear()
    tab.open(file)
    yield tab
    assert tab.problems == []
    assert all(request.startswith(("file:", "data:image/png")) for request in tab.requests)


def count(tab: Page) -> str:
    return str(tab.js("document.getElementById('count').textContent"))


def reopened(tab: Page, file: Path, wanted: str) -> str:
    """The count in the page opened anew: Chromium may open it before it stored what was kept."""
    for _ in range(20):
        tab.open(file)
        if count(tab) == wanted:
            break
    return count(tab)


def downloaded(tab: Page) -> dict[str, Any]:
    tab.js(
        "URL.createObjectURL = (blob) => {"
        "  blob.text().then((text) => { window.got = text }); return '' };"
        "HTMLAnchorElement.prototype.click = function () { window.file = this.download }"
    )
    tab.click("#download")
    while tab.js("window.got") is None:
        pass
    assert tab.js("window.file") == "answers.json"
    return dict(json.loads(tab.js("window.got")))


def test_keys_answer_and_what_was_answered_stays(opened: Page, file: Path) -> None:
    assert count(opened) == "0 of 3"
    for key in ("ArrowLeft", "ArrowDown", "ArrowUp", "ArrowRight"):
        opened.press(key)
    assert count(opened) == "2 of 3"
    assert reopened(opened, file, "2 of 3") == "2 of 3"
    found = downloaded(opened)
    assert [one["better"] for one in found["answers"]] == ["left", "right", None]
    assert [(one["left"], one["right"]) for one in found["answers"]] == [(0, 1), (2, 0), (1, 2)]
    opened.press("s")
    assert "the last one; 1 left out" in opened.js("document.getElementById('note').textContent")


def test_the_mouse_answers_too_and_texts_stay_texts(opened: Page) -> None:
    assert f"{EVIL} 1" in opened.js("document.getElementById('right').textContent")
    assert opened.js("document.querySelector('#left img').naturalWidth") == 40
    opened.click("#right")
    opened.click("#choose-left")
    opened.click("#neither")
    assert count(opened) == "3 of 3"
    assert opened.js("document.body.dataset.pwned") is None


def test_dark_and_light(opened: Page) -> None:
    colors = []
    for wanted in (True, False):
        opened.dark(wanted)
        colors.append(opened.js("getComputedStyle(document.body).backgroundColor"))
    assert colors == ["rgb(15, 20, 25)", "rgb(255, 255, 255)"]
