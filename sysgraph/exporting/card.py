"""What an export says of itself: a card for the system, and one for each trained model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from sysgraph_schemas import Graph

from ..reports.facts import Facts
from ..traces.trace import input_names
from .part import Part

_TAGS = ["sysgraph", "sysdpo", "preference-learning"]
_PAPER = "[SysDPO](https://arxiv.org/abs/2502.17721)"


@dataclass(frozen=True)
class Card:
    """A card: what it says to the Hub, and to people.

    Attributes:
        folder: that it is of, from the export's.
    """

    folder: str
    data: ModelCardData
    text: str

    def write(self, root: Path) -> None:
        """Writes it into the export in `root`, as the Hub reads it."""
        card = ModelCard(f"---\n{self.data}\n---\n\n{self.text}", ignore_metadata_errors=False)
        (root / self.folder / "README.md").write_text(f"{card}\n", encoding="utf-8")

    @classmethod
    def of_system(
        cls, facts: Facts, graph: Graph, parts: Sequence[Part], serving: Sequence[str]
    ) -> "Card":
        """Of the whole system."""
        hub = sorted({p.place.hub for p in parts if p.place is not None and p.place.hub})
        data = ModelCardData(base_model=hub or None, library_name="sysgraph", tags=[*_TAGS])
        sections = [
            f"# {graph.name}",
            graph.description,
            "![The system](graph.svg)",
            f"Trained together from preferences over the system's outputs ({_PAPER}), by sysgraph.",
            "\n".join(_table(parts)),
            *_running(facts),
            *_serving(serving),
            *_measured(facts),
            *_bases(parts),
        ]
        return cls(".", data, "\n\n".join(filter(None, sections)))

    @classmethod
    def of_part(cls, facts: Facts, part: Part) -> "Card":
        """Of a trained model."""
        assert part.folder is not None
        up = "/".join([".."] * len(Path(part.folder).parts))
        tags = [*_TAGS, "lora"] if part.adapter else [*_TAGS]
        hub = part.place.hub if part.place is not None else None
        about: dict[str, Any] = {"base_model": hub} if hub else {}
        task = part.task
        if task == "text-to-image" and _edits(facts, part):
            task = "image-to-image"
        data = ModelCardData(library_name=part.library, pipeline_tag=task, tags=tags, **about)
        of = _base(part)
        nodes = sorted(
            {t.variable.split("[")[0] for t in facts.program.terms if t.model == part.name}
        )
        sections = [
            f"# {part.name}",
            f"A {part.form} {of}: the model `{part.name}` of the system "
            f"[{facts.program.name}]({up}/README.md), trained together with the others from "
            f"preferences over the system's outputs ({_PAPER}). It writes "
            f"{', '.join(f'`{node}`' for node in nodes)}.",
            f"![The system]({up}/graph.svg)",
            f"Load it, in the folder of the system (`{up}` from here):",
            f"```python\n{part.loading()}\n```",
            *_measured(facts),
        ]
        return cls(part.folder, data, "\n\n".join(sections))


def _edits(facts: Facts, part: Part) -> bool:
    """Whether it is shown an image anywhere in its system."""
    program = facts.program
    shown = (p for v in program.variables if program.model_of(v.name) == part.name for p in v.reads)
    return any(program.variable(name).type == "image" for name in shown)


def _base(part: Part) -> str:
    """What it was trained on, after what it is."""
    assert part.place is not None
    base = f"on `{part.place.id}`" if part.adapter else f"trained from `{part.place.said}`"
    return base + (f" at revision `{part.place.revision}`" if part.place.revision else "")


def _table(parts: Sequence[Part]) -> Iterator[str]:
    yield "| model | is a | in |"
    yield "|---|---|---|"
    for part in parts:
        if part.folder is None:
            yield f"| {part.name} | {part.form} | `graph.yaml` |"
        else:
            where = f"[{part.folder}]({part.folder})"
            yield f"| {part.name} | {part.form} {_base(part)} | {where} |"


def _running(facts: Facts) -> Iterator[str]:
    given = (facts.program.variable(name) for name in input_names(facts.program))
    inputs = " ".join(
        f"--input {v.name}=FILE" if v.type == "image" else f'--input {v.name}="..."' for v in given
    )
    yield "Run it, all models in one process:"
    yield f"```sh\nsysgraph run graph.yaml {inputs}\n```"


def _serving(commands: Sequence[str]) -> Iterator[str]:
    if commands:
        yield "Serve its language models, in this folder:"
        yield "```sh\n" + "\n".join(commands) + "\n```"


def _measured(facts: Facts) -> Iterator[str]:
    """Data and scores."""
    data, digest = facts.program.fit.data, facts.state.get("data")
    if digest:
        named = f" `{Path(str(data)).name}`" if data else ""
        yield f"Training data:{named} (fingerprint `{digest}`)."
    before, after = facts.result.get("before"), facts.result.get("after")
    if before and after:
        yield (
            "The whole system's answers to inputs that were held out:\n\n"
            f"| training | {before.get('scorer', 'score')} |\n|---|---|\n"
            f"| before | {_score(before)} |\n| after | {_score(after)} |"
        )


def _score(evaluation: Any) -> str:
    found = evaluation.get("score") or {}
    return f"{found['mean']:.3f}" if found.get("mean") is not None else "–"


def _bases(parts: Sequence[Part]) -> Iterator[str]:
    folders = sorted(
        {p.place.elsewhere for p in parts if p.place and p.adapter and p.place.elsewhere}
    )
    if folders:
        yield (
            f"{', '.join(f'`{folder}`' for folder in folders)} is on the machine that this was "
            "exported on, and not in here: `--copy-base` copies it."
        )
