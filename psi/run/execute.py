"""
Run one party from its file to its receipt.

The order is fixed: terms and identity, the port, the run folder, the intake gate, the peer, the comparison, the
outputs. Nothing is read from the network before the gate has passed the file, and no output exists before both
transcripts were compared (``Session.output`` raises until then), under every key of the terms.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import psi.identity
from psi import intake, terms, transport
from psi.errors import PsiError, TermsError
from psi.items import Items
from psi.run.folder import GATE, MATCHED, RECEIPT, REJECTS, RunFolder, utc_now
from psi.run.machine import peak_rss_bytes
from psi.run.receipt import KeyOutcome, Receipt
from psi.session import SEED_BYTES, Role, Session, backend
from psi.wire import NONCE_BYTES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from psi import session
    from psi.identity import Identity
    from psi.items import Items
    from psi.terms import Key, Side, Terms


@dataclass(frozen=True)
class Listen:
    """Say where the holder waits, and for how long; port 0 lets the system choose."""

    host: str
    port: int
    wait_s: float


@dataclass(frozen=True)
class Connect:
    """Say where the requester finds the holder, and how long it keeps trying."""

    host: str
    port: int
    wait_s: float


@dataclass(frozen=True, kw_only=True)
class RunInput:
    """Hold what one side brings to a run; ``threads`` 0 means all cores that this process may use."""

    side: Side
    file: Path | intake.Query
    terms: Path
    identity: Path
    out: Path
    endpoint: Listen | Connect
    threads: int = 0
    idle_timeout_s: float = 300.0


@dataclass(frozen=True)
class Progress:
    """
    Say what both sides are doing and how much of that is done; ``peer_phase`` is empty while unknown.

    ``key`` is the name of the key that is compared, where the terms have several.
    """

    phase: str
    percent: int
    peer_phase: str = ""
    peer_percent: int = 0
    key: str = ""


def execute(
    run: RunInput,
    *,
    watch: Callable[[Progress], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> Receipt:
    """
    Run one side to its end and return the receipt, which then stands in the run folder; the command line calls it.

    ``watch`` is called with the progress of both sides, ``note`` with a line that a person should see. Raises any
    ``PsiError``; the run folder then holds the events, and the gate's report if the file got that far, and nothing
    else.
    """
    agreement = terms.load(run.terms)
    terms.check(agreement, today=datetime.now(UTC).date())
    identity = psi.identity.load(run.identity)
    if terms.side_of(agreement, identity.fingerprint) != run.side:
        raise TermsError(
            f"this identity is not the {run.side} of the terms",
            hint="`psi terms check TERMS --identity DIR` says which side it is; the holder serves, the requester joins",
        )
    with contextlib.ExitStack() as closing:
        listener = None
        if isinstance(run.endpoint, Listen):
            listener = closing.enter_context(
                transport.Listener(
                    run.endpoint.host,
                    run.endpoint.port,
                    identity=identity,
                    peer_certificate=_peer_certificate(agreement, run.side),
                )
            )
        intake.check(run.file)  # a wrong name leaves no folder behind
        folder = closing.enter_context(RunFolder(run.out))
        spool = closing.enter_context(intake.Spool(run.out))
        return _Run(run, agreement, identity, folder, spool, listener, watch, note).perform()


@dataclass
class _Run:
    """Hold one run while it goes on."""

    run: RunInput
    agreement: Terms
    identity: Identity
    folder: RunFolder
    spool: intake.Spool
    listener: transport.Listener | None
    watch: Callable[[Progress], None] | None
    note: Callable[[str], None] | None
    started: str = field(default_factory=utc_now)
    seconds: dict[str, float] = field(default_factory=dict)

    def perform(self) -> Receipt:
        """Go through the phases in their order, and leave a record of the one that failed."""
        try:
            if self.listener is not None:
                host, port = self.listener.address
                self.folder.events.write("listening", host=host, port=port)
                self._say(f"psi: listening on {host} port {port}")
            with self._phase("gate"):
                taken = self._take_in()
            with self._phase("connect"):
                channel = self._meet()
            with self._phase("exchange"), channel:
                done = self._exchange(taken, channel)
            with self._phase("write"):
                matched_file, matched_rows = self._write_matched(
                    taken, [each.output().matched for each in done]
                )
            receipt = self._write_receipt(taken, done, matched_file, matched_rows)
            self._progress("done", 100)
            self.folder.events.write("finished")
        except BaseException as error:
            self._record(error)
            raise
        return receipt

    def _take_in(self) -> intake.Intake:
        """Read the own file through the gate, and leave its report and the rejected rows."""
        taken = intake.read(
            self.run.file,
            party=getattr(self.agreement, self.run.side),
            side=self.run.side,
            keys=self.agreement.keys,
            rejects=self.folder / REJECTS,
            threads=self._threads,
            spool=self.spool if self._learns_rows else None,
            progress=lambda done, total: self._progress("gate", 100 * done // max(total, 1)),
            on_report=lambda report: intake.write_json(self.folder / GATE, report.document()),
        )
        intake.check_limit(taken.report, self._parties[0], self.run.side)
        return taken

    def _meet(self) -> transport.Channel:
        """Find the peer that the terms name, and nobody else."""
        self._progress("connect", 0)
        if self.listener is not None:
            channel = self.listener.accept(timeout_s=self.run.endpoint.wait_s, on_refused=self._refused)
            self.listener.close()
            return channel
        return transport.connect(
            self.run.endpoint.host,
            self.run.endpoint.port,
            identity=self.identity,
            peer_certificate=_peer_certificate(self.agreement, self.run.side),
            timeout_s=self.run.endpoint.wait_s,
            on_retry=lambda: self._say(
                f"psi: nobody listens there yet; trying for {self.run.endpoint.wait_s:g} s"
            ),
        )

    def _exchange(self, taken: intake.Intake, channel: transport.Channel) -> list[Session]:
        """Compare with the peer, key by key; the sessions have an output afterwards, all of them or none."""
        sessions = [self._session(number, items) for number, items in enumerate(taken.items)]
        transport.drive(
            sessions[0],
            channel,
            then=sessions[1:],
            idle_timeout_s=self.run.idle_timeout_s,
            on_progress=self._both,
        )
        return sessions

    def _session(self, number: int, items: Items) -> Session:
        """Return the session of a key, with randomness of its own."""
        own, peer = self._parties
        key = self.agreement.keys[number]
        return Session(
            self._role,
            items.held,
            suite=terms.suite_of(self.agreement, key),
            initiator=self.run.side == "requester",
            terms_digest=terms.key_digest(self.agreement, number),
            certificate=bytes.fromhex(own.fingerprint),
            peer_certificate=bytes.fromhex(peer.fingerprint),
            max_items=own.max_items,
            peer_max_items=peer.max_items,
            seed=secrets.token_bytes(SEED_BYTES),
            nonce=secrets.token_bytes(NONCE_BYTES),
            threads=self._threads,
            report=self.agreement.learns == "both" and key.compare == "match",
            deadline_s=self.agreement.deadline_s,
            tree_depth=self.agreement.tree_depth,
        )

    def _write_matched(
        self, taken: intake.Intake, matched: list[NDArray[np.uint32] | None]
    ) -> tuple[str | None, int | None]:
        """Write the own matched rows, if this side learns any; return the name of the file and their number."""
        self._progress("write", 0)
        if all(items is None for items in matched):
            return None, None
        found = intake.find_rows(taken, matched)
        path = intake.write_matched(taken, found, self.folder / MATCHED)
        return path.name, len(found)

    def _write_receipt(
        self, taken: intake.Intake, done: list[Session], matched_file: str | None, matched_rows: int | None
    ) -> Receipt:
        """Write the receipt, the last file of a run: where it is, the run is whole."""
        own, peer = self._parties
        receipt = Receipt(
            side=self.run.side,
            role=self._role.value,
            terms_digest=terms.digest(self.agreement),
            parties={
                "own": {"name": own.name, "fingerprint": own.fingerprint},
                "peer": {"name": peer.name, "fingerprint": peer.fingerprint},
            },
            keys=[
                self._outcome(key, each, items)
                for key, each, items in zip(self.agreement.keys, done, taken.items, strict=True)
            ],
            matched_file=matched_file,
            matched_rows=matched_rows,
            gate=taken.report.document(),
            started=self.started,
            ended=utc_now(),
            seconds=self.seconds,
            peak_rss_bytes=peak_rss_bytes(),
            backend=backend(),
        )
        intake.write_json(self.folder / RECEIPT, receipt.document())
        return receipt

    def _outcome(self, key: Key, done: Session, items: Items) -> KeyOutcome:
        """Return what the receipt says of one key."""
        matched = done.output().matched
        return KeyOutcome.of(
            key,
            terms.suite_of(self.agreement, key),
            done,
            items=len(items),
            matched_rows=None if matched is None else len(items.rows_of(matched)),
        )

    @property
    def _role(self) -> Role:
        return Role.RECEIVER if terms.receiver(self.agreement) == self.run.side else Role.SENDER

    @property
    def _learns_rows(self) -> bool:
        """Return whether this side learns which of its rows match."""
        suites = [terms.suite_of(self.agreement, key) for key in self.agreement.keys]
        return self.run.side in terms.learners(self.agreement) and any(suite.learns_items for suite in suites)

    @property
    def _parties(self) -> tuple[terms.Party, terms.Party]:
        """Return the own party of the terms and the peer's."""
        requester, holder = self.agreement.requester, self.agreement.holder
        return (requester, holder) if self.run.side == "requester" else (holder, requester)

    @property
    def _threads(self) -> int:
        return self.run.threads or (
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
        )

    @contextlib.contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        """Time a phase; the receipt has the seconds of each."""
        begin_s = time.monotonic()
        self.folder.events.write("phase", phase=name)
        yield
        self.seconds[name] = time.monotonic() - begin_s

    def _progress(self, phase: str, percent: int) -> None:
        self._tell(Progress(phase, percent))

    def _both(self, number: int, own: session.Progress, peer: session.Progress) -> None:
        keys = self.agreement.keys
        name = keys[number].name if len(keys) > 1 else ""
        self._tell(Progress(own.phase.value, own.percent, peer.phase.value, peer.percent, name))

    def _tell(self, progress: Progress) -> None:
        self.folder.events.progress(
            progress.phase,
            progress.percent,
            peer_phase=progress.peer_phase,
            peer_percent=progress.peer_percent,
            key=progress.key,
        )
        if self.watch is not None:
            self.watch(progress)

    def _refused(self, stranger: transport.Stranger) -> None:
        """Record a connection that was turned away, and show it."""
        self.folder.events.write("refused", address=stranger.address, reason=stranger.fault.value)
        self._say(f"psi: refused a connection from {stranger.address}: {stranger.fault.value}; still waiting")

    def _say(self, line: str) -> None:
        if self.note is not None:
            self.note(line)

    def _record(self, error: BaseException) -> None:
        """Write why the run ended; a disk that is full must not hide the first error."""
        message = error.message if isinstance(error, PsiError) else ""
        with contextlib.suppress(PsiError):
            self.folder.events.write("stopped", error=type(error).__name__, message=message)


def _peer_certificate(agreement: Terms, side: Side) -> bytes:
    """Return the DER of the certificate that the terms give the other side."""
    peer = agreement.holder if side == "requester" else agreement.requester
    return x509.load_pem_x509_certificate(peer.certificate.encode("ascii")).public_bytes(Encoding.DER)
