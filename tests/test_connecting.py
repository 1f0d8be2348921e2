"""Who gets in: TLS with exact pins, a listener among strangers, a joiner that comes first or finds somebody else."""

from __future__ import annotations

import contextlib
import datetime
import errno
import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from psi import identity
from psi.errors import MachineError, PeerError, PsiError, TransportError, UsageError, exit_code
from psi.identity import Identity
from psi.session import Role
from psi.transport import Channel, Clock, Fault, Listener, Stranger, connect, drive
from psi.transport.listener import MAX_HANDSHAKES
from tests.session_kit import (
    RacingClock,
    check_threads,
    in_thread,
    make_session,
    tls_channels,
)

QUICK = Clock(tick_s=0.005)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    check_threads()


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """Return an identity that is in nobody's terms."""
    return identity.create(tmp_path_factory.mktemp("stranger") / "identity", "Somebody Else")


def listening(identities: Mapping[str, Identity], *, clock: Clock = QUICK, port: int = 0) -> Listener:
    """Return the holder's listener for the requester."""
    return Listener(
        "127.0.0.1",
        port,
        identity=identities["holder"],
        peer_certificate=identities["requester"].certificate_der,
        clock=clock,
    )


def joining(
    identities: Mapping[str, Identity],
    address: tuple[str, int],
    *,
    who: Identity | None = None,
    clock: Clock = QUICK,
    timeout_s: float = 30,
) -> Channel:
    """Return the requester's channel to the holder, or that of somebody else."""
    return connect(
        *address,
        identity=who or identities["requester"],
        peer_certificate=identities["holder"].certificate_der,
        timeout_s=timeout_s,
        clock=clock,
    )


# --- certificates ---


def test_a_joiner_with_another_certificate_is_refused_and_the_wait_goes_on(
    identities: Mapping[str, Identity], stranger: Identity
) -> None:
    refused: list[Stranger] = []
    session = make_session(Role.RECEIVER, range(2), initiator=True)
    with listening(identities) as listener:
        accepting = in_thread(lambda: listener.accept(timeout_s=60, on_refused=refused.append))
        channel = joining(identities, listener.address, who=stranger)
        with pytest.raises(PeerError, match="before it greeted this side") as caught:
            drive(session, channel, idle_timeout_s=60, clock=QUICK)
        assert exit_code(caught.value) == 5
        assert caught.value.hint is not None
        assert "psi id show" in caught.value.hint
        with joining(identities, listener.address), accepting.result(timeout=60) as accepted:
            assert accepted.peer == "127.0.0.1"
        assert refused == [Stranger("127.0.0.1", Fault.CERTIFICATE)]
        assert listener.refused == 1


def test_a_holder_with_another_certificate_is_refused_by_the_joiner(
    identities: Mapping[str, Identity], stranger: Identity
) -> None:
    refused: list[Stranger] = []
    clock = RacingClock()
    with Listener(
        "127.0.0.1",
        0,
        identity=stranger,
        peer_certificate=identities["requester"].certificate_der,
        clock=clock.clock,
    ) as listener:

        def note(who: Stranger) -> None:
            refused.append(who)
            clock.race()

        accepting = in_thread(lambda: listener.accept(timeout_s=600, on_refused=note))
        with pytest.raises(PeerError, match="is not the one in the terms") as caught:
            joining(identities, listener.address)
        assert exit_code(caught.value) == 5
        assert caught.value.hint is not None
        with pytest.raises(TransportError, match="did not come within 600 s; others refused: 1") as late:
            accepting.result(timeout=60)
        assert exit_code(late.value) == 6
        assert refused == [Stranger("127.0.0.1", Fault.REFUSED_OURS)]


