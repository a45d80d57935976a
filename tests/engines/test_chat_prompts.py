"""Prompts as the model sees them: what a template or a tokenizer does to them is right, or told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from sysgraph import Completion, InputError, Program, System
from sysgraph.engines import Request
from sysgraph.engines.causal_lm.detokenizer import decode
from sysgraph.engines.causal_lm.tokens import encode, encode_prompt
from sysgraph.engines.checkpoints.prompt_check import changed_turns, prompt_oddities
from sysgraph.support.progress import Reporter
from sysgraph.traces.prompt import ChatTurn

from .chat_templates import STYLES

SPECIAL = ["<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"]
TURNS = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
NO_SYSTEM = TURNS.replace("in messages", "in messages if m.role != 'system'")
PROMPT = "{% if add_generation_prompt %}<|assistant|>{% endif %}"
ASKED = (ChatTurn("system", "be short"), ChatTurn("user", "why?"))
ROLES = ("system", "user")


def tokenizer(
    template: str | None = None, *, before: str = "", after: str = "", eos: str = "</s>"
) -> PreTrainedTokenizerFast:
    """Bytes and special tokens; `before` and `after` are put around every text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_ = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_.decoder = decoders.ByteLevel()
    bytes_.add_special_tokens(SPECIAL)
    single = f"{before} $A {after}".strip()
    bytes_.post_processor = processors.TemplateProcessing(
        single=single, special_tokens=[(t, bytes_.token_to_id(t)) for t in SPECIAL]
    )
    made = PreTrainedTokenizerFast(tokenizer_object=bytes_, bos_token="<s>", eos_token=eos)
    made.chat_template = template
    return made


def texts(tokens: PreTrainedTokenizerFast, context: Any, text: str) -> tuple[str, str]:
    """Prompt and completion that are scored, as text."""
    found = encode(tokens, context, Completion(text), vocabulary=len(tokens))
    assert found.prompt == encode_prompt(tokens, context)
    return str(tokens.decode(list(found.prompt))), str(tokens.decode(list(found.completion)))


@pytest.mark.parametrize(
    ("context", "prompt"), [("why?", "<s>why?"), ("<s>why?", "<s>why?"), ("", "<s>")]
)
def test_a_prompt_begins_once_and_does_not_end(context: str, prompt: str) -> None:
    tokens = tokenizer(before="<s>", after="</s>")
    assert texts(tokens, context, " so</s>") == (prompt, " so</s>")
    assert texts(tokens, context, " so") == (prompt, " so</s>")


def test_a_template_and_a_prompt_begin_once() -> None:
    tokens = tokenizer("{{ bos_token }}" + TURNS + PROMPT)
    turns = (ChatTurn("user", "why?"),)
    begun = "<s><|user|>why?<|end|><|assistant|>"
    assert texts(tokens, turns, "so") == (begun, "so<|end|>")
    tokens = tokenizer("{{ bos_token }}{{ bos_token }}" + TURNS + PROMPT)
    assert texts(tokens, turns, "so") == (begun, "so<|end|>")


OPEN = "<|system|>be short<|end|><|user|>why?<|end|><|assistant|>"


@pytest.mark.parametrize(
    ("template", "text", "scored"),
    [
        (TURNS + PROMPT, "so", (OPEN, "so<|end|>")),
        (TURNS + PROMPT, "so<|end|>", (OPEN, "so<|end|>")),
        # The generation prompt opens a block that a finished turn does not have.
        (TURNS + PROMPT.replace("|>{%", "|><think>\n{%"), "so", (OPEN + "<think>\n", "so<|end|>")),
        # A finished turn has a block that the generation prompt does not open.
        (
            TURNS.replace("|>{{", "|>{{ '<think></think>' if m.role == 'assistant' }}{{") + PROMPT,
            "so",
            (OPEN, "so<|end|>"),
        ),
        # The template takes the thoughts out of a finished turn.
        (
            TURNS.replace("m.content", "m.content.split('</think>')[-1]") + PROMPT,
            "<think>hm</think>so",
            (OPEN, "<think>hm</think>so<|end|>"),
        ),
        # Space around contents is the template's.
        (TURNS.replace("m.content", "m.content | trim") + PROMPT, " so ", (OPEN, "so<|end|>")),
        (TURNS.replace("<|end|>", "<|end|>\n"), "so", None),
        # No end of its own, or one that is no token.
        (TURNS.replace("<|end|>", "") + PROMPT, "so", (OPEN.replace("<|end|>", ""), "so</s>")),
        (
            TURNS.replace("<|end|>", "##") + PROMPT,
            "so",
            (OPEN.replace("<|end|>", "##"), "so</s>"),
        ),
        # It takes no answers at all.
        (
            "{% for m in messages %}{{ raise_exception('no') if m.role == 'assistant' }}"
            "<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}" + PROMPT,
            "so",
            (OPEN, "so</s>"),
        ),
    ],
)
def test_a_text_is_scored_as_it_is_sampled(
    template: str, text: str, scored: tuple[str, str] | None
) -> None:
    found = texts(tokenizer(template), ASKED, text)
    if scored is None:  # no generation prompt: the turn's own beginning is not sampled over
        scored = (OPEN.replace("<|end|>", "<|end|>\n").removesuffix("<|assistant|>"), "so<|end|>")
    assert found == scored


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (TURNS + PROMPT, []),
        (
            TURNS.replace(
                "{% for m in messages %}", "{% for m in messages if m.role != 'system' %}"
            ),
            ["leaves out what the system message says"],
        ),
        (TURNS.replace("m.content", "'so'") + PROMPT, ["leaves out what every message says"]),
        (TURNS.replace("m.content", "m.content[0].text") + PROMPT, []),  # it is given parts
        ("{{ strftime_now('%Y') }}" + TURNS + PROMPT, ["prints the time"]),
        ("{{ ['a', 'b'] | random }}" + TURNS + PROMPT, ["draws at random"]),
        (TURNS.replace("<|end|>", "##") + PROMPT, ["ends a turn with '##', which is no special"]),
        (TURNS, ["begins a finished turn with '<|assistant|>'"]),
    ],
)
def test_what_is_odd_is_told(template: str, said: list[str]) -> None:
    found = list(prompt_oddities(tokenizer(template), ROLES, answers=True))
    if template == NO_SYSTEM:
        found = found[:1]  # it has no generation prompt either
    assert len(found) == len(said)
    assert all(part in odd for part, odd in zip(said, found, strict=True))


