"""What can go wrong outside the graph file."""

from sysgraph_schemas.visible import visible

_SHOWN = 50


class InputError(ValueError):
    """What the user gave is wrong (a file, a folder, an option). Nothing was started or written."""


class DataError(InputError):
    """Rows of a data file are wrong. `problems` has one `file:row: what is wrong` each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        lines = [f"error: {visible(problem)}" for problem in problems[:_SHOWN]]
        if len(problems) > _SHOWN:
            lines.append(f"... and {len(problems) - _SHOWN} more")
        lines.append(f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in the data")
        super().__init__("\n".join(lines))


class RunError(RuntimeError):
    """The run failed after it had started, for a reason that the message explains."""


class ServiceError(RunError):
    """A server elsewhere failed: nothing that it was asked about is to blame."""


class Interrupted(RunError):
    """The run was asked to stop, and did so where it can be gone on with."""
