"""A forecast as people read it."""

from collections.abc import Iterator, Sequence

from .result import Forecast, ModelShare, human

_HEADS = ("model", "train", "trained", "weights", "gradients", "optimizer", "reference", "copies")


def text_of(found: Forecast) -> str:
    """What would be loaded where, what a step does, and whether it fits."""
    many = f"{found.processes} processes, each" if found.processes > 1 else "one process"
    lines = [f"{found.name} on {found.device} with {human(found.room)}: {many}", ""]
    for base in found.bases:
        lines.append(
            f"  base {base.id}: {_count(base.parameters)} parameters, {base.dtype}, "
            f"{human(base.size)}, for {', '.join(base.models)}"
        )
    lines += ["", *_table([_HEADS, *map(_row, found.models)]), "", *_step(found)]
    where = "the device" if found.device != "cpu" else "memory"
    lines += [
        "",
        f"  between passes {human(found.lasting)}, at most {human(found.peak)} of {where}"
        + (f" in each of {found.processes} processes" if found.processes > 1 else "")
        + f": {'fits' if found.fits else 'DOES NOT FIT'}",
    ]
    return "\n".join(lines)


def _row(model: ModelShare) -> tuple[str, ...]:
    sizes = (model.weights, model.gradients, model.optimizer, model.reference, model.kept)
    return model.model, model.train, _count(model.parameters), *map(human, sizes)


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        names = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        sizes = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        yield "  " + "  ".join([*names, *sizes]).rstrip()


def _step(found: Forecast) -> Iterator[str]:
    step = found.step
    each = "" if found.processes == 1 else ", of which a process has its share"
    tokens = f" over {step.tokens:,} tokens" if step.tokens else ""
    yield f"  a step: {step.pairs} pairs{each}: {_several(step.passes)}{tokens}"
    yield f"  the reference of a step's pairs: {_several(step.references)}"
    yield f"  most that passes and their backward passes keep: {human(step.activations)}"
    if step.made_up:
        yield "  no pairs are there yet: these are of values as long as they may get"


def _several(passes: int) -> str:
    return f"{passes} pass" if passes == 1 else f"{passes} passes"


def _count(numbers: int) -> str:
    for size, unit in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if numbers >= size:
            return f"{numbers / size:.3g} {unit}"
    return str(numbers)
