"""`retrieve`, `search` and `browse` over files: what they find, and what they refuse."""

import json
import math
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast

import sysgraph
from sysgraph import InputError, ToolError
from sysgraph.toolkit.browse import Browse
from sysgraph.toolkit.html_text import page_of
from sysgraph.toolkit.retrieve import Retrieve
from sysgraph.toolkit.search import Search
from sysgraph.tools import toolbox_of
from sysgraph.tools.files import inside

TEXTS = [
    "The auk swims.",
    "A lynx is a cat; a cat is no dog.",
    "The otter swims in the river, and the auk swims.",
    "Basalt",
    "über Straße 3",
]


def corpus(folder: Path, texts: list[str] = TEXTS) -> Path:
    file = folder / "docs.jsonl"
    rows = [json.dumps({"id": i, "text": text}) for i, text in enumerate(texts)]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


def lucene(query: str, texts: list[str]) -> list[float]:
    """BM25 as Robertson & Zaragoza (2009) have it, with Lucene's inverse document frequency."""
    bags = [Counter("".join(c if c.isalnum() else " " for c in t.lower()).split()) for t in texts]
    mean = sum(bag.total() for bag in bags) / len(bags)
    scores = [0.0] * len(texts)
    for word in query.lower().split():
        count = sum(word in bag for bag in bags)
        idf = math.log(1 + (len(bags) - count + 0.5) / (count + 0.5))
        for i, bag in enumerate(bags):
            norm = 1.5 * (1 - 0.75 + 0.75 * bag.total() / mean)
            scores[i] += idf * bag[word] / (bag[word] + norm)
    return scores


def test_bm25_ranks_as_its_formula_does(tmp_path: Path) -> None:
    retrieve = Retrieve()
    retrieve.open(corpus(tmp_path), top_k=2)
    queries = ["auk swims", "a cat in the river", "STRASSE straße 3", "the the the", "zebra", " ?!"]
    for query, found in zip(queries, retrieve.call(queries), strict=True):
        scores = lucene(query, TEXTS)
        best = sorted((i for i in range(5) if scores[i] > 0), key=lambda i: -scores[i])
        assert found == [TEXTS[i] for i in best[:2]]


def test_an_embedder_ranks_by_the_mean_of_its_states(tmp_path: Path) -> None:
    words = sorted({word for text in TEXTS for word in text.lower().split()})
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    own = Tokenizer(
        models.WordLevel({w: i for i, w in enumerate(["[UNK]", "[PAD]", *words])}, "[UNK]")
    )
    own.normalizer, own.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.WhitespaceSplit()
    folder = tmp_path / "embedder"
    PreTrainedTokenizerFast(
        tokenizer_object=own, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(vocab_size=len(words) + 2, intermediate_size=16, pad_token_id=1, **size)
    model = BertModel(config).eval()
    model.save_pretrained(folder)
    retrieve = Retrieve()
    retrieve.open(corpus(tmp_path), top_k=5, embedder=folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():  # each text alone, without padding
        vectors = [
            model(**tokenizer(t, return_tensors="pt")).last_hidden_state[0].mean(0) for t in TEXTS
        ]
    for query in TEXTS:
        own_vector = vectors[TEXTS.index(query)]
        alike = [torch.cosine_similarity(own_vector, v, dim=0).item() for v in vectors]
        order = sorted(range(5), key=lambda i: -alike[i])
        assert retrieve.call([query]) == [[TEXTS[i] for i in order]]
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="cannot load the embedder"):
        retrieve.open(corpus(tmp_path), embedder=folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no lines"),
        (b'{"text": "a"}\n\n[1]\n{"text": 3}\n', 'docs.jsonl:3: expected {"id": "...", "text"'),
        (b'{"id": 1, "text": "a"}\n{"id": "1", "text": "b"}\n', ":2: the id '1' is that of line 1"),
        (b'{"text": "' + b"x" * (1 << 20) + b'"}', ":1: 1,048,588 bytes in one line"),
        (b"\x89PNG\r\n\x1a\n\x00", ":1: no UTF-8 text: byte 1"),
        (b'{"text": "\\ud800"}', ":1: half of a character"),
        (b'{"text": " "}', ":1: its text is empty"),
        (b"[" * 100_000, ":1: no JSON"),
    ],
)
def test_a_corpus_that_is_none(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "docs.jsonl").write_bytes(content)
    with pytest.raises(InputError) as caught:
        Retrieve().open(tmp_path / "docs.jsonl")
    assert said in str(caught.value)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "birds").mkdir(parents=True)
    (folder / "birds" / "auk.html").write_text(
        "<html><head><title>The  auk</title><style>p {}</style></head><body>"
        "<script>swims()</script><h1>Auks</h1><p>They &amp; <i>they</i>\n swim.<td>far</td>"
    )
    (folder / "rock.md").write_text("# Basalt\n" + "grey " * 50 + "rock\n")
    (folder / ".hidden.html").write_text("secret")
    (folder / "data.bin").write_bytes(b"\0")
    return folder


