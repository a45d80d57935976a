"""Chat prompts made of lists, and of what an input gives, to the very tokens."""

import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

import sysgraph
from sysgraph import DataError, InputError, InsertedMessages, MessagesForEach, Program
from sysgraph.data import load_inputs, load_pairs, pair_row
from sysgraph.traces.course import context

from ..cli.test_run import here

GRAPH = """
name: talk
models:
  m: {{kind: table, values: [a, b]}}
  chat: {{kind: causal_lm, id: {folder}, max_new_tokens: 2}}
nodes:
  shots: {{kind: input, type: messages}}
  question: {{kind: input}}
  draft: {{kind: lm, for_each: {{n: [1, 2]}}, model: m, prompt: "{{{{ question }}}}"}}
  answer:
    kind: lm
    model: chat
    messages:
      - {{role: system, content: Judge.}}
      - {{insert: shots}}
      - for_each: {{d: draft}}
        messages:
          - {{role: user, content: "{{{{ d }}}} to {{{{ question }}}}?"}}
          - {{role: assistant, content: "{{{{ draft | length }}}} {{{{ d }}}}"}}
      - {{role: user, content: "{{{{ question }}}}"}}
edges:
  - question -> draft
  - shots, question, draft -> answer
outputs: [answer]
"""
SHOTS = [
    {"role": "user", "content": "{{ no template }}"},
    {"role": "assistant", "content": "yes"},
]
TURNS = [
    ("system", "Judge."),
    ("user", "{{ no template }}"),
    ("assistant", "yes"),
    ("user", "a to why?"),
    ("assistant", "2 a"),
    ("user", "b to why?"),
    ("assistant", "2 b"),
    ("user", "why"),
]
SIDE = {"draft": ["a", "b"], "answer": "x"}
ROW = {"inputs": {"question": "why", "shots": SHOTS}, "chosen": SIDE, "rejected": SIDE}


@pytest.fixture
def text(chat_folder: Path) -> str:
    return GRAPH.format(folder=chat_folder)


@pytest.fixture
def program(text: str) -> Program:
    return sysgraph.compile(sysgraph.load(text))


def test_a_prompt(program: Program, tmp_path: Path) -> None:
    (pair,) = load_pairs(program, [ROW])
    assert context(program.variable("answer"), pair.chosen) == tuple(TURNS)
    row = pair_row(program, pair, tmp_path)
    assert row["inputs"] == ROW["inputs"]
    assert load_pairs(program, [row])[0].chosen.inputs == pair.chosen.inputs


def test_in_python(program: Program, chat_folder: Path) -> None:
    nodes = dict(sysgraph.load(GRAPH.format(folder=chat_folder)).nodes)
    user, assistant = program.variable("answer").messages[2].messages  # type: ignore[index,union-attr]
    parts = [
        sysgraph.Message(role="system", content="Judge."),
        InsertedMessages(insert="shots"),
        MessagesForEach(for_each={"d": "draft"}, messages=[user, assistant]),
        sysgraph.Message(role="user", content="{{ question }}"),
    ]
    assert nodes["answer"] == sysgraph.LMNode(model="chat", messages=parts)


@pytest.mark.parametrize(
    ("shots", "why"),
    [
        ("hello", "expected messages, .* got a text"),
        ({"role": "user"}, "expected messages, .* got no list"),
        ([{"role": "user"}], "message 1: expected"),
        ([*SHOTS, {"role": "judge", "content": "x"}], "message 3: the role is 'judge', not system"),
        ([{"role": "user", "content": None}], "message 1: its content is no text"),
    ],
)
def test_no_messages(program: Program, shots: object, why: str) -> None:
    with pytest.raises(DataError, match=f"shots: {why}"):
        load_inputs(program, [{"question": "why", "shots": shots}])


def test_a_talk_so_far() -> None:
    """TRL's prompts of several turns."""
    program = sysgraph.compile(
        sysgraph.load(
            "name: x\nmodels: {m: {kind: table, values: [a, b]}}\nnodes:\n"
            "  talk: {kind: input, type: messages}\n"
            "  answer: {kind: lm, model: m, messages: [{insert: talk}]}\n"
            "edges: [talk -> answer]\noutputs: [answer]\n"
        )
    )
    sides = [[{"role": "assistant", "content": text}] for text in "ab"]
    rows = [{"prompt": SHOTS, "chosen": sides[0], "rejected": sides[1]}]
    (pair,) = load_pairs(program, rows)
    asked = context(program.variable("answer"), pair.chosen)
    assert [turn._asdict() for turn in asked] == SHOTS  # type: ignore[union-attr]


def test_shown(
    text: str,
    chat_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    graph = tmp_path / "talk.yaml"
    graph.write_text(text)
    given = ["run", str(graph), "--input", "question=why", "--input", f"shots={json.dumps(SHOTS)}"]
    done = here([*given, "--show-prompts", "--format", "json"], monkeypatch, capsys)
    row = json.loads(done.out)
    assert row["inputs"]["shots"] == SHOTS
    assert row["prompts"]["draft[1]"] == "why"
    turns = [{"role": role, "content": content} for role, content in TURNS]
    for turn, draft in zip(turns[3:7], [d for d in row["draft"] for _ in "ab"], strict=True):
        turn["content"] = (
            turn["content"].replace("a to", f"{draft} to").replace("b to", f"{draft} to")
        )
        if turn["role"] == "assistant":
            turn["content"] = f"2 {draft}"
    tokenizer = AutoTokenizer.from_pretrained(chat_folder)
    wanted = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert row["prompts"]["answer"] == wanted
    said = here([*given, "--show-prompts"], monkeypatch, capsys).out
    assert "draft[1] was asked:\n    why\n" in said
    refused = here(
        ["run", str(graph), "--inputs", "x", "-o", "y", "--show-prompts"], monkeypatch, capsys
    )
    assert refused.code == 2
    with pytest.raises(InputError, match="input 'shots': expected messages"):
        sysgraph.System(sysgraph.compile(sysgraph.load(text))).sample(
            {"question": "", "shots": "x"}
        )
