"""The folder of a study: what is written there, and what --overwrite removes."""

import contextlib
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from sysgraph_compiler import Program

from ..support.errors import InputError
from ..support.files import is_free, read_json
from ..training.folder import RunFolder
from .results import Measurement

TABLES = {"training": "study.json", "samplers": "samplers.json"}
CURVES = {"training": "curves", "samplers": "samplers-curves"}
SHEET = "contact-sheet.png"
FINAL_ANSWERS = "separate-pairs.jsonl"

_SEED = re.compile(r"seed\d+")


@dataclass(frozen=True)
class StudyFolder:
    """A study's files: every training is a run folder `ROW/seedN`, every measurement a file beside.

    Models that are trained apart from the system have a folder each in that of their row.
    """

    root: Path

    def require(self, program: Program, *, overwrite: bool) -> None:
        """Refuses a folder that holds anything but this study, or with `overwrite`, but a study.

        Raises:
            InputError: it does, or others have put files into what would be removed.
        """
        if is_free(self.root):
            return
        run = RunFolder(self.root)
        if not run.program.is_file():
            raise InputError(f"{self.root} exists and holds no study: choose another --output")
        if run.state.exists() or run.metrics.exists():
            raise InputError(f"{self.root} holds a run and no study: choose another --output")
        if overwrite:
            for each in itertools.chain.from_iterable(map(self._runs, self._rows())):
                each.require_no_links()
                each.require_only_ours()
                # A run starts in a folder without any other files.
                for path in sorted({*each.root.glob("[!.]*")}.difference(each.own))[:1]:
                    raise InputError(f"{path} was not written by this study: move it away first")
        elif not self.is_empty:
            run.require_same(program, "--overwrite to remove the study")

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been trained or measured: a start that failed."""
        run = RunFolder(self.root)
        return {path.name for path in self.root.glob("[!.]*")} <= {run.graph.name, run.program.name}

    def clear(self) -> None:
        """Removes what a study wrote here, and nothing else."""
        for row in self._rows():
            for file in filter(_is_measurement, row.glob("seed*.json")):
                file.unlink()
            for run in self._runs(row):
                run.clear()
                for folder in (run.root, run.root.parent):
                    _remove_empty(folder)
            _remove_empty(row)
        curves = [f"{stem}.{kind}" for stem in CURVES.values() for kind in ("json", "svg", "png")]
        run = RunFolder(self.root)
        # The program last: until then, this is known to be a study and can be removed again.
        last = (run.graph.name, run.program.name)
        for name in (*TABLES.values(), *curves, SHEET, FINAL_ANSWERS, *last):
            (self.root / name).unlink(missing_ok=True)

    def _rows(self) -> list[Path]:
        return [path for path in sorted(self.root.glob("[!.]*")) if _is_folder(path)]

    def _runs(self, row: Path) -> list[RunFolder]:
        """The trainings of a row: of the system, or of single models."""
        found = [*row.glob("seed*"), *row.glob("[!.]*/seed*")]
        return [
            RunFolder(path)
            for path in sorted(found)
            if _SEED.fullmatch(path.name) and _is_folder(path) and RunFolder(path).program.is_file()
        ]


def _is_folder(path: Path) -> bool:
    """Whether it is a folder, and no link that leads out of the study."""
    return path.is_dir() and not path.is_symlink()


def _is_measurement(file: Path) -> bool:
    if not _SEED.fullmatch(file.stem) or not file.is_file():
        return False
    try:
        found = read_json(file, "")
    except InputError:
        return RunFolder(file.with_suffix("")).program.is_file()  # damaged, but of this run
    return Measurement.model_fields.keys() <= found.keys()


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # something else is in it, or it is gone
        folder.rmdir()
