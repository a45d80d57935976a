"""Which of a classifier's labels stands for which option of a choice."""

from collections.abc import Sequence

from sysgraph_schemas.suggest import listed, suggestion

from ...support.errors import InputError


def label_of(option: str, options: Sequence[str], labels: Sequence[str], model: str) -> int:
    """The index of an option's label: by name, or where no option is a label's name, by position.

    Raises:
        InputError: some options are names of labels and this one is not, or no name agrees and
            there are not as many labels as options.
    """
    if option in labels:
        return labels.index(option)
    if not set(options).isdisjoint(labels):
        near = suggestion(option, labels, "its labels are")
        raise InputError(f"classifier {model!r} has no label for the option {option!r}; {near}")
    if len(labels) != len(options):
        raise InputError(
            f"classifier {model!r} has {len(labels)} labels ({listed(labels)}) and the choice "
            f"{len(options)} options ({listed(options)}): give the options the labels' names, or "
            "take a checkpoint with a label for each option"
        )
    return list(options).index(option)
