"""`--set a.b=value`."""

from pathlib import Path

import pytest

from sysgraph_schemas import CausalLM, GraphError, load

MOA = Path(__file__).parents[2] / "graphs" / "moa.yaml"


def test_values_are_yaml_and_the_last_one_counts() -> None:
    graph = load(
        MOA,
        [
            *("fit.beta=2", "fit.beta=1e-2", "fit.train=[ada, judge]", "models.bo.id=./folder"),
            *("models.ada.lora.r=4", "outputs.0=revision", "description=a=b", "fit.scorer=null"),
        ],
    )
    assert graph.fit.beta == 0.01
    assert graph.fit.train == ["ada", "judge"]
    ada, bo = graph.models["ada"], graph.models["bo"]
    assert isinstance(ada, CausalLM)
    assert isinstance(bo, CausalLM)
    assert (bo.id, ada.lora.r) == ("./folder", 4)
    assert graph.outputs == ["revision"]
    assert graph.description == "a=b"
    assert load(MOA).fit.beta != 0.01  # the file's own values are as they were


def test_a_section_the_file_leaves_out_can_be_set() -> None:
    text = (MOA.parent / "two_stage.yaml").read_text(encoding="utf-8").split("fit:")[0]
    assert load(text, ["fit.steps=7"]).fit.steps == 7


@pytest.mark.parametrize(
    ("override", "code", "said"),
    [
        ("fit.betta=0.5", "SG101", "did you mean `beta`?"),
        ("fit.beta=high", "SG103", "`beta` must be a number, not text"),
        ("fit.beta=", "SG103", "`beta` must be a number"),
        ("fit.beta=[1", "SG002", "this is no YAML"),
        ("fit.beta=!!python/name:os.x 1", "SG004", "not allowed"),
        ("models.psi.id=x", "SG007", "there is no `psi` in `models`"),
        ("modles.ada.id=x", "SG007", "did you mean `models`?"),
        ("fit", "SG007", "path=value"),
        ("=3", "SG007", "path=value"),
        ("fit..beta=3", "SG007", "path=value"),
        ("name.first=x", "SG007", "`name` has no keys"),
        ("outputs.7=x", "SG007", "`outputs` has no keys"),
    ],
)
def test_mistakes_stand_where_they_were_made(override: str, code: str, said: str) -> None:
    with pytest.raises(GraphError, match="--set") as caught:
        load(MOA, [override])
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert diagnostic.place == f"--set {override}"
    assert said in str(caught.value)


def test_all_mistakes_at_once() -> None:
    with pytest.raises(GraphError) as caught:
        load(MOA, ["fit", "fit.beta=0", "fit.step=3"])
    places = [diagnostic.place for diagnostic in caught.value.diagnostics]
    assert places == ["--set fit", "--set fit.beta=0", "--set fit.step=3"]
