"""SG101: a key that its section does not have."""

from ..diagnostics import Code, Diagnostic, problem
from ..spec import keys_of
from ..suggest import closest, quoted, suggestion
from .fault import Fault

CODE = Code(
    id="SG101",
    title="unknown key",
    meaning="A section has a key that it does not know. It would do nothing, so it is an error.",
    wrong='draft: {kind: lm, model: ada, promt: "{{ question }}"}\n',
    right='draft: {kind: lm, model: ada, prompt: "{{ question }}"}\n',
)


def diagnose(fault: Fault) -> Diagnostic:
    """Placed at the key; the help lists the legal ones."""
    key, owner = str(fault.path[-1]), fault.shape.owner
    help = suggestion(key, keys_of(owner), f"the keys of {owner.noun} are", most=50)
    if key == "model" and getattr(owner, "is_deterministic", False):
        help = f"{owner.noun} computes its value: it has no likelihood, so no model; {help}"
    why = getattr(owner, "lacks", {}).get(key)
    return problem(
        CODE,
        f"unknown key {quoted(key)} in {owner.noun}" + (f": {why}" if why else ""),
        path=fault.path,
        span=fault.key_span(),
        help=help,
    )


def meant(fault: Fault) -> str | None:
    """The legal key that was likely meant."""
    return closest(str(fault.path[-1]), keys_of(fault.shape.owner))
