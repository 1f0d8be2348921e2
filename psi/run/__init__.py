"""From two files to the overlap: one party's run, its folder and its receipt."""

from psi.run.execute import Connect, Listen, Progress, RunInput, execute
from psi.run.folder import EVENTS, GATE, MATCHED, RECEIPT, REJECTS, default_name
from psi.run.forecast import Plan, plan
from psi.run.receipt import KeyOutcome, Receipt

__all__ = [
    "EVENTS",
    "GATE",
    "MATCHED",
    "RECEIPT",
    "REJECTS",
    "Connect",
    "KeyOutcome",
    "Listen",
    "Plan",
    "Progress",
    "Receipt",
    "RunInput",
    "default_name",
    "execute",
    "plan",
]
