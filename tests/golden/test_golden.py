"""One pair of files per kind of problem: SG101.yaml and, to the letter, what is said about it.

A file's first line can hold `# args: --set a.b=c --observed a,b --method direct`, or
`# expand: N`, which writes N letters in place of EXPAND. `UPDATE_GOLDEN=1 pytest tests/golden`
writes the .out files anew: read them then. What the files name lies in `files/`.
"""

import os
import shlex
import shutil
from pathlib import Path
from typing import cast

import pytest

import sysgraph_compiler
from sysgraph_compiler.observation import Method, Observation
from sysgraph_compiler.pipeline import CODES
from sysgraph_schemas import Diagnostic, read, render
from sysgraph_schemas.diagnostics import in_order
from sysgraph_schemas.limits import MAX_BYTES

HERE = Path(__file__).parent
CASES = sorted(path.stem for path in HERE.glob("SG*.yaml"))


def problems(path: Path) -> tuple[Diagnostic, ...]:
    head = path.read_bytes().split(b"\n", 1)[0].decode("utf-8", "replace")
    return diagnosed(path, shlex.split(head[8:]) if head.startswith("# args: ") else [])


def diagnosed(graph: Path | str, arguments: list[str]) -> tuple[Diagnostic, ...]:
    """What `sysgraph compile` says about a graph, given its options."""
    options = list(zip(arguments[::2], arguments[1::2], strict=True))
    given = dict(options)
    reading = read(graph, [value for option, value in options if option == "--set"])
    method = cast(Method | None, given.get("--method"))
    observation = Observation.of(given.get("--observed"), method)
    found = sysgraph_compiler.check(reading.graph, observation) if reading.graph else ()
    return in_order([*reading.diagnostics, *found])


def with_files(folder: Path) -> Path:
    """The folder, with the files that graphs in it name."""
    shutil.copytree(HERE / "files", folder, dirs_exist_ok=True)
    (folder / "prompts" / "big.txt").write_bytes(b"x" * (MAX_BYTES + 1))
    return folder


def expanded(path: Path, folder: Path) -> Path:
    data = path.read_bytes()
    head, _, _ = data.partition(b"\n")
    if not head.startswith(b"# expand: "):
        data, count = data, 0
    else:
        count = int(head[10:])
    copy = folder / path.name
    copy.write_bytes(data.replace(b"EXPAND", b"x" * count) if count else data)
    return copy


@pytest.mark.parametrize("code", CASES)
def test_text_is_exact(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expanded(HERE / f"{code}.yaml", with_files(tmp_path))
    monkeypatch.chdir(tmp_path)
    found = problems(Path(f"{code}.yaml"))
    text = render(found) + "\n"
    golden = HERE / f"{code}.out"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
    assert {diagnostic.code for diagnostic in found} == {code}  # and nothing that only follows


def test_every_code_has_a_pair() -> None:
    assert [code.id for code in CODES] == CASES


def test_every_code_explains_itself() -> None:
    for code in CODES:
        assert code.title
        assert code.meaning.endswith(".")
        assert code.wrong != code.right
