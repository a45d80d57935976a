"""What libraries say when they fail, as one sentence of ours can hold it."""

import re

_LONGEST = 240


def brief(error: BaseException | str) -> str:
    """The first sentence or line of a message, on one line; what it lists at length is cut off.

    Libraries put paragraphs of advice on their own options and every class they know into one
    error; what is wrong comes first.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[0] if lines else type(error).__name__
    sentence = re.split(r"(?<=[a-z0-9)'\"`])\.\s+(?=[A-Z])", said, maxsplit=1)[0].rstrip(" .:")
    if len(sentence) <= _LONGEST:
        return sentence
    return sentence[:_LONGEST].rsplit(" ", 1)[0].rstrip(" ,;:") + " ..."
