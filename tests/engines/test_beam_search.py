"""`search` of the engines: the texts that a caller is given for prompts as a graph has them."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

import sysgraph
from sysgraph import InputError, Program, System
from sysgraph.engines import Search
from sysgraph.engines.causal_lm import engine
from sysgraph.engines.causal_lm.beam import beam_search
from sysgraph.engines.causal_lm.beam_settings import BeamSettings
from sysgraph.engines.picking import pick
from sysgraph.support.errors import RunError

MakeProgram = Callable[..., Program]

PROMPTS = ["How many clips did she sell?", "Q", "She sold 48 clips in April, half in May."]
PUBLISHED = {"k": 2, "beams": 2, "groups": 2, "diversity_penalty": 10.0}


def direct(folder: Path, prompt: str, room: int, beams: int, groups: int, penalty: float) -> list:
    """The raw search's texts of one prompt under the checkpoint."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    (found,) = beam_search(
        AutoModelForCausalLM.from_pretrained(folder).eval(),
        [tuple(tokenizer.encode(prompt))],
        BeamSettings(
            beams=beams,
            groups=groups,
            diversity_penalty=penalty,
            max_new_tokens=room,
            pad=None,
            ends=[tokenizer.eos_token_id],
        ),
    )
    return found


# ---- causal_lm


def test_one_text_per_group_in_the_order_of_groups(
    one_node: MakeProgram, plain_folder: Path
) -> None:
    system = System(one_node(plain_folder, max_new_tokens=7), device="cpu")
    tokenizer = AutoTokenizer.from_pretrained(plain_folder)
    results = system.search([Search("ada", p, **PUBLISHED) for p in PROMPTS])
    for prompt, texts in zip(PROMPTS, results, strict=True):
        found = {t.group: t.ids for t in direct(plain_folder, prompt, 7, 2, 2, 10.0)}
        assert [text.ids for text in texts] == [found[0], found[1]]
        assert texts[0].ids[0] != texts[1].ids[0]
        assert [t.text for t in texts] == [
            tokenizer.decode(t.ids, skip_special_tokens=True) for t in texts
        ]


def test_searches_of_all_kinds_beside_each_other(
    one_node: MakeProgram, plain_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = System(one_node(plain_folder, max_new_tokens=5), device="cpu")
    settings = [(1, 1, 1, 0.0), (2, 4, 2, 1.0), (4, 4, 2, 1.0), (3, 4, 1, 0.0), (1, 4, 2, 1.0)]
    searches = [Search("ada", p, *s) for p, s in itertools.product([*PROMPTS, "Q"], settings)]
    wanted = [system.search([search])[0] for search in searches]
    assert system.search(searches) == wanted
    assert system.search(searches[::-1]) == wanted[::-1]
    monkeypatch.setattr(engine, "_TOKENS_PER_GENERATE", 1)
    assert system.search(searches) == wanted
    for search, texts in zip(searches, wanted, strict=True):
        assert len(texts) == len(set(texts)) == search.k
        found = direct(
            plain_folder,
            str(search.context),
            5,
            search.beams,
            search.groups,
            search.diversity_penalty,
        )
        if search.k == search.groups > 1:
            best = [next(t.ids for t in found if t.group == g) for g in range(search.groups)]
        else:
            best = [t.ids for t in found]
        assert [t.ids for t in texts] == list(dict.fromkeys(best))[: search.k]


def test_equal_prompts_run_once_whatever_their_k(one_node: MakeProgram, plain_folder: Path) -> None:
    system = System(one_node(plain_folder, max_new_tokens=3), device="cpu")
    module, rows = system._engines["ada"]._weights["ada"].module(reference=False), []
    module.register_forward_pre_hook(
        lambda _, __, inputs: rows.append(len(inputs["input_ids"])), with_kwargs=True
    )
    one, two, again = system.search([Search("ada", "Q", k, 2) for k in (1, 2, 1)])
    assert rows == [1, 2, 2]
    assert one == again == two[:1]


def test_searches_under_the_trained_policy(
    one_node: MakeProgram, plain_folder: Path, jitter: Callable[[System, float], None]
) -> None:
    """The best of many beams is what the policy, and not the reference, finds likeliest."""
    system = System(one_node(plain_folder, max_new_tokens=1), device="cpu")
    before = system.search([Search("ada", p, 1, 1) for p in PROMPTS])
    jitter(system, 0.3)
    after = system.search([Search("ada", p, 5, 5) for p in PROMPTS])
    assert [a[0] for a in after] != [b[0] for b in before]
    for prompt, texts in zip(PROMPTS, after, strict=True):
        flat = [sysgraph.engines.Request("ada", prompt, text) for text in texts]
        policy = system.score(flat).tolist()  # of texts of one token, the very scores
        assert policy == sorted(policy, reverse=True)


def test_temperature_and_top_p_play_no_part(one_node: MakeProgram, plain_folder: Path) -> None:
    searches = [Search("ada", p, **PUBLISHED) for p in PROMPTS]
    plain, warm = (
        System(one_node(plain_folder, max_new_tokens=6, **settings), device="cpu")
        for settings in ({}, {"temperature": 3.0, "top_p": 0.1})
    )
    assert plain.search(searches) == warm.search(searches)


def test_ends_as_sampling_does(one_node: MakeProgram, chat_folder: Path, tmp_path: Path) -> None:
    """At any end token, which is kept; a stopped group does not make others' ends dear.

    The pad token is one of the ends: with transformers' rule every later step of group 2 would pay
    for it.
    """
    module = AutoModelForCausalLM.from_pretrained(chat_folder)
    tokenizer = AutoTokenizer.from_pretrained(chat_folder)
    ends = tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    with torch.no_grad():
        module.model.embed_tokens.weight *= 0.1
    module.resize_token_embeddings(len(tokenizer))
    module.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=ends[1])
    module.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    system = System(one_node(tmp_path, max_new_tokens=40), device="cpu")
    prompts = [f"{n} clips" for n in range(12)]
    results = system.search([Search("ada", p, 12, 12, 4, 0.5) for p in prompts])
    last = set()
    for text in itertools.chain(*results):
        assert text.ids
        assert not set(text.ids[:-1]) & set(ends)
        assert text.ids[-1] in ends or len(text.ids) == 40
        last.add(text.ids[-1])
    assert last & set(ends)
    encoded = [tuple(tokenizer.encode(prompt)) for prompt in prompts]
    free, charged = (
        beam_search(
            module.eval(),
            encoded,
            BeamSettings(
                beams=12,
                groups=4,
                diversity_penalty=0.5,
                max_new_tokens=40,
                pad=pad,
                ends=ends,
            ),
        )
        for pad in (None, ends[1])
    )
    given = [{text.ids for text in texts} for texts in results]
    assert given == [{text.ids for text in texts} for texts in free]
    assert given != [{text.ids for text in texts} for texts in charged]


