"""What answers look like that no text is: images, what failed beside what did not."""

import io
from base64 import b64decode
from pathlib import Path

from PIL import Image

import sysgraph
from sysgraph import Picture, Trace
from sysgraph.serving.choices import choice_of, values

from .serving import served, system

GRAPHS = Path(__file__).parents[2] / "graphs"


def pixels(url: str | None) -> bytes:
    kind, _, text = (url or "").partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(b64decode(text))).tobytes()


def test_images_are_data_urls_of_pngs() -> None:
    program = sysgraph.compile(sysgraph.load(GRAPHS / "progression.yaml"))
    jpeg = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(jpeg, "JPEG")
    picture = Picture.encoded(jpeg.getvalue())
    images = [v.name for v in program.variables if v.type == "image"]
    others = {v.name: "text" for v in program.variables if not v.is_given and v.type == "text"}
    trace = Trace({}, {**others, **dict.fromkeys(images, picture)}, program.outputs)
    red = picture.open().tobytes()
    shown = values(program, trace)["image"]
    assert isinstance(shown, list)
    assert [pixels(str(one)) for one in shown] == [red] * len(images)


ABSTAINS = """
name: abstains
models: {m: {kind: table, values: ["yes", "no"]}}
parsers:
  sure: {kind: regex, pattern: "yes", on_failure: POLICY}
nodes:
  question: {kind: input}
  said: {kind: lm, model: m, prompt: "{{ question }}"}
  answer: {kind: parse, parser: sure}
edges: [question -> said, said -> answer]
outputs: [answer]
"""


def test_an_answer_without_a_value_says_why_beside_those_that_have_one() -> None:
    for policy, why in (("abstain", "answer: nothing, as"), ("reject", "answer: ")):
        found = system(ABSTAINS.replace("POLICY", policy))
        traces = found.sample({"question": "?"}, 8, seed=1)
        with served(found) as server, server.client() as client:
            choices = client.chat.completions.create(
                model="abstains", messages=[{"role": "user", "content": "?"}], n=8, seed=1
            ).choices
        said = {trace["said"] for trace in traces}
        assert said == {"yes", "no"}
        for choice, trace in zip(choices, traces, strict=True):
            assert (choice.message.content is None) == (trace["said"] == "no")
            assert (choice.message.refusal or "").startswith(why) == (trace["said"] == "no")
            alone = choice_of(found, trace, with_values=False)
            assert (choice.message.content, choice.message.refusal) == (
                alone.content,
                alone.refusal,
            )
