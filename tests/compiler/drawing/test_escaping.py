"""Nothing that a graph says gets out of the drawing's texts, in any format."""

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

from sysgraph_compiler.drawing import render

from .parsed import SVG
from .samples import EVIL, LONG, program


def test_svg_holds_no_script_and_no_reference() -> None:
    text = render(program("hostile"), ".svg").decode()
    root = ET.fromstring(text)
    kinds = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert kinds <= {"svg", "title", "desc", "style", "rect", "g", "path", "circle", "text"}
    names = {name for element in root.iter() for name in element.attrib}
    assert not any(name.startswith("on") or "href" in name for name in names)
    assert "url(" not in text
    assert "\u202e" not in text
    assert root.findtext(f"{SVG}title") == "hostile"
    assert "<img src=x onerror=alert(1)>" in (root.findtext(f"{SVG}desc") or "")
    assert any(
        "… " not in (t.text or "") and "…" in (t.text or "") for t in root.iter(f"{SVG}text")
    )


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[dict[str, str | None]] = []
        self.data = ""
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes |= {name for name, _ in attrs}
        if tag == "script":
            self.scripts.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        if len(self.scripts) == 1:
            self.data += data


def test_html_holds_the_whole_texts_and_no_other_script() -> None:
    parser = _Tags()
    parser.feed(render(program("hostile"), ".html").decode())
    assert parser.scripts == [{"type": "application/json", "id": "data"}, {}]
    assert not parser.attributes & {"src", "href", "onload", "onerror", "onclick", "action"}
    nodes = {n["name"]: n for n in json.JSONDecoder().raw_decode(parser.data)[0]["nodes"]}
    assert nodes[LONG]["prompt"] == f"{EVIL} {{{{ question }}}}"
    assert nodes["style"]["parser"].startswith("graph (regex")


def test_mermaid_labels_hold_nothing_that_mermaid_reads() -> None:
    text = render(program("hostile"), ".mmd").decode()
    labels = re.findall(r'"(.*)"[\])]+$', text, re.MULTILINE)
    assert len(labels) == 4
    for label in labels:
        plain = re.sub(r"#\d+;|<br/>", "", label)
        assert not re.search(r"""["'`<>&#;%{}$\\]""", plain)
    assert any("#60;svg onload=alert(1)#62;" in label for label in labels)
    assert "click" not in text


def test_dot_strings_are_closed() -> None:
    text = render(program("hostile"), ".dot").decode()
    without = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    assert "svg" not in without
    assert without.count('"') % 2 == 0
