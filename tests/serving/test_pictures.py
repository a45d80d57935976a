"""Images in requests: as data URLs, never as files of the server."""

import io
from base64 import b64encode
from pathlib import Path

import pytest
from PIL import Image

import sysgraph
from sysgraph.serving.asked import read_asked
from sysgraph.serving.errors import ApiError
from sysgraph.serving.limits import Limits
from sysgraph.serving.pictures import data_url
from sysgraph.traces.pictures import Picture

GRAPH = """
name: looking
models:
  viewer: {kind: vision_lm, id: none}
nodes:
  picture: {kind: input, type: image}
  answer: {kind: lm, model: viewer, prompt: "{{ picture }} ?"}
edges: [picture -> answer]
outputs: [answer]
"""


def test_an_image_is_what_was_sent(tmp_path: Path) -> None:
    program = sysgraph.compile(sysgraph.load(GRAPH))
    image = Image.new("RGB", (3, 2), "red")
    picture = Picture.of(image)

    def asked(url: str) -> object:
        content = f'{{"messages": [], "inputs": {{"picture": "{url}"}}}}'.encode()
        return read_asked(program, content, Limits()).inputs["picture"]

    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG")
    assert asked(data_url(picture)) == picture
    assert isinstance(
        asked(f"data:image/jpeg;base64,{b64encode(jpeg.getvalue()).decode()}"), Picture
    )
    image.save(tmp_path / "there.png")
    for url in (
        str(tmp_path / "there.png"),
        "https://example.org/a.png",
        "data:text/html;base64,aa",
    ):
        with pytest.raises(ApiError, match=r"picture: expected an image, data:image/png;base64"):
            asked(url)
    for url in ("data:image/png;base64,%%", "data:image/png;base64,aaaa"):
        with pytest.raises(ApiError, match="picture: the image: "):
            asked(url)
    for given in (b"{}", b'{"picture": null}'):
        with pytest.raises(ApiError, match=r"picture: .*expected an image, data:image/png;base64"):
            read_asked(program, b'{"messages": [], "inputs": %b}' % given, Limits())
    with pytest.raises(ApiError, match=r'beside `messages`, as .*"picture": "data:image/png;base'):
        read_asked(program, b'{"messages": [{"role": "user", "content": "a.png"}]}', Limits())
