"""Scorers by a spec that names a model.

Of texts: `reward:ID`, a sequence classifier with one output, and `judge:openai:MODEL`, a hosted
model that grades from 1 to 10.

    reward:OpenAssistant/reward-model-deberta-v3-base
    judge:openai:gpt-4o-mini

Of images: `SCORE:METER:ID?positive=TEXT&negative=TEXT#ATTRIBUTE`.

SCORE is `progression` (three images, in whose order the row's attribute is to grow) or `image` (one
image); METER and ID, a Hub id or a folder, say which model measures the attribute: `classifier` an
image classifier or regressor, by the label of that name; `clip` a CLIP, by two texts, which may be
given. Without #ATTRIBUTE it is the text in each input row's field `attribute`.

    progression:clip:openai/clip-vit-base-patch32
    progression:clip:models/clip?positive=a {attribute} {scene}&negative=a {scene}
    image:classifier:models/aesthetics#beautiful
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from sysgraph_schemas.suggest import suggestion

from ...support.errors import InputError
from ...support.progress import Reporter
from .base import Scorer

FORMS = ("progression:classifier:ID", "progression:clip:ID", "image:classifier:ID#LABEL")
"""What specs look like, for messages."""
OF_TEXTS = ("reward:ID", "judge:openai:MODEL")
_SCORES = ("progression", "image")
_METERS = {"classifier": (), "clip": ("positive", "negative")}  # with the texts that each takes


class Spec(NamedTuple):
    """A spec's parts."""

    score: str
    meter: str
    id: str
    texts: dict[str, str]
    attribute: str | None


def parse(spec: str) -> Spec:
    """The parts of a spec.

    Raises:
        InputError: it is none.
    """
    score, meter, rest = (*spec.split(":", 2), "", "")[:3]
    for word, known, shape in (
        (score, _SCORES, f"{' or '.join(OF_TEXTS)}, or SCORE:METER:ID, SCORE one of"),
        (meter, _METERS, f"{score}:METER:ID, METER one of"),
    ):
        if word not in known:
            near = suggestion(word, known, f"expected {shape}")
            raise InputError(f"no scorer {spec!r}; {near}")
    source, hash, attribute = rest.partition("#")
    id, query, texts = source.partition("?")
    if not id or (hash and not attribute):
        raise InputError(
            f"no scorer {spec!r}; expected {score}:{meter}:ID or {score}:{meter}:ID#ATTRIBUTE"
        )
    return Spec(
        score, meter, id, _texts(spec, meter, texts) if query else {}, attribute if hash else None
    )


def _texts(spec: str, meter: str, query: str) -> dict[str, str]:
    found = {}
    for part in query.split("&"):
        name, _, text = part.partition("=")
        if name not in _METERS[meter] or not text:
            near = suggestion(name, _METERS[meter], f"texts of `{meter}`, as NAME=TEXT")
            raise InputError(f"scorer {spec!r}: {part!r}; {near}")
        found[name] = text
    return found


def from_spec(spec: str, reporter: Reporter) -> Scorer:
    """The scorer that a spec names, with its model loaded.

    Raises:
        InputError: it is no spec, or its model cannot be loaded.
    """
    kind, _, name = spec.partition(":")
    if kind in _OF_TEXTS:
        return _OF_TEXTS[kind](name, reporter)
    parts = parse(spec)
    try:
        import PIL  # noqa: F401
    except ModuleNotFoundError:
        raise InputError(
            f"scorer {spec!r} needs Pillow: pip install 'sysgraph[diffusion]'"
        ) from None
    from .images import image_by, progression_by
    from .meters import Classifier, Clip, Meter, Texts

    clip = parts.meter == "clip"
    meter: Meter[Any] = Clip(parts.id, Texts(**parts.texts)) if clip else Classifier(parts.id)
    by = progression_by if parts.score == "progression" else image_by
    return by(meter, attribute=parts.attribute)


def _reward(name: str, reporter: Reporter) -> Scorer:
    if not name:
        raise InputError("no scorer 'reward:'; expected reward:ID, a Hub id or a folder")
    from .reward import RewardModel

    return Scorer(f"reward:{name}", RewardModel(name, reporter=reporter).score)


def _judge(name: str, reporter: Reporter) -> Scorer:
    kind, _, model = name.partition(":")
    if kind != "openai" or not model:
        raise InputError(f"no scorer 'judge:{name}'; expected judge:openai:MODEL")
    from ...toys.cache import cache_root
    from .grade import HIGHEST, Grader

    grader = Grader(model, cache=cache_root() / "grades", reporter=reporter)
    return Scorer(grader.name, grader.score, perfect=HIGHEST)


_OF_TEXTS: dict[str, Callable[[str, Reporter], Scorer]] = {"reward": _reward, "judge": _judge}
