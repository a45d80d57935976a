"""A checkpoint's chat template: the text that transformers gives, within bounds, never a hang."""

from datetime import datetime
from time import process_time

import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from sysgraph.engines.checkpoints.chat import chat_text
from sysgraph.support.errors import InputError
from sysgraph.traces.prompt import ChatTurn

from .chat_templates import STYLES

CHATS = {
    "a question": (ChatTurn("user", "What is it?"),),
    "a system turn": (ChatTurn("system", ' be "short" '), ChatTurn("user", "Ünï\n code {{ x }}")),
    "several turns": (
        ChatTurn("user", "a b\nc"),
        ChatTurn("assistant", "<think>\nhm\n</think>\n\nyes"),
        ChatTurn("user", ""),
    ),
    "an answer": (ChatTurn("user", "a"), ChatTurn("assistant", "<think>so</think> 4 ")),
}


def tokenizer(template: str | dict[str, str]) -> PreTrainedTokenizerFast:
    bare = Tokenizer(models.WordLevel({"a": 0}))
    made = PreTrainedTokenizerFast(tokenizer_object=bare, bos_token="<s>", eos_token="</s>")
    made.chat_template = template
    return made


@pytest.mark.parametrize("chat", CHATS)
@pytest.mark.parametrize("style", STYLES)
def test_the_text_is_transformers_own(style: str, chat: str) -> None:
    tokens = tokenizer(STYLES[style])
    for prompt in (False, True):
        messages = [turn._asdict() for turn in CHATS[chat]]
        theirs = tokens.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)
        assert chat_text(tokens, CHATS[chat], add_generation_prompt=prompt) == theirs


def test_named_templates_are_read_by_default() -> None:
    turns = CHATS["a question"]
    several = {"default": "d {{ messages[0].content }}", "rag": "r"}
    assert chat_text(tokenizer(several), turns) == "d What is it?"
    with pytest.raises(InputError, match="chat templates rag, tool_use and none named `default`"):
        chat_text(tokenizer({"tool_use": "t", "rag": "r"}), turns)


HOSTILE = {
    "half a character": r"{{ '\ud800' ~ messages[0].content }}",
    "a long range": "{% for i in range(10**12) %}{% endfor %}",
    "loops in loops": "{% for i in range(99999) %}" * 2 + "{% endfor %}" * 2,
    "a loop over itself": "{% for m in range(99999) recursive %}{{ loop(range(99)) }}{% endfor %}",
    "a huge constant": "{{ 'x' * 10**9 }}",
    "a huge list": "{{ ([0] * 10**9) | length }}",
    "a huge number": "{{ 9 ** (9 ** 9) }}",
    "squares": "{% set ns = namespace(x=9**99) %}{% for i in range(60) %}"
    "{% set ns.x = ns.x * ns.x %}{% endfor %}",
    "a width": "{{ '%999999999d' % 1 }}",
    "a width from a value": "{{ '%*d' % (999999999, 1) }}",
    "a width of format": "{{ '{:999999999}'.format(1) }}",
    "a nested width": "{{ '{:{w}}'.format(1, w='999999999') }}",
    "padding": "{{ 'x'.ljust(10**9) }}",
    "a center": "{{ 'x' | center(10**9) }}",
    "an indentation": "{{ ('a\n' * 1000) | indent(10**7) }}",
    "doubling": "{% set ns = namespace(x='ab') %}{% for i in range(99) %}"
    "{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "doubling by a block": "{% set x0 = 'ab' %}"
    + "".join(f"{{% set x{i + 1} %}}{{{{ x{i} }}}}{{{{ x{i} }}}}{{% endset %}}" for i in range(40)),
    "doubling by a macro": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}"
    "{% endmacro %}{{ f(60) }}",
    "doubling by ~": "{% set ns = namespace(x='ab') %}{% for i in range(99) %}"
    "{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "replacing": "{{ ('a' * 3000).replace('', 'b' * 3000) }}",
    "joining": "{{ ('a' * 3000).join(['b'] * 3000) }}",
    "joining what is mapped": "{{ range(99999) | map('string') | join('x' * 9999) }}",
    "quotes in quotes": "{{ messages" + " | tojson" * 40 + " }}",
    "indented JSON": "{{ [[1] * 1000] | tojson(indent=10**6) }}",
    "shared lists": "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}"
    "{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
    "lists that are compared": "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}"
    "{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
    "tuples in tuples": "{% set ns = namespace(x=()) %}{% for i in range(99999) %}"
    "{% set ns.x = (ns.x,) %}{% endfor %}{{ {ns.x: 1} | length }}",
    "words without end": "{{ lipsum(n=10**6) }}",
    "many parts": "{{ messages | batch(2, 0) | list }}{{ 'abc' | slice(10**9) | list }}",
    "a long template": "{{ 1 }}" * 30_000,
    "deep brackets": "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
    "a long elif": "{% if 0 %}" + "{% elif 0 %}" * 9_000 + "{% endif %}",
    "dunders": "{{ ''.__class__.__mro__ }}",
    "an import": "{% import 'os' as os %}",
    "a file": "{% include '/etc/passwd' %}",
    "a type error": "{{ 1 + 'a' }}",
    "a division": "{{ 1 / 0 }}",
    "an index": "{{ messages[9].content.x.y }}",
    "a broken tag": "{% for %}",
    "itself": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "a list that grows": "{{ messages.append(1) }}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_is_a_sentence(name: str) -> None:
    started = process_time()
    with pytest.raises(InputError, match="chat template") as caught:
        chat_text(tokenizer(HOSTILE[name]), CHATS["a question"])
    assert process_time() - started < 8  # of the CPU: most take no time
    assert len(str(caught.value)) < 700


def test_long_messages_are_no_attack() -> None:
    turns = tuple(
        ChatTurn("user" if i % 2 == 0 else "assistant", "a b " * 5_000) for i in range(41)
    )
    for style in ("chatml", "llama 2", "llama 3", "gemma", "qwen 3"):
        assert len(chat_text(tokenizer(STYLES[style]), turns)) > 800_000


def test_the_clock_stands_still() -> None:
    tokens = tokenizer("{{ strftime_now('%d %B %Y %H:%M:%S.%f') }}")
    first = chat_text(tokens, CHATS["a question"])
    assert datetime.strptime(first, "%d %B %Y %H:%M:%S.%f").date() <= datetime.now().date()
    assert chat_text(tokens, CHATS["a question"]) == first
