"""Files of strangers: what is no file, or has no end, is refused without being read."""

import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from sysgraph_schemas import GraphError, bounded, load
from sysgraph_schemas.bounded import TooBigError, read_bounded


def test_a_file_up_to_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"12345")
    assert read_bounded(file, 5) == b"12345"
    (tmp_path / "link").symlink_to(file)
    assert read_bounded(tmp_path / "link", 5) == b"12345"
    with pytest.raises(TooBigError, match="5 bytes; expected at most 4"):
        read_bounded(file, 4)
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "none", 5)
    with pytest.raises(IsADirectoryError):
        read_bounded(tmp_path, 5)
    with pytest.raises(ValueError, match="null"):
        read_bounded(Path("a\0b"), 5)


def test_a_sparse_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 42)
    with pytest.raises(TooBigError, match=r"4,398,046,511,104 bytes"):
        read_bounded(tmp_path / "sparse", 1000)


def test_a_file_without_a_size_of_its_own_is_cut_off() -> None:
    with pytest.raises(TooBigError, match="more than 10 bytes"):
        read_bounded(Path("/proc/self/status"), 10)


@pytest.mark.parametrize("pipes", [True, False])
@pytest.mark.parametrize("name", ["/dev/zero", "/dev/full", "/dev/null"])
def test_devices_are_no_files(name: str, pipes: bool) -> None:
    with pytest.raises(ValueError, match="a device, not a file"):
        read_bounded(Path(name), 1000, pipes=pipes)


def test_a_socket_is_no_file(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(tmp_path / "s"))
        with pytest.raises(ValueError, match="a socket, not a file"):
            read_bounded(tmp_path / "s", 1000, pipes=True)


# ---- pipes


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_a_pipe_is_no_file_unless_asked_for(pipe: Path) -> None:
    with pytest.raises(ValueError, match="a pipe, not a file"):
        read_bounded(pipe, 1000)


def test_a_pipe_that_nobody_writes_into_ends(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "_WRITER", 20)
    with pytest.raises(ValueError, match="nothing is written into"):
        read_bounded(pipe, 1000, pipes=True)


@pytest.mark.parametrize("content", [b"", b"one\ntwo", b"x" * 200_000])
def test_a_pipe_is_read_to_its_end(content: bytes, pipe: Path) -> None:
    """Written only after it was opened: both ends wait for one another."""
    writer = threading.Timer(0.05, pipe.write_bytes, [content])
    writer.start()
    assert read_bounded(pipe, 1_000_000, pipes=True) == content
    writer.join()


def test_a_pipe_whose_writer_takes_its_time() -> None:
    reading, writing = os.pipe()

    def write() -> None:
        os.write(writing, b"late")
        os.close(writing)

    late = threading.Timer(0.1, write)
    late.start()
    assert read_bounded(Path(f"/dev/fd/{reading}"), 9, pipes=True) == b"late"
    late.join()
    os.close(reading)


def test_a_pipe_without_an_end_is_cut_off() -> None:
    with subprocess.Popen(["cat", "/dev/zero"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        with pytest.raises(TooBigError, match="more than 1,000 bytes"):
            read_bounded(Path(f"/dev/fd/{child.stdout.fileno()}"), 1000, pipes=True)
        child.kill()


# ---- graph files


GRAPH = """
sysgraph: 1
name: g
models: {m: {kind: causal_lm, id: x}}
nodes: {q: {kind: input}, a: {kind: lm, model: m, prompt: "{{ q }}"}}
edges: [q -> a]
outputs: [a]
"""


def test_a_graph_through_a_pipe(pipe: Path) -> None:
    writer = threading.Thread(target=pipe.write_text, args=[GRAPH])
    writer.start()
    assert load(pipe).name == "g"
    writer.join()


def test_a_graph_from_a_device() -> None:
    with pytest.raises(GraphError) as raised:
        load(Path("/dev/zero"))
    (problem,) = raised.value.diagnostics
    assert "cannot be read: a device, not a file" in str(problem)