def signed_by(
    folder: Path, issuer_key: ec.EllipticCurvePrivateKey, *, name: str, authority: bool
) -> Identity:
    """Return an identity whose certificate another key has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "anchor")]))
        .public_key(issuer_key.public_key() if authority else key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    certificate = builder.sign(issuer_key, hashes.SHA256())
    der = certificate.public_bytes(serialization.Encoding.DER)
    folder.mkdir()
    (folder / "tls.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "tls.key").write_bytes(
        (issuer_key if authority else key).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return Identity(
        name=name,
        certificate_der=der,
        certificate_pem="",
        fingerprint=hashlib.sha256(der).hexdigest(),
        signing_public="",
        sealing_public="",
        tls_key_path=folder / "tls.key",
        tls_certificate_path=folder / "tls.crt",
    )


def test_a_certificate_that_the_pinned_one_has_signed_is_refused_on_either_side(
    identities: Mapping[str, Identity], tmp_path: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    anchor = signed_by(tmp_path / "anchor", key, name="anchor", authority=True)
    child = signed_by(tmp_path / "child", key, name="child", authority=False)
    holder = identities["holder"]
    refused: list[Stranger] = []
    with Listener(
        "127.0.0.1", 0, identity=holder, peer_certificate=anchor.certificate_der, clock=QUICK
    ) as listener:
        accepting = in_thread(lambda: listener.accept(timeout_s=60, on_refused=refused.append))
        joining(identities, listener.address, who=child).close()
        with joining(identities, listener.address, who=anchor), accepting.result(timeout=60):
            assert refused == [Stranger("127.0.0.1", Fault.CERTIFICATE)]
    with Listener(
        "127.0.0.1", 0, identity=child, peer_certificate=holder.certificate_der, clock=QUICK
    ) as listener:
        accepting = in_thread(lambda: listener.accept(timeout_s=60))
        with pytest.raises(PeerError, match="is not the one in the terms"):
            connect(
                *listener.address,
                identity=holder,
                peer_certificate=anchor.certificate_der,
                timeout_s=60,
                clock=QUICK,
            )
        accepting.result(timeout=60).close()


def test_only_tls_13_is_spoken_and_no_session_is_resumed(identities: Mapping[str, Identity]) -> None:
    ends = tls_channels(identities)
    for end in ends:
        stream = end._stream
        assert isinstance(stream, ssl.SSLSocket)
        assert stream.version() == "TLSv1.3"
        assert stream.compression() is None
        assert stream.context.num_tickets == 0 or not stream.server_side
        assert stream.session is None or not stream.session.has_ticket
        assert not stream.session_reused
        end.close()


def test_a_damaged_tls_key_is_a_fault_of_this_machine(
    identities: Mapping[str, Identity], tmp_path: Path
) -> None:
    broken = tmp_path / "tls.key"
    broken.write_text("no key")
    requester = replace(identities["requester"], tls_key_path=broken)
    with pytest.raises(MachineError, match="cannot use the TLS key and certificate") as caught:
        joining(identities, ("127.0.0.1", 1), who=requester)
    assert exit_code(caught.value) == 8


# --- a listener among strangers ---


def plain_text(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=30) as knocking:
        knocking.sendall(b"GET / HTTP/1.1\r\nHost: psi\r\n\r\n")
        knocking.settimeout(30)
        with contextlib.suppress(ConnectionResetError):
            while knocking.recv(100):
                pass


def old_tls(address: tuple[str, int]) -> None:
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    settings.check_hostname, settings.verify_mode = False, ssl.CERT_NONE
    settings.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(address, timeout=30) as knocking,
        pytest.raises(ssl.SSLError),
        settings.wrap_socket(knocking),
    ):
        pass


def no_certificate(address: tuple[str, int]) -> None:
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    settings.check_hostname, settings.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(address, timeout=30) as knocking,
        settings.wrap_socket(knocking) as wrapped,
        pytest.raises(ssl.SSLError),
    ):
        wrapped.recv(1)


def knock_and_go(address: tuple[str, int]) -> None:
    socket.create_connection(address, timeout=30).close()


@pytest.mark.parametrize(
    ("knock", "fault"),
    [
        pytest.param(plain_text, Fault.NOT_TLS, id="http"),
        pytest.param(old_tls, Fault.OTHER_TLS, id="tls_1.2"),
        pytest.param(no_certificate, Fault.NO_CERTIFICATE, id="no_certificate"),
        pytest.param(knock_and_go, Fault.GONE, id="port_scan"),
    ],
)
def test_strangers_are_counted_and_do_not_end_the_wait(
    identities: Mapping[str, Identity], knock: Callable[[tuple[str, int]], None], fault: Fault
) -> None:
    refused: list[Stranger] = []
    seen = threading.Event()

    def note(who: Stranger) -> None:
        refused.append(who)
        seen.set()

    with listening(identities) as listener:
        accepting = in_thread(lambda: listener.accept(timeout_s=60, on_refused=note))
        knock(listener.address)
        assert seen.wait(timeout=30)
        with joining(identities, listener.address), accepting.result(timeout=60):
            assert refused == [Stranger("127.0.0.1", fault)]


def test_silent_strangers_hold_up_nobody(identities: Mapping[str, Identity]) -> None:
    with listening(identities) as listener:
        silent = [socket.create_connection(listener.address, timeout=30) for _ in range(3)]
        accepting = in_thread(lambda: listener.accept(timeout_s=60))
        with joining(identities, listener.address), accepting.result(timeout=60):
            assert listener.refused == 0
        for knocking in silent:
            assert knocking.recv(1) == b""  # let go when the right peer had come
            knocking.close()


def test_a_crowd_of_silent_strangers_loses_its_oldest(identities: Mapping[str, Identity]) -> None:
    refused: list[Stranger] = []
    crowded = threading.Event()

    def note(who: Stranger) -> None:
        refused.append(who)
        if len(refused) == 4:
            crowded.set()

    with listening(identities) as listener:
        accepting = in_thread(lambda: listener.accept(timeout_s=60, on_refused=note))
        silent = [socket.create_connection(listener.address, timeout=30) for _ in range(MAX_HANDSHAKES + 4)]
        assert crowded.wait(timeout=30)
        for knocking in silent[:4]:
            assert knocking.recv(1) == b""
        with joining(identities, listener.address), accepting.result(timeout=60):
            assert {who.fault for who in refused} == {Fault.LATE}
        for knocking in silent:
            knocking.close()


def test_a_stranger_that_is_too_slow_is_let_go(identities: Mapping[str, Identity]) -> None:
    clock = RacingClock()
    refused: list[Stranger] = []
    with listening(identities, clock=clock.clock) as listener:
        with socket.create_connection(listener.address, timeout=30) as silent:
            accepting = in_thread(lambda: listener.accept(timeout_s=3600, on_refused=refused.append))
            clock.race()
            assert silent.recv(1) == b""
        with pytest.raises(TransportError, match="did not come within 3600 s; others refused: 1"):
            accepting.result(timeout=60)
    assert refused == [Stranger("127.0.0.1", Fault.LATE)]


def test_nobody_comes(identities: Mapping[str, Identity]) -> None:
    clock = RacingClock()
    clock.race()
    with (
        listening(identities, clock=clock.clock) as listener,
        pytest.raises(TransportError, match="did not come within 600 s; others refused: 0") as caught,
    ):
        listener.accept(timeout_s=600)
    assert exit_code(caught.value) == 6
    assert caught.value.hint


def test_a_listener_can_be_closed_twice(identities: Mapping[str, Identity]) -> None:
    with listening(identities) as listener:
        listener.close()


def test_a_port_in_use_is_a_fault_of_this_machine(identities: Mapping[str, Identity]) -> None:
    with listening(identities) as listener:
        port = listener.address[1]
        with pytest.raises(MachineError, match=f"port {port} on 127.0.0.1 is in use") as caught:
            listening(identities, port=port)
    assert exit_code(caught.value) == 8
    assert caught.value.hint is not None
    assert "--listen" in caught.value.hint
    with listening(identities, port=port):  # free again at once
        pass


@pytest.mark.parametrize(
    ("host", "error", "match"),
    [
        (
            "192.0.2.1",
            MachineError,
            "192.0.2.1 is not an address of this machine",
        ),  # RFC 5737: for documentation
        ("no.such.name.invalid", UsageError, "the name no.such.name.invalid has no address"),
        ("a" * 64 + ".invalid", UsageError, "has no address"),  # a label too long for a name
    ],
)
def test_a_host_that_cannot_be_listened_on(
    identities: Mapping[str, Identity], host: str, error: type[PsiError], match: str
) -> None:
    with pytest.raises(error, match=match) as caught:
        Listener(
            host, 0, identity=identities["holder"], peer_certificate=identities["requester"].certificate_der
        )
    assert caught.value.hint


def test_a_port_that_needs_a_permission_is_a_fault_of_this_machine(
    identities: Mapping[str, Identity], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> socket.socket:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)  # root may listen everywhere
    with pytest.raises(MachineError, match="cannot listen on 127.0.0.1 port 80: permission denied") as caught:
        listening(identities, port=80)
    assert caught.value.hint


def test_a_stranger_that_is_gone_before_it_is_let_in_is_nobody(
    identities: Mapping[str, Identity], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap, failures = ssl.SSLContext.wrap_socket, [OSError(errno.ENOTCONN, "not connected")]

    def sometimes(settings: ssl.SSLContext, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        if options["server_side"] and failures:
            raise failures.pop()
        return wrap(settings, *arguments, **options)

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", sometimes)
    with listening(identities) as listener:
        accepting = in_thread(lambda: listener.accept(timeout_s=60))
        with joining(identities, listener.address), accepting.result(timeout=60):
            assert not failures


# --- a joiner that looks for the holder ---


def test_a_joiner_may_be_started_first(identities: Mapping[str, Identity]) -> None:
    with listening(identities) as placeholder:
        address = placeholder.address
    tried = threading.Event()
    channel = in_thread(
        lambda: connect(
            *address,
            identity=identities["requester"],
            peer_certificate=identities["holder"].certificate_der,
            timeout_s=60,
            clock=QUICK,
            on_retry=tried.set,
        )
    )
    assert tried.wait(timeout=30)
    with listening(identities, port=address[1]) as listener, listener.accept(timeout_s=60):
        channel.result(timeout=60).close()


def test_a_joiner_gives_up_when_nobody_listens(identities: Mapping[str, Identity]) -> None:
    with listening(identities) as placeholder:
        address = placeholder.address
    clock = RacingClock()
    clock.race()
    with pytest.raises(TransportError, match=rf"nobody listens at 127.0.0.1:{address[1]}") as caught:
        joining(identities, address, clock=clock.clock, timeout_s=300)
    assert exit_code(caught.value) == 6
    assert caught.value.hint is not None
    assert "psi serve" in caught.value.hint


def test_a_name_that_is_not_known_is_named_at_once(identities: Mapping[str, Identity]) -> None:
    with pytest.raises(TransportError, match="the name in .* is not known"):
        joining(identities, ("a" * 64 + ".invalid", 7766))


def answering(answer: Callable[[socket.socket], None]) -> tuple[tuple[str, int], Callable[[], None]]:
    """Start something that answers one connection; return where it is, and how to wait for its end."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with server:
            connection, _ = server.accept()
            with connection:
                answer(connection)

    done = in_thread(serve)
    return server.getsockname(), lambda: done.result(timeout=30)


