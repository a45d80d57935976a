"""A dataset's own code is never run, nor its pickles read."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from sysgraph import InputError
from sysgraph.data.columns import read_dataset
from sysgraph.data.dataset_names import DatasetName


class Bomb:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return open, (str(self.marker), "w")


@pytest.mark.parametrize(
    "form", ["script", "script named in its card", "pickle", "pickled builder"]
)
def test_nothing_of_a_dataset_is_run(form: str, tmp_path: Path) -> None:
    folder, ran = tmp_path / "rows", tmp_path / "ran"
    folder.mkdir()
    if form.startswith("script"):
        (folder / "rows.py").write_text(f"open({str(ran)!r}, 'w')\n")
    else:
        (folder / "rows.pkl").write_bytes(pickle.dumps(Bomb(ran)))
    if "named" in form:
        (folder / "README.md").write_text(
            "---\nconfigs:\n- config_name: default\n  data_files: rows.py\n---\n"
        )
    if form == "pickled builder":
        (folder / "README.md").write_text(
            "---\nbuilder_name: pandas\nconfigs:\n- config_name: default\n"
            "  data_files: rows.pkl\n---\n"
        )
    with pytest.raises(InputError) as caught:
        list(read_dataset(DatasetName.parse(str(folder)), str(folder)))
    assert str(folder) in str(caught.value)
    assert not ran.exists()
