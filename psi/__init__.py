"""
Two-party private set intersection: learn which items are on both lists, and nothing else.

The names below are the public ones. They are imported when they are first used, so that ``import psi`` and
``psi --help`` cost no table library and no compiled module.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psi.errors import (
        DecodeError,
        GateError,
        HeldError,
        LimitError,
        MachineError,
        PeerError,
        PolicyError,
        PsiError,
        StateError,
        TermsError,
        TransportError,
        UsageError,
        VerificationError,
    )
    from psi.identity import Identity
    from psi.items import Items
    from psi.session import Output, Role, Session
    from psi.terms import Terms
    from psi.wire import Suite

    __version__: str

_HOME = {
    "DecodeError": "errors",
    "GateError": "errors",
    "HeldError": "errors",
    "Identity": "identity",
    "Items": "items",
    "LimitError": "errors",
    "MachineError": "errors",
    "Output": "session",
    "PeerError": "errors",
    "PolicyError": "errors",
    "PsiError": "errors",
    "Role": "session",
    "Session": "session",
    "StateError": "errors",
    "Suite": "wire",
    "Terms": "terms",
    "TermsError": "errors",
    "TransportError": "errors",
    "UsageError": "errors",
    "VerificationError": "errors",
}

__all__ = [
    "DecodeError",
    "GateError",
    "HeldError",
    "Identity",
    "Items",
    "LimitError",
    "MachineError",
    "Output",
    "PeerError",
    "PolicyError",
    "PsiError",
    "Role",
    "Session",
    "StateError",
    "Suite",
    "Terms",
    "TermsError",
    "TransportError",
    "UsageError",
    "VerificationError",
    "__version__",
]


def __getattr__(name: str) -> object:
    """Import a public name, the version or the compiled module when it is first asked for."""
    if name == "_core":
        return _compiled()
    if name == "__version__":
        return import_module("importlib.metadata").version("psi-overlap")
    if name in _HOME:
        return getattr(import_module(f"psi.{_HOME[name]}"), name)
    raise AttributeError(f"module 'psi' has no attribute {name!r}")


def _compiled() -> object:
    """Import ``psi._core``, or say how it is built (``from psi import _core`` comes here)."""
    try:
        return import_module("psi._core")
    except ModuleNotFoundError as error:
        if error.name != "psi._core":
            raise
        raise ImportError(
            "the compiled part of psi is missing: `make dev` builds it in a checkout, "
            "`pip install .` elsewhere; both need a Rust toolchain (1.89 or newer)",
            name="psi._core",
        ) from None