@pytest.mark.parametrize("style", [style for style in STYLES if style != "macros and filters"])
def test_published_styles_lose_nothing(style: str) -> None:
    tokens = tokenizer(STYLES[style])
    found = list(prompt_oddities(tokens, ROLES, answers=True))
    assert not any("leaves out" in odd or "differs" in odd for odd in found)
    assert changed_turns(tokens, ASKED) is None


def test_what_a_template_changes_in_one_row() -> None:
    tokens = tokenizer(TURNS.replace("m.content", "m.content.split('</think>')[-1]") + PROMPT)
    assert list(prompt_oddities(tokens, ("user", "assistant", "user"), answers=True)) == []
    turns = (
        ChatTurn("user", "a"),
        ChatTurn("assistant", "<think>b</think>c"),
        ChatTurn("user", ""),
    )
    assert changed_turns(tokens, turns) == (
        "the chat template changes what assistant (message 2) says"
    )


@pytest.fixture
def talker(tmp_path: Path) -> Callable[[PreTrainedTokenizerFast], Path]:
    """A checkpoint that says "b" or ends its turn with <|end|>, one as likely as the other."""

    def make(tokens: PreTrainedTokenizerFast) -> Path:
        sizes: dict[str, Any] = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1}
        config = LlamaConfig(vocab_size=len(tokens), num_hidden_layers=1, **sizes)
        config.tie_word_embeddings = False
        model = LlamaForCausalLM(config)
        said = [tokens.encode("b", add_special_tokens=False)[0], tokens.encode("<|end|>")[0]]
        bias = torch.full((len(tokens),), -30.0)
        bias[said] = 0.0
        with torch.no_grad():
            model.model.norm.weight.fill_(1)
            model.model.embed_tokens.weight.fill_(1)
            for layer in model.model.layers:
                layer.self_attn.o_proj.weight.zero_()
                layer.mlp.down_proj.weight.zero_()
            model.lm_head.weight.copy_(bias[:, None].expand(-1, 8) / 8)
        model.save_pretrained(tmp_path / "talker")
        tokens.save_pretrained(tmp_path / "talker")
        return tmp_path / "talker"

    return make


@pytest.mark.parametrize("eos", ["</s>", "<|end|>"])
def test_a_turn_ends_a_sample_whatever_the_end_of_texts_is(
    one_node: Callable[..., Program],
    talker: Callable[[PreTrainedTokenizerFast], Path],
    eos: str,
) -> None:
    tokens = tokenizer(TURNS + PROMPT, eos=eos)
    messages = [{"role": "user", "content": "{{ question }}"}]
    system = System(
        one_node(talker(tokens), messages=messages, max_new_tokens=8, dtype="float32"), device="cpu"
    )
    end = tokens.convert_tokens_to_ids("<|end|>")
    for trace in system.sample({"question": "why?"}, n=8):
        value = trace.values["answer"]
        assert isinstance(value, Completion)
        assert value.ids is not None
        assert value.text == "b" * len(value.text)
        ended = value.ids[-1] == end
        assert ended or len(value.ids) == 8
        assert value.ids.count(end) == ended
        # Of a text without ids, the end that it would be sampled with is scored.
        request = Request("ada", (ChatTurn("user", "why?"),), Completion("bb"))
        assert system.score([request]).item() == pytest.approx(3 * torch.tensor(0.5).log().item())


def test_an_end_that_is_no_special_token_is_not_part_of_the_text() -> None:
    tokens = tokenizer(TURNS.replace("<|end|>", "<turn>") + PROMPT)
    tokens.add_tokens(["<turn>"])
    ids = tokens.encode("so<turn>", add_special_tokens=False)
    assert decode(tokens, ids) == "so"


def test_a_warning_is_told_once_by_node(
    one_node: Callable[..., Program],
    talker: Callable[[PreTrainedTokenizerFast], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = {"role": "user", "content": "{{ question }}"}
    messages = [{"role": "system", "content": "hi"}, asked]
    system = System(
        one_node(talker(tokenizer(NO_SYSTEM + PROMPT)), messages=messages), device="cpu"
    )
    capsys.readouterr()
    reporter = Reporter()
    system.tell(reporter)
    system.tell(reporter)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: answer: model 'ada': its chat template leaves out what the")


def test_a_template_that_fails_names_the_node(
    one_node: Callable[..., Program], talker: Callable[[PreTrainedTokenizerFast], Path]
) -> None:
    messages = [{"role": "user", "content": "{{ question }}"}]
    program = one_node(talker(tokenizer("{{ 1 / 0 }}")), messages=messages)
    with pytest.raises(InputError, match=r"answer: model 'ada': .* template fails: .*by zero"):
        System(program, device="cpu")
