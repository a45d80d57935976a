"""What the folders of an export are called."""

from collections.abc import Iterable

from ..support.files import component


class Names:
    """Names of which no two are one, in upper or lower case.

    Args:
        taken: what else lies beside them.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = {name.lower() for name in taken}

    def new(self, wanted: str) -> str:
        """A name like the wanted one that can be a folder's."""
        plain = component(wanted)
        name, number = plain, 2
        while name.lower() in self._taken:
            name, number = f"{plain}-{number}", number + 1
        self._taken.add(name.lower())
        return name
