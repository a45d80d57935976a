"""The commands of docs/endpoints.md, with two servers and a judge of the test's own."""

import json
import re
import shlex
from pathlib import Path

import pytest

from sysgraph import toys
from sysgraph.cli import main
from sysgraph.toys.cache import cache_root

from ..measuring.judges.server import Asked, serving

PAGE = (Path(__file__).parents[2] / "docs" / "endpoints.md").read_text(encoding="utf-8")


def judged(asked: Asked) -> str:
    """Likes what is longer: as a judge, and in grades."""
    text = asked.body["messages"][0]["content"]
    if "ANSWER A" in text:
        return "A" if len(asked.a) > len(asked.b) else "B"
    return str(min(10, max(1, len(text.partition("ANSWER\n")[2].split("\n")[0]) // 3)))


def known(asked: Asked, truth: dict[str, str]) -> str:
    """What is right, of every other draw."""
    answer = truth.get(asked.body["messages"][0]["content"], "red")
    return answer if asked.body["seed"] % 2 else "blue"


def test_commands_do_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (graph,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    Path("moa.yaml").write_text(graph)
    rows = toys.inputs("toy:specialists/test")[:6]
    truth = {row["question"]: row["reference"] for row in rows}
    Path("questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    toys.model_folder("toy:aggregator")
    cache = cache_root()
    monkeypatch.setenv("SYSGRAPH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "toys").symlink_to(cache / "toys")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    commands = [
        shlex.split(line.removeprefix("$ "))
        for block in re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
    ]
    with (
        serving(lambda asked: known(asked, truth)) as ada,
        serving(lambda asked: known(asked, truth)) as bo,
        serving(judged) as judge,
    ):
        monkeypatch.setenv("OPENAI_BASE_URL", judge.url)
        for program, *arguments in commands:
            argv = [one.replace("$ADA", ada.url).replace("$BO", bo.url) for one in arguments]
            monkeypatch.setattr("sys.argv", [program, *argv])
            with pytest.raises(SystemExit) as caught:
                main()
            assert not caught.value.code, (argv, capsys.readouterr())
            page = Path("compared/compare.html")
            if page.exists():
                Path("answers.json").write_text(answers(page.read_text()))
    for folder in ("pairs", "graded", "judged", "compared"):
        assert Path(folder, "pairs.jsonl").is_file()
    assert Path("judged", "pairs.jsonl").read_text().count("\n") > 1
    assert {one.path for one in ada.asked} == {"/v1/chat/completions"}
    assert Path("trained_by_people", "models", "judge").is_dir()


def answers(page: str) -> str:
    (found,) = re.findall(r'id="data">(.*?)</script>', page)
    data = json.loads(found)
    names = ("input", "left", "right")
    given = [{**{k: one[k] for k in names}, "better": "left"} for one in data["comparisons"]]
    return json.dumps({"collection": data["collection"], "answers": given})
