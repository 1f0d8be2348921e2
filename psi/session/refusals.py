"""Say in words what two parties do not agree on: seen here, or told by the peer."""

from __future__ import annotations

from psi.errors import LimitError, PeerError, PsiError, TermsError
from psi.wire import Hello, Refusal, Suite

_SAME_RELEASE = "install the same release of psi on both sides (`psi --version`)"
_SAME_TERMS = "put both sides' terms side by side with `psi terms diff`"
_SAME_CERTIFICATE = "compare both fingerprints of the terms with what `psi id show` prints on each side"


def difference(own: Hello, peer: Hello) -> tuple[Refusal, PsiError] | None:
    """
    Return the first thing that the two hellos differ in, as refusal and as error, or ``None``.

    A session of either side calls it. The certificates are compared crosswise: each party names its own, and the one
    it believes to talk to.
    """
    if peer.protocol != own.protocol:
        return Refusal.VERSION, TermsError(
            f"the peer does not speak {own.protocol}, the protocol of this release", hint=_SAME_RELEASE
        )
    if peer.suite != own.suite:
        known = peer.suite in {suite.value for suite in Suite}
        theirs = peer.suite if known else "one that this release does not know"
        return Refusal.SUITE, TermsError(
            f"the suites differ: {own.suite} here, {theirs} there", hint=_SAME_TERMS
        )
    if peer.terms_digest != own.terms_digest:
        return Refusal.TERMS, TermsError("the terms of the two sides differ", hint=_SAME_TERMS)
    if peer.certificate != own.peer_certificate:
        return Refusal.CERTIFICATE, PeerError(
            "the peer greets with another certificate than the one in the terms", hint=_SAME_CERTIFICATE
        )
    if peer.peer_certificate != own.certificate:
        return Refusal.CERTIFICATE, PeerError(
            "the peer believes to talk to another certificate than this side's", hint=_SAME_CERTIFICATE
        )
    return None


def told(code: Refusal) -> PsiError:
    """Return the error that ends a session when the peer sent ``refuse`` with this code."""
    match code:
        case Refusal.VERSION:
            return TermsError("the peer refused: it speaks another protocol version", hint=_SAME_RELEASE)
        case Refusal.SUITE:
            return TermsError("the peer refused: its terms have another suite", hint=_SAME_TERMS)
        case Refusal.TERMS:
            return TermsError("the peer refused: its terms differ", hint=_SAME_TERMS)
        case Refusal.CERTIFICATE:
            return PeerError("the peer refused: its terms have another certificate", hint=_SAME_CERTIFICATE)
        case Refusal.LIMIT:
            return LimitError(
                "the peer refused: this side has more items than the peer's terms allow it",
                hint="both sides' limits are in the terms (max_items); `psi check` counts the items of a file",
            )
        case Refusal.PROTOCOL:
            return PeerError(
                "the peer refused what this side sent and ended the run",
                hint="its own screen says what it refused; compare `psi --version` on both sides",
            )
