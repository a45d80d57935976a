"""What a pair of traces needs, by which of its values are there: decided once, here.

`lack` says what is missing, `plan` what follows from that; both look at names and at no value.
`implied` is the plan of the pattern that an observation of a whole graph stands for: the compiler
prints it (`Program.plan`), and the runtime executes the plans of pairs. `call_of` says what goes
into one call.
"""

from .calls import call_of
from .implied import implied
from .pattern import Given, Lack, Pattern, Seen, lack
from .plan import Plan, SidePlan, ancestors, plan
from .selections import Chain, Selections

__all__ = [
    "Chain",
    "Given",
    "Lack",
    "Pattern",
    "Plan",
    "Seen",
    "Selections",
    "SidePlan",
    "ancestors",
    "call_of",
    "implied",
    "lack",
    "plan",
]
