"""
Shake hands over mutual TLS 1.3 so that each side accepts exactly one certificate: the other's in the terms.

That certificate is the only trust anchor, and its DER is compared after the handshake as well, because an anchor that
may sign is not an exact pin. No session tickets, no early data, no renegotiation, no compression; no host name is
checked or sent, since the certificate is the name.
"""

from __future__ import annotations

import enum
import selectors
import socket
import ssl

from psi.errors import MachineError
from psi.identity import Identity

_GONE = (ssl.SSLEOFError, ssl.SSLSyscallError, ssl.SSLZeroReturnError)
_NOT_TLS = {
    "BAD_RECORD_TYPE",
    "HTTP_REQUEST",
    "HTTPS_PROXY_REQUEST",
    "PACKET_LENGTH_TOO_LONG",
    "RECORD_LAYER_FAILURE",
    "UNEXPECTED_MESSAGE",
    "WRONG_VERSION_NUMBER",
}
_OTHER_TLS = {"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "VERSION_TOO_LOW", "WRONG_SSL_VERSION"}


class Fault(enum.Enum):
    """Say why a handshake failed; the value follows "refused: " or "the other side: " in a text."""

    CERTIFICATE = "its certificate is not the one in the terms"
    NO_CERTIFICATE = "it showed no certificate"
    REFUSED_OURS = "it did not accept this side's certificate"
    OTHER_TLS = "it does not speak TLS 1.3"
    NOT_TLS = "it does not speak TLS"
    GONE = "it went away before the handshake was done"
    LATE = "it took too long for the handshake"
    FAILED = "the TLS handshake failed"


class HandshakeError(Exception):
    """End a handshake; ``connect`` and ``Listener`` say what that means for them."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def context(*, server: bool, identity: Identity, peer_certificate: bytes) -> ssl.SSLContext:
    """
    Return the settings of one side; raise ``MachineError`` when the identity's TLS files cannot be used.

    ``peer_certificate`` is DER. The class ``SSLContext`` brings no other trust anchors and, unlike
    ``create_default_context``, no key log.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1_3
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    if server:
        made.num_tickets = 0
    try:
        made.load_cert_chain(identity.tls_certificate_path, identity.tls_key_path)
    except OSError as error:
        raise MachineError(
            f"cannot use the TLS key and certificate in {identity.tls_key_path.parent}",
            hint="`psi id show` says what is wrong with an identity",
        ) from error
    made.load_verify_locations(cadata=peer_certificate)
    return made


class Handshake:
    """
    Hold a handshake that does not block.

    It takes over ``connection``; ``wants`` is the event of ``selectors`` that it waits for, ``end`` the time at which
    it is given up. Raises ``HandshakeError`` when the other side is gone already.
    """

    def __init__(
        self,
        settings: ssl.SSLContext,
        connection: socket.socket,
        *,
        server: bool,
        peer_certificate: bytes,
        address: str,
        end: float,
    ) -> None:
        self._peer_certificate = peer_certificate
        self.address = address
        self.end = end
        self.wants = selectors.EVENT_READ if server else selectors.EVENT_WRITE
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.stream = settings.wrap_socket(connection, server_side=server, do_handshake_on_connect=False)
        except (OSError, ValueError) as error:
            connection.close()
            raise HandshakeError(Fault.GONE) from error

    def advance(self) -> bool:
        """Go on as far as the peer's bytes allow; return whether it is done. Raises ``HandshakeError``."""
        try:
            self.stream.do_handshake()
        except ssl.SSLWantReadError:
            self.wants = selectors.EVENT_READ
            return False
        except ssl.SSLWantWriteError:
            self.wants = selectors.EVENT_WRITE
            return False
        except (OSError, ValueError) as error:
            raise HandshakeError(_fault(error)) from error
        if self.stream.getpeercert(binary_form=True) != self._peer_certificate:
            raise HandshakeError(Fault.CERTIFICATE)
        return True


def _fault(error: Exception) -> Fault:
    """Return what an exception of the TLS library means; its own text is not passed on."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Fault.CERTIFICATE
    if not isinstance(error, ssl.SSLError) or isinstance(error, _GONE):
        return Fault.GONE
    reason = error.reason or ""
    if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return Fault.NO_CERTIFICATE
    if reason in _OTHER_TLS:
        return Fault.OTHER_TLS
    if reason in _NOT_TLS:
        return Fault.NOT_TLS
    if "_ALERT_" in reason and ("CERTIFICATE" in reason or reason.endswith("_CA")):
        return Fault.REFUSED_OURS
    return Fault.FAILED