def answer_http(connection: socket.socket) -> None:
    connection.recv(1 << 16)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def answer_old_tls(connection: socket.socket) -> None:
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        settings.wrap_socket(connection, server_side=True)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        pytest.param(answer_http, Fault.NOT_TLS, id="http"),
        pytest.param(answer_old_tls, Fault.OTHER_TLS, id="tls_1.2"),
    ],
)
def test_something_else_that_listens_there_is_not_the_peer(
    identities: Mapping[str, Identity], answer: Callable[[socket.socket], None], fault: Fault
) -> None:
    address, wait = answering(answer)
    with pytest.raises(PeerError, match=f"is not the other side: {fault.value}") as caught:
        joining(identities, address)
    wait()
    assert exit_code(caught.value) == 5
    assert caught.value.hint is not None
    assert "--connect" in caught.value.hint


def test_a_forwarder_with_nobody_behind_it_is_tried_again(identities: Mapping[str, Identity]) -> None:
    address, wait = answering(lambda connection: None)
    clock = RacingClock()
    result = in_thread(lambda: joining(identities, address, clock=clock.clock, timeout_s=600))
    wait()  # it has closed the first connection
    clock.race()
    with pytest.raises(TransportError, match="nobody listens at|no TLS handshake with"):
        result.result(timeout=60)


def test_a_listener_that_does_not_answer_is_given_up(identities: Mapping[str, Identity]) -> None:
    clock = RacingClock()
    clock.race()
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(TransportError, match="no TLS handshake with"),
    ):
        joining(identities, silent.getsockname(), clock=clock.clock, timeout_s=300)