def test_pages_are_searched_and_read(site: Path) -> None:
    search, browse = Search(), Browse()
    search.open(site, top_k=2)
    browse.open(site, length=30)
    assert search.call(["auks", "rock", "secret"]) == [
        ["birds/auk.html (The auk): Auks They & they swim. far"],
        ["rock.md: ... " + "grey " * 10 + "rock"],
        [],
    ]
    assert browse.call("birds/auk.html") == "The auk\nAuks\nThey & they swim."
    assert browse.call(" /rock.md ") == "# Basalt\n" + "grey " * 4 + "g"
    for page in ("../site/rock.md", "birds/../rock.md", ".hidden.html", "data.bin", "rock.m"):
        with pytest.raises(ToolError, match="there is no page"):
            browse.call(page)
    with pytest.raises(ToolError, match="--allow-network"):
        browse.call("http://auk.example/")


def test_a_page_is_read_in_one_go() -> None:
    """With `html.parser`, the first would take an hour."""
    assert page_of("a" + "<!--" * 250_000).text == "a"
    assert page_of("a" + "<svg>" * 100_000 + "</head>" * 100_000 + "b").text == "a"
    assert page_of("<style>" * 100_000).text == ""
    assert page_of("1 < 2 <3 & 4 &lt; 5<BR>6<script>'</scripty>'</SCRIPT>7").text == (
        "1 < 2 <3 & 4 < 5\n67"
    )


@pytest.mark.parametrize(
    "path", ["../out", "/etc/passwd", "~/x", "a/../../out", "link", "in/link", ""]
)
def test_a_path_does_not_lead_out_of_the_graphs_folder(path: str, tmp_path: Path) -> None:
    folder = tmp_path / "graph"
    (folder / "in").mkdir(parents=True)
    (tmp_path / "out").write_text("x")
    (folder / "link").symlink_to(tmp_path / "out")
    (folder / "in" / "link").symlink_to("../../out")
    (folder / "in" / "good").symlink_to("../file")
    (folder / "file").write_text("x")
    assert inside(folder, "in/good") == folder / "file"
    with pytest.raises(InputError, match=r"leads out of|no path"):
        inside(folder, path)


def through(change: Callable[[Path], Any], site: Path) -> None:
    """Opens a graph's `search` over a changed folder of pages."""
    change(site)
    file = site.parent / "g.yaml"
    file.write_text(
        "name: g\nmodels: {m: {kind: table, values: [x]}}\nnodes:\n  q: {kind: input}\n"
        "  s: {kind: tool, tool: search, args: {query: q}, returns: list,\n"
        '      settings: {pages: site}}\n  a: {kind: lm, model: m, prompt: "{{ s | join }}"}\n'
        "edges: [q -> s, s -> a]\noutputs: [a]\n"
    )
    program = sysgraph.compile(sysgraph.load(file), tools={"search": Search})
    toolbox_of(program)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda site: (site / "p.html").symlink_to("/etc/passwd"), "a link that leads out of"),
        (lambda site: (site / "etc").symlink_to("/etc"), "a link that leads out of"),
        (lambda site: (site / "p.html").write_bytes(b"\xff"), "no UTF-8 text"),
        (lambda site: (site / "p.txt").write_bytes(b" " * (3 << 20)), "expected at most 2,097,152"),
        (lambda site: site.rename(site.with_name("else")), "there is no 'site' in"),
        (lambda site: [(site / n).unlink() for n in ("rock.md", "birds/auk.html")], "no pages"),
    ],
)
def test_a_folder_of_pages_that_is_refused(
    change: Callable[[Path], Any], said: str, site: Path
) -> None:
    with pytest.raises(InputError, match=rf"tool 'search' \(node s\).*{said}"):
        through(change, site)


def test_what_is_no_file_is_not_waited_for(site: Path) -> None:
    through(lambda site: os.mkfifo(site / "p.html"), site)
