"""Scorers of images that a model looks at: of one image, or of how three progress."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...support.errors import DataError, InputError
from ...traces.pictures import Picture
from ...traces.trace import Trace
from .base import Scorer, Success
from .meters import Meter
from .progression import LOWEST, consistent, preference


def progression_by(meter: Meter[Any], *, attribute: str | None = None) -> Scorer:
    """How far and how evenly an attribute grows over three images (SysDPO, section 5.1).

    Values below 0 and above 1, as a regressor may give, count as 0 and 1.

    Args:
        meter: measures the attribute.
        attribute: of all rows; default: the text in each row's field `attribute`.
    """
    look = _Look("progression", meter, attribute, images=3)

    def attributes(traces: Sequence[Trace]) -> list[list[float]]:
        return [[min(max(value, 0.0), 1.0) for value in values] for values in look(traces)]

    return Scorer(
        look.name,
        lambda traces: [preference(*values) for values in attributes(traces)],
        success=Success(
            "order consistent",
            lambda trace: not trace.abstains and consistent(*attributes([trace])[0]),
        ),
        problem=look.problem,
        abstained=LOWEST,
    )


def image_by(meter: Meter[Any], *, attribute: str | None = None) -> Scorer:
    """What a meter gives for the one image of a trace; a regressor's number as it is.

    Args:
        meter: measures the attribute.
        attribute: of all rows; default: the text in each row's field `attribute`.
    """
    look = _Look("image", meter, attribute, images=1)
    return Scorer(
        look.name,
        lambda traces: [value for (value,) in look(traces)],
        problem=look.problem,
        abstained=0.0,
    )


class _Look:
    """What a meter gives for the images among a trace's outputs."""

    def __init__(self, kind: str, meter: Meter[Any], attribute: str | None, *, images: int) -> None:
        self.name = f"{kind}:{meter.name}" + ("" if attribute is None else f"#{attribute}")
        self._meter, self._attribute, self._images = meter, attribute, images

    def problem(self, fields: Mapping[str, Any]) -> str | None:
        """Why images of an input row cannot be scored, or None."""
        try:
            self._asked(fields)
        except InputError as error:
            return f"scorer {self.name}: {error}"
        return None

    def __call__(self, traces: Sequence[Trace]) -> list[list[float]]:
        """The values of each trace's images, in order.

        Raises:
            DataError: traces without that many images, or of rows that cannot be scored: all.
        """
        problems = []
        pictures, asked = [], []
        for trace in traces:
            found = [trace.values[name] for name in trace.outputs if name in trace.values]
            images = [value for value in found if isinstance(value, Picture)]
            fields = {**trace.extra, **trace.inputs}
            why = self.problem(fields)
            if why is None and not len(found) == len(images) == self._images:
                why = (
                    f"scorer {self.name}: expected images as outputs, {self._images} of them; "
                    f"got {len(found)} values, {len(images)} of them images"
                )
            if why is None:
                pictures += images
                asked += [self._asked(fields)] * len(images)
            else:
                row = ", ".join(f"{k}={v!r:.60}" for k, v in trace.inputs.items())
                problems.append(f"{row}: {why}")
        if problems:
            raise DataError(list(dict.fromkeys(problems)))
        values = self._meter.measure(pictures, asked)
        size = self._images
        return [values[start : start + size] for start in range(0, len(values), size)]

    def _asked(self, fields: Mapping[str, Any]) -> Any:
        own = {} if self._attribute is None else {"attribute": self._attribute}
        return self._meter.asked({**fields, **own})
