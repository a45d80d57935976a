"""`fit.trackers`: the lines of metrics also go to trackers of experiments, through accelerate."""

import contextlib
import json
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerate.tracking import filter_trackers, get_available_trackers

from sysgraph_compiler import Program

from ..support.errors import InputError
from ..support.files import component, read_json, write_text
from ..support.progress import Reporter
from .workers import Workers

_RUN = "run.json"
"""In the trackers' folder: what tells this run from all others that a tracker has."""


def require_trackers(names: Sequence[str]) -> None:
    """Refuses trackers whose package is not there: InputError."""
    there = {str(tracker) for tracker in get_available_trackers()}
    missing = [name for name in names if name not in there]
    if missing:
        raise InputError(
            f"fit.trackers has {' and '.join(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not installed: pip install "
            f"{' '.join(missing)}, or train without (--set fit.trackers=null)"
        )


class Trackers:
    """The trackers of a run, each of which gets a line once, however often the run is stopped.

    Only the main process has some.
    """

    def __init__(self, program: Program, workers: Workers, reporter: Reporter) -> None:
        self._program, self._reporter = program, reporter
        self._accelerator = workers.accelerator
        self._names = (program.fit.trackers or []) if workers.main else []
        self._had = 0

    @contextlib.contextmanager
    def open(self, folder: Path) -> Iterator[None]:
        """Starts the run in every tracker, or goes on with it there, and ends it.

        Args:
            folder: what they keep in files.

        Raises:
            InputError: one of them cannot be started.
        """
        if not self._names:
            yield
            return
        accelerator, known = self._accelerator, _known(folder)
        run = known or {"id": uuid.uuid4().hex[:8]}
        folder.mkdir(exist_ok=True)
        # `Accelerator(log_with=...)` wants the folder, which is not made by then.
        accelerator.project_configuration.logging_dir = str(folder)
        accelerator.log_with = filter_trackers(self._names, folder)
        accelerator.trackers = []
        self._start(folder, run["id"], new=known is None)
        try:
            yield
        finally:
            self._finish()

    def _start(self, folder: Path, run: str, *, new: bool) -> None:
        try:
            with contextlib.redirect_stdout(sys.stderr):  # they greet
                self._accelerator.init_trackers(
                    component(self._program.name), init_kwargs=_arguments(folder, run)
                )
                for tracker in self._accelerator.trackers:
                    # What keeps files has them; a service forgets them where a run goes on.
                    if new or not tracker.requires_logging_directory:
                        tracker.store_init_configuration(settings(self._program))
        except Exception as error:  # each has errors of its own
            self._finish(started=False)
            raise InputError(f"cannot start fit.trackers: {error}") from error
        write_text(folder / _RUN, json.dumps({"id": run}) + "\n")

    def had(self, lines: int) -> None:
        """The next `lines` of metrics are known there: the run was stopped after it wrote them."""
        self._had = lines

    def log(self, line: Mapping[str, object]) -> None:
        """A line of metrics, under the same names.

        A tracker that fails is left out from then on: metrics.jsonl has every line.
        """
        if self._had:
            self._had -= 1
            return
        values = {k: v for k, v in line.items() if k != "step" and isinstance(v, int | float)}
        for tracker in list(self._accelerator.trackers):
            try:
                tracker.log(values, step=self._step(line))
            except Exception as error:  # each has errors of its own
                self._accelerator.trackers.remove(tracker)
                self._reporter.line(f"warning: {tracker.name} gets no more metrics: {error}")

    def _step(self, line: Mapping[str, Any]) -> int:
        """Steps of all rounds before a line."""
        fit = self._program.fit
        if "evaluation" in line:
            return 0 if line["evaluation"] == "before" else fit.steps * max(1, fit.rounds)
        return int(line.get("round", 0)) * fit.steps + int(line.get("step", 0))

    def _finish(self, *, started: bool = True) -> None:
        """Ends every tracker's run; of those that have not started, what there is of it.

        Not `end_training`, which also ends the group of processes, that another run may need.
        """
        with contextlib.redirect_stdout(sys.stderr):
            for tracker in self._accelerator.trackers:
                try:
                    tracker.finish()
                except Exception as error:
                    if started:
                        self._reporter.line(f"warning: {tracker.name} did not end well: {error}")
        self._accelerator.trackers = []


def settings(program: Program) -> dict[str, int | float | str | bool]:
    """What a run was trained with, by dotted path."""
    models = {
        name: {
            "kind": model.kind,
            "id": model.base.id if model.base is not None else None,
            "learning_rate": model.step_size,
        }
        for name, model in program.models.items()
    }
    return dict(_flat({"fit": program.fit.model_dump(mode="json"), "models": models}))


def _flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Trackers take numbers, texts and yes or no: lists are JSON, and null is left out."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{key}.")
        elif value is not None:
            yield f"{path}{key}", json.dumps(value) if isinstance(value, list) else value


def _arguments(folder: Path, run: str) -> dict[str, dict[str, Any]]:
    """What makes a tracker go on with a run that it has: its name, or its id."""
    name = folder.absolute().parent.name
    return {
        "trackio": {"name": f"{name}-{run}", "resume": "allow"},
        "wandb": {"id": run, "name": name, "resume": "allow", "dir": str(folder)},
    }


def _known(folder: Path) -> dict[str, Any] | None:
    file = folder / _RUN
    return (
        read_json(file, "remove it: the trackers then begin a new run") if file.is_file() else None
    )
