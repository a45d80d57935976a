"""D: Diverse Beam Search beside transformers 4.55's, token by token the same.

Eight questions as a chat template writes them, padded side by side; one group a beam, as SysDPO
draws what is unobserved. The other transformers runs in a process of its own, and takes turns.
"""

from collections.abc import Iterator, Mapping

from transformers import AutoTokenizer

import sysgraph
from sysgraph import System
from sysgraph.engines import Search

from . import pairs
from .row import MismatchError, Options, Row, ratio
from .timing import interleaved, own
from .transformers4.group_beams import Settings
from .transformers4.process import Process

GOAL = 1.5
PENALTY = 10.0
"""As SysDPO has it."""
_AGAINST = "transformers 4.55.4 `generate(num_beam_groups=k)`"
Texts = list[list[tuple[int, ...]]]


def rows(options: Options) -> Iterator[Row]:
    count, new = (2, 8) if options.quick else (8, 64)
    asked = _Asked(options, count, new)
    with Process(folder=str(options.language_model), device=options.device) as other:
        for k in (2, 4):
            yield _row(options, asked, other, k)


class _Asked:
    """The same prompts for both sides.

    Args:
        count: of prompts.
        new: tokens of a text at most.
    """

    def __init__(self, options: Options, count: int, new: int) -> None:
        model = options.language_model
        self.new = new
        self.questions = [pair["prompt"] for pair in pairs.real(count)]
        if options.quick:  # bytes
            self.questions = [question[:20] for question in self.questions]
        tokenizer = AutoTokenizer.from_pretrained(model)
        self.contexts = [_chat(tokenizer, question) for question in self.questions]
        self.ids = [tokenizer(text)["input_ids"] for text in self.contexts]
        self.end = tokenizer.eos_token_id
        self.pad = len(tokenizer) - 1  # the last of the merges: as rare as any
        program = sysgraph.compile(sysgraph.load(_graph(str(model), new)))
        self.system = System(program, device=options.device)

    def settings(self, k: int) -> Settings:
        """What transformers is told."""
        return Settings(k, PENALTY, self.new, (self.end,), self.pad)

    def ours(self, k: int) -> Texts:
        """Each prompt's texts by sysgraph."""
        searches = [Search("lm", text, k, k, k, PENALTY) for text in self.contexts]
        return [[one.ids or () for one in found] for found in self.system.search(searches)]


def _row(options: Options, asked: _Asked, other: Process, k: int) -> Row:
    seconds: list[float] = []

    def theirs(number: int) -> Texts:
        took, found = other.ask("search", prompts=asked.ids, settings=asked.settings(k))
        seconds.append(took)
        return [[tuple(text) for text in texts] for texts in found]

    def check(number: int, found: Mapping[str, object]) -> None:
        if _sets(found["sysgraph"]) != _sets(found["transformers"]):
            raise MismatchError(f"k = {k}: the texts are not those of transformers")

    sides = {"sysgraph": lambda number: asked.ours(k), "transformers": theirs}
    times = interleaved(sides, options.repetitions, clock=own, check=check, tell=options.tell)
    times["transformers"] = seconds[1:]  # as its process measured
    written = sum(len(text) for texts in asked.ours(k) for text in texts)
    return Row(
        "D",
        f"Diverse Beam Search, {len(asked.ids)} prompts, k = {k}, {asked.new} tokens",
        _AGAINST,
        ratio(times["transformers"], times["sysgraph"]),
        GOAL,
        times=times,
        note=f"token-exact; {written} tokens of {asked.new * k * len(asked.ids)} were written",
    )


def _sets(found: object) -> list[set[tuple[int, ...]]]:
    """Each prompt's texts, whatever their order."""
    assert isinstance(found, list)
    return [set(texts) for texts in found]


def _chat(tokenizer: object, question: str) -> str:
    template = getattr(tokenizer, "chat_template", None)
    if template is None:
        return question
    turns = [{"role": "user", "content": question}]
    return str(
        tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)  # type: ignore[attr-defined]
    )


def _graph(model: str, new: int) -> str:
    return f"""
name: one
models:
  lm: {{kind: causal_lm, id: "{model}", train: frozen, max_new_tokens: {new}}}
nodes:
  prompt: {{kind: input}}
  answer: {{kind: lm, model: lm, prompt: "{{{{ prompt }}}}"}}
edges: [prompt -> answer]
outputs: [answer]
"""
