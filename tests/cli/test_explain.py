"""`sysgraph explain`, as a process."""

from sysgraph_compiler.pipeline import CODES

from .test_check import sysgraph


def test_a_code() -> None:
    done = sysgraph("explain", "SG101")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("error[SG101]: unknown key\n\nA section has a key")
    assert 'wrong:\n    draft: {kind: lm, model: ada, promt: "{{ question }}"}\n' in done.stdout
    assert done.stdout.endswith(
        'right:\n    draft: {kind: lm, model: ada, prompt: "{{ question }}"}\n'
    )
    for same in ("sg101", "101", "[SG101]"):
        assert sysgraph("explain", same).stdout == done.stdout


def test_all_codes() -> None:
    lines = sysgraph("explain").stdout.splitlines()
    assert [line[:5] for line in lines] == [code.id for code in CODES]
    assert "SG303  model never used (warning)" in lines


def test_the_tools_with_their_arguments() -> None:
    told = sysgraph("explain", "tools").stdout
    assert "retrieve: returns: list\n    args: query\n    settings: corpus (a path)" in told
    assert "calculate: returns what its node says\n    args: expression\n" in told


def test_an_unknown_code() -> None:
    done = sysgraph("explain", "SG1O1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean SG101 (unknown key)?" in done.stderr
    assert "`sysgraph explain` lists all" in sysgraph("explain", "nonsense").stderr
