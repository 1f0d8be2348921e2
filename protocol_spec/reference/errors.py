"""Name the classes of error that vectors expect; ``psi.errors`` has the same names (psi.md, "Errors")."""

from __future__ import annotations


class UsageError(Exception):
    """Blame the caller: an argument that cannot be."""


class SessionError(Exception):
    """Stand for what ends a session; ``code`` is the one of the frame ``refuse``."""

    def __init__(self, message: str, code: str = "protocol") -> None:
        super().__init__(message)
        self.code = code


class PeerError(SessionError):
    """Blame the peer: it misbehaved, or is not who the terms name."""


class DecodeError(PeerError):
    """Refuse bytes that are not the message they should be."""


class StateError(PeerError):
    """Refuse a message that has no place in the present state."""


class VerificationError(PeerError):
    """Refuse a message because a check over several of them failed."""


class TermsError(SessionError):
    """Name what the two parties did not agree on: version, suite or terms."""


class LimitError(SessionError):
    """Name a limit of the terms that is exceeded."""


REFUSALS: dict[str, type[SessionError]] = {
    "version": TermsError,
    "suite": TermsError,
    "terms": TermsError,
    "certificate": PeerError,
    "limit": LimitError,
    "protocol": PeerError,
}
