"""The page at `/` in a real browser: it runs the system, and shows every node's value."""

from collections.abc import Iterator

import pytest
from PIL import Image

from sysgraph.serving.pictures import data_url
from sysgraph.traces.pictures import Picture

from ..compiler.drawing.chromium import CHROMIUM, Page, chromium
from .serving import Gate, Served, served, system, until
from .test_chat import MANY

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
EVIL = "<img src=x onerror=document.body.dataset.pwned=1> é\u202e"
SPELLED = str.maketrans({"\u202e": r"\u202e"})


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


def opened(tab: Page, server: Served) -> str:
    address = f"http://127.0.0.1:{server.port}/"
    tab.requests.clear()
    tab.problems.clear()
    tab.open(address)
    return address


def shown(tab: Page, expression: str, wanted: str) -> None:
    """Waits until the page shows something."""
    until(lambda: wanted in str(tab.js(expression)))


STATUS, PROBLEM = "at('status').textContent", "at('problem').textContent"
VALUES = (
    "Object.fromEntries([...document.querySelectorAll('dt')]"
    ".map((dt) => [dt.textContent, dt.nextSibling.innerText]))"
)


def test_a_run_by_keyboard_shows_the_answer_and_every_value(tab: Page) -> None:
    gate = Gate()
    with served(system(gate=gate)) as server:
        address = opened(tab, server)
        shown(tab, "document.activeElement.id", "input-question")
        assert tab.js("document.title") == "pair · sysgraph"
        for letter in "wait":
            tab.press(letter)
        tab.call("Input.insertText", {"text": EVIL})
        for value in ("7", "2"):  # the seed, the number of answers
            tab.press("Tab")
            tab.js("document.activeElement.select()")
            tab.call("Input.insertText", {"text": value})
        tab.press("Tab")
        tab.press("Enter")
        until(gate.entered.is_set)
        shown(tab, f"{VALUES}['answer (output)']", "…")  # the draft is there, the answer not yet
        assert tab.js("document.querySelectorAll('.sg-node.there').length") == 1
        gate.opened.set()
        shown(tab, STATUS, "Answered, with seed 7.")
        wanted = system(gate=gate).sample({"question": f"wait{EVIL}"}, 2, seed=7)
        texts = "[...document.querySelectorAll('article .text')].map((one) => one.textContent)"
        assert tab.js(texts) == [str(trace["answer"]).translate(SPELLED) for trace in wanted]
        tab.js("at('which').value = 1; at('which').dispatchEvent(new Event('change'))")
        values = tab.js(VALUES)
        last = str(wanted[1]["answer"]).translate(SPELLED)
        assert values == {"draft": wanted[1]["draft"], "answer (output)": last}
        tab.js("document.querySelector('.sg-node[aria-label=\"Value of draft\"]').focus()")
        tab.press("Enter")
        assert tab.js("document.activeElement.id") == "value-draft"
        assert tab.js("document.body.dataset.pwned") is None
        assert tab.problems == []
        assert all(request.startswith((address, "data:")) for request in tab.requests)


def test_everything_has_a_name_and_fits_a_narrow_screen_in_both_themes(tab: Page) -> None:
    with served(system()) as server:
        opened(tab, server)
        shown(tab, "document.activeElement.id", "input-question")
        for dark in (False, True):
            tab.dark(dark)
            paper = tab.js("getComputedStyle(document.body).backgroundColor")
            assert paper == ("rgb(15, 20, 25)" if dark else "rgb(255, 255, 255)")
            assert tab.js("getComputedStyle(document.querySelector('.sg-paper')).fill") == paper
        size = {"width": 360, "height": 700, "deviceScaleFactor": 1, "mobile": False}
        tab.call("Emulation.setDeviceMetricsOverride", size)
        assert tab.js("document.documentElement.scrollWidth") == 360
        tab.call("Emulation.clearDeviceMetricsOverride")
        tree = tab.call("Accessibility.getFullAXTree")["nodes"]
        controls = {"textbox", "spinbutton", "button", "combobox", "region"}
        named = [
            node["name"]["value"]
            for node in tree
            if not node["ignored"] and node["role"]["value"] in controls
        ]
        assert {"question", "Seed", "Answers", "Run", "Stop", "Graph", "Value of draft"} <= {*named}
        assert all(named)
        assert tab.problems == []


def test_what_is_wrong_is_shown_and_a_run_can_be_stopped(tab: Page) -> None:
    gate = Gate()
    with served(system(gate=gate), key="secret") as server:
        opened(tab, server)
        shown(tab, PROBLEM, "this server needs its key")
        tab.js("at('key').value = 'secret'; form.requestSubmit()")
        shown(tab, STATUS, "Answered")
        assert tab.js(PROBLEM) == ""
        tab.js("at('input-question').value = 'fail'; form.requestSubmit()")
        shown(tab, PROBLEM, "the tool broke")
        tab.js("at('input-question').value = 'wait'; form.requestSubmit()")
        until(gate.entered.is_set)
        tab.click("#stop")
        shown(tab, STATUS, "Stopped.")
        gate.opened.set()
    tab.js("form.requestSubmit()")
    shown(tab, PROBLEM, "Failed to fetch")


def test_several_inputs_and_outputs_are_shown_apart(tab: Page) -> None:
    with served(system(MANY)) as server:
        opened(tab, server)
        shown(tab, "document.activeElement.id", "input-a")
        tab.js("at('input-talk').value = '[{]'; form.requestSubmit()")
        shown(tab, PROBLEM, "talk: this is no JSON")
        tab.js("at('input-talk').value = '[]'; form.requestSubmit()")
        shown(tab, STATUS, "Answered")
        cells = "[...document.querySelectorAll('article tr')].map((row) => row.textContent)"
        assert tab.js(cells) == ["b1", "dxy"]
        assert tab.problems == []


LOOK = """
name: look
models: {m: {kind: table, values: [seen]}}
nodes:
  question: {kind: input}
  photo: {kind: input, type: image}
  answer: {kind: lm, model: m, prompt: "{{ question }}"}
edges: [question -> answer]
outputs: [answer]
"""
CHOOSE = (
    "(async (url, name) => {{ const files = new DataTransfer();"
    " files.items.add(new File([Uint8Array.from(atob(url), (c) => c.charCodeAt(0))], name,"
    " {{type: '{type}'}})); at('input-photo').files = files.files; form.requestSubmit() }})"
    "('{content}', 'a')"
)


def test_an_image_is_the_file_that_is_chosen(tab: Page) -> None:
    png = data_url(Picture.of(Image.new("RGB", (3, 2), "red"))).partition(",")[2]
    with served(system(LOOK)) as server:
        opened(tab, server)
        shown(tab, "document.activeElement.id", "input-question")
        tab.js("form.requestSubmit()")
        shown(tab, PROBLEM, "photo: choose the file of an image")
        tab.js(CHOOSE.format(type="text/plain", content=png))
        shown(tab, PROBLEM, "photo: expected an image")
        tab.js(CHOOSE.format(type="image/png", content=png))
        shown(tab, STATUS, "Answered")
