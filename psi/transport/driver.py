"""Run sessions over a channel: one thread sends, one receives, and every ending is a named one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from psi.errors import PeerError, PsiError, TransportError, VerificationError
from psi.session import Progress, Session
from psi.transport.channel import Channel, Clock, ConnectionLostError

ALIVE_S = 5.0  # a frame at least as often, or the peer might think that this side is gone
NEWS_S = 1.0  # the peer hears of this side's progress at most as often
LINGER_S = 2.0  # how long a last frame may take to reach the peer before the connection is closed
_TRY_AGAIN = "nothing was kept: start both sides again; the other side's screen says why it ended"


def drive(
    session: Session,
    channel: Channel,
    *,
    then: Sequence[Session] = (),
    idle_timeout_s: float,
    clock: Clock | None = None,
    on_progress: Callable[[int, Progress, Progress], None] | None = None,
) -> None:
    """
    Run a session to its end, ``then`` others one after another, and close the channel, whatever happens.

    ``run`` calls it in the thread that a Ctrl-C interrupts. ``on_progress`` is called there with the number of the
    session, the own and the peer's progress whenever one of them has changed. Returns when both sides have finished
    all of them; then ``session.output()`` of each holds. Raises ``TransportError`` when the connection ends or brings
    nothing for ``idle_timeout_s``, ``PeerError`` when the peer closes it instead of greeting, and whatever a session
    raises; the peer is told when it is to blame.
    """
    driver = _Driver((session, *then), channel, idle_timeout_s, clock or Clock(), on_progress)
    reader = threading.Thread(target=driver.read, name="psi reader", daemon=True)
    reader.start()
    try:
        try:
            driver.write()
        except BaseException as error:
            driver.refuse(error)
            raise
        driver.say_goodbye()
    finally:
        channel.stop()
        reader.join()
        channel.close()


class _Driver:
    """Hold what the two threads of ``drive`` share."""

    def __init__(
        self,
        sessions: Sequence[Session],
        channel: Channel,
        idle_timeout_s: float,
        clock: Clock,
        on_progress: Callable[[int, Progress, Progress], None] | None,
    ) -> None:
        self._sessions, self._channel = sessions, channel
        self._idle_timeout_s, self._clock, self._on_progress = idle_timeout_s, clock, on_progress
        self._reported: tuple[int, Progress, Progress] | None = None
        self._last_sent = self._last_alive = clock.now()
        self._told = sessions[0].progress
        self._due: float | None = None
        self._changed = threading.Condition()  # guards what follows
        self._received = 0
        self._error: BaseException | None = None
        self._stopping = False
        self._drained = False

    @property
    def _session(self) -> Session:
        """
        Return the session that is at work: the first that is not finished.

        Both threads ask anew for each frame. The peer may begin the next session as soon as this one is finished on
        both sides, so its next hello belongs there even if it comes before this side has said its own.
        """
        return next((session for session in self._sessions if not session.finished), self._sessions[-1])

    def read(self) -> None:
        """Hand frames to the session at work until the last is over; the body of the reader thread."""
        try:
            while not (self._stopping or self._session.finished):
                frame = self._channel.receive()
                self._check_due()
                self._session.receive(frame)
                self._note(received=1)
        except ConnectionLostError:
            self._note(error=self._ending())
        except BaseException as error:  # the other thread raises it
            self._note(error=error)
        self._channel.discard()
        self._note(drained=True)

    def write(self) -> None:
        """Send what the sessions make, one after another, until the last is finished."""
        for number, session in enumerate(self._sessions):
            while not session.finished:
                self._check()
                self._send_alive_if_due()
                with self._changed:
                    received = self._received
                frame = session.next_frame()
                if frame is not None:
                    self._send(frame)
                elif session.needs_peer:
                    self._wait_for_frame(received)
            self._tell(number)

    def refuse(self, error: BaseException) -> None:
        """Tell the peer that it is refused, if it is, within ``LINGER_S``; the caller raises the error."""
        self._stopping = True
        frame = self._session.refuse_frame(error)
        if frame is None:
            return
        end = self._clock.now() + LINGER_S

        def give_up_in_time() -> None:
            if self._clock.now() >= end:
                raise TransportError("the peer did not take the refusal in time")

        try:
            self._channel.send(frame, while_blocked=give_up_in_time)
        except TransportError:
            return
        self.say_goodbye()

    def say_goodbye(self) -> None:
        """Close this side's direction and give the peer ``LINGER_S`` to take the last frame and close its own."""
        self._channel.finish_sending()
        self._wait_until(lambda: self._drained)

    def _send(self, frame: bytes) -> None:
        """Send a frame; if the connection breaks, what the reader found says more than that."""
        try:
            self._channel.send(frame, while_blocked=self._check)
        except ConnectionLostError as error:
            self._wait_until(lambda: self._error is not None)
            raise (self._error or self._ending()) from error
        self._last_sent = self._clock.now()
        owed_within_s = self._session.owed_within_s
        if owed_within_s is None:
            self._due = None
        elif self._due is None:
            self._due = self._last_sent + owed_within_s

    def _send_alive_if_due(self) -> None:
        """Say what this side is at, when that has changed or when it has had nothing to send for a while."""
        now, own = self._clock.now(), self._session.progress
        has_news = own != self._told and now - self._last_alive >= NEWS_S
        if not has_news and now - self._last_sent < ALIVE_S:
            return
        frame = self._session.alive_frame()
        if frame is not None:
            self._send(frame)
            self._told, self._last_alive = own, now

    def _check(self) -> None:
        """Report progress; raise what the reader found, or that the peer is silent."""
        session = self._session
        self._tell(self._sessions.index(session))
        if session.finished:
            return
        if self._error is not None:
            raise self._error
        self._check_due()
        quiet_since = self._channel.quiet_since
        if quiet_since is not None and self._clock.now() - quiet_since >= self._idle_timeout_s:
            raise TransportError(
                f"nothing came from the peer for {self._idle_timeout_s:g} s",
                hint="look whether the other side still runs and the network holds, then start both sides again",
            )

    def _tell(self, number: int) -> None:
        """Report the progress of a session, if there is news."""
        session = self._sessions[number]
        news = number, session.progress, session.peer_progress
        if self._on_progress is not None and self._reported != news:
            self._reported = news
            self._on_progress(*news)

    def _check_due(self) -> None:
        """Refuse a peer that has let the time for an answer pass; what arrives then is not looked at any more."""
        due = self._due
        if due is not None and self._session.owed_within_s is not None and self._clock.now() >= due:
            raise VerificationError(
                "the peer did not commit to its list within the time of the terms",
                hint="a slow machine may need a longer deadline_s in the terms",
            )

    def _ending(self) -> PsiError:
        """Say what the end of the connection means at this time."""
        first = self._sessions[0]
        if first.initiator and first.bytes_received == 0:
            # TLS 1.3 lets the client finish its handshake before the server has judged the client's certificate.
            return PeerError(
                "the peer closed the connection before it greeted this side",
                hint="most often its terms name another certificate than this identity's: compare both "
                "fingerprints with `psi id show`; the other side's screen says what it refused",
            )
        # Whether it was closed or reset depends on what was under way: the machine decides, and it means the same.
        return TransportError("the connection to the peer ended before the run was over", hint=_TRY_AGAIN)

    def _note(self, *, received: int = 0, error: BaseException | None = None, drained: bool = False) -> None:
        """Let the writer know what the reader did."""
        with self._changed:
            self._received += received
            self._error = self._error or error
            self._drained = self._drained or drained
            self._changed.notify_all()

    def _wait_for_frame(self, received: int) -> None:
        """Wait for one more frame than ``received`` or for the reader's end, one tick at most."""
        with self._changed:
            if self._received == received and self._error is None:
                self._changed.wait(self._clock.tick_s)

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds, ``LINGER_S`` at most."""
        end = self._clock.now() + LINGER_S
        with self._changed:
            while not condition() and self._clock.now() < end:
                self._changed.wait(self._clock.tick_s)
