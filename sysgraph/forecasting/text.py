"""A forecast as people read it."""

from collections.abc import Iterator, Sequence

from .remedies import Remedy
from .result import CPU, Drawing, Forecast, ModelShare, Place, StepShare, human

_HEADS = (
    "model",
    "train",
    "trained",
    "weights",
    "gradients",
    "optimizer",
    "reference",
    "copies",
    "passes",
)
_SHOWN = 3
"""Parts that are named of what does not fit."""


def text_of(found: Forecast) -> str:
    """What would be loaded where, what a step does, and whether it fits."""
    many = f"{found.processes} processes, each" if found.processes > 1 else "one process"
    room = human(found.rooms[found.device])
    lines = [f"{found.name} on {found.device} with {room}: {many}", ""]
    for base in found.bases:
        where = "" if base.device == found.device else f" on {base.device}"
        lines.append(
            f"  base {base.id}{where}: {_count(base.parameters)} parameters, {base.dtype}, "
            f"{human(base.size)}, for {', '.join(base.models)}"
        )
    rows = [_row(model, found.step) for model in found.models]
    lines += ["", *_table([_HEADS, *rows]), "", *_step(found), *_drawn(found), ""]
    lines += [line for place in found.places for line in _place(place, found)]
    return "\n".join(lines)


def remedy_text(remedy: Remedy) -> str:
    """Settings that were tried, and whether they help."""
    tried = " ".join(f"--set {setting}" for setting in remedy.settings)
    sizes = ", ".join(f"{_name(p)} {human(p.peak)}" for p in remedy.found.places)
    fits = "fits" if remedy.found.fits else "still does not fit"
    return f"    with {tried}: at most {sizes}: {fits}"


def _name(place: Place) -> str:
    return "main memory" if place.device == CPU else place.device


def _row(model: ModelShare, step: StepShare) -> tuple[str, ...]:
    sizes = (model.weights, model.gradients, model.optimizer, model.reference, model.kept)
    passes = human(step.by_model.get(model.model, 0))
    told = "unknown" if model.model in step.unknown else passes
    return model.model, model.train, _count(model.parameters), *map(human, sizes), told


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
    for model, why in step.unknown.items():
        yield (
            f"  without passes of {model}, which do not run on shapes ({why}): see what one step "
            "takes (--set fit.steps=1)"
        )
    if step.made_up:
        yield "  no pairs are there yet: these are of values as long as they may get"


def _drawn(found: Forecast) -> Iterator[str]:
    for when, several in (("a round", found.samples), ("what pairs lack", found.latent)):
        for one in several:
            yield f"  {when} draws from {one.model}: {_values(one)}"


def _values(one: Drawing) -> str:
    of = (
        f"{one.values:,} texts of {one.tokens:,} tokens" if one.tokens else f"{one.values:,} images"
    )
    return f"{of} at the most, {one.at_once} at once, in {human(one.memory)}"


def _place(place: Place, found: Forecast) -> Iterator[str]:
    each = f" in each of {place.sharing} processes" if place.sharing > 1 else ""
    fits = "fits" if place.fits else "DOES NOT FIT"
    yield (
        f"  {_name(place)}: between passes {human(place.lasting)}, at most {human(place.peak)} "
        f"of {human(place.room)}{each}: {fits}"
    )
    if not place.fits:
        parts = [f"{what} {human(size)}" for what, size in place.largest[:_SHOWN]]
        yield f"    most of it: {'; '.join(parts)}"


def _several(passes: int) -> str:
    return f"{passes} pass" if passes == 1 else f"{passes} passes"


def _count(numbers: int) -> str:
    for size, unit in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if numbers >= size:
            return f"{numbers / size:.3g} {unit}"
    return str(numbers)