def test_a_prompt_that_leaves_no_room(one_node: MakeProgram, chat_folder: Path) -> None:
    system = System(one_node(chat_folder, max_new_tokens=1000), device="cpu")
    with pytest.raises(InputError, match=r"max_new_tokens 1000 do not fit the window of 1024"):
        system.search([Search("ada", "Q", 1, 1), Search("ada", "clips " * 30, **PUBLISHED)])


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_logits_that_are_not_finite(one_node: MakeProgram, plain_folder: Path, bad: float) -> None:
    system = System(one_node(plain_folder, max_new_tokens=4), device="cpu")
    module = system._engines["ada"]._weights["ada"].resident.base
    calls = itertools.count()

    def spoil(_: object, __: object, logits: torch.Tensor) -> None:
        if next(calls) == 2:
            logits[..., 3] = bad

    module.lm_head.register_forward_hook(spoil)
    said = r"model 'ada': its logits are NaN or \+infinite at token 3"
    with pytest.raises(RunError, match=said):
        system.search([Search("ada", "Q", **PUBLISHED)])


# ---- table


def table(probabilities: list[float]) -> System:
    values = [chr(97 + i) for i in range(len(probabilities))]
    graph = {
        "sysgraph": 1,
        "name": "test",
        "models": {"t": {"kind": "table", "values": values, "probs": [probabilities]}},
        "nodes": {
            "question": {"kind": "input"},
            "answer": {"kind": "lm", "model": "t", "prompt": "{{ question }}"},
        },
        "edges": ["question -> answer"],
        "outputs": ["answer"],
    }
    return System(sysgraph.compile(sysgraph.load(json.dumps(graph))), device="cpu")


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ((3, 3), "cad"),  # the likeliest
        ((9, 9), "cadb"),  # e has probability 0
        ((1, 4), "c"),
        ((2, 2, 2, 10.0), "ca"),  # one per group
        ((3, 3, 3, 0.1), "c"),  # 0.5 * exp(-0.2) is above 0.3 still: all agree
        ((3, 3, 3, 0.3), "ca"),  # c, then c (0.37 > 0.3), then a (0.27 < 0.3)
        ((4, 4, 4, 0.6), "ca"),  # c a c a: 0.15 is reached by neither
        ((2, 4, 2, 10.0), "cd"),  # c and a; d and b
        ((4, 4, 2, 10.0), "cadb"),
        ((3, 4, 2, 10.0), "cad"),
    ],
)
def test_a_table_is_searched_as_texts_of_one_token(
    settings: tuple[int, int, int, float], wanted: str
) -> None:
    (texts,) = table([0.3, 0.05, 0.5, 0.15, 0.0]).search([Search("t", "x", *settings)])
    assert "".join(text.text for text in texts) == wanted


# ---- settings and picking


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ((0, 2), "k is 0; with 2 beams it can be 1 to 2"),
        ((3, 2), "k is 3; with 2 beams it can be 1 to 2"),
        ((1, 4, 3), "4 beams in 3 groups: each group needs the same number"),
        ((1, 4, 0), "4 beams in 0 groups"),
        ((2, 2, 2, -1.0), "the diversity penalty is -1.0"),
        ((2, 2, 2, float("nan")), "the diversity penalty is nan"),
    ],
)
def test_settings_of_no_search(settings: tuple[int, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Search("ada", "Q", *settings)


def test_picking_skips_texts_already_picked() -> None:
    groups = [[("a", -1.0), ("b", -4.0)], [("a", -2.0), ("c", -3.0)], [("a", -5.0)]]
    assert pick(groups, 3) == ["a", "c"]
    assert pick(groups, 2) == ["a", "c"]
    assert pick(groups, 4) == ["a", "c", "b"]
