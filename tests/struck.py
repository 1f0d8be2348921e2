"""
Run ``psi`` as a program that a signal strikes at one moment of its run: always the same one, on any machine.

``python struck.py SIGNAL "MOMENT NAME" ARGUMENTS`` runs ``psi ARGUMENTS``. The moments: ``enters PHASE`` of the run
folder's events, ``renames FILE`` whose temporary file is whole, ``sends FRAME`` that is made and not yet sent,
``receives FRAME`` that has arrived and was not yet looked at. The program itself is the one that people run.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from psi import cli, wire
from psi.run.folder import EventLog
from psi.session import Session


def main(number: signal.Signals, moment: str, arguments: list[str]) -> None:
    """Run ``psi`` and send this process the signal when the moment has come, the first time only."""
    left = [moment]

    def reach(reached: str) -> None:
        if reached in left:
            left.clear()
            os.kill(os.getpid(), number)

    def watch(event: str, facts: tuple[object, ...]) -> None:
        if event == "os.rename":
            reach(f"renames {Path(str(facts[0])).name.removeprefix('.').removesuffix('.part')}")

    make, take, write = Session.next_frame, Session.receive, EventLog.write

    def next_frame(session: Session) -> bytes | None:
        frame = make(session)
        if frame is not None:
            reach(f"sends {wire.frame_type(frame).label}")
        return frame

    def receive(session: Session, frame: bytes) -> None:
        reach(f"receives {wire.frame_type(frame).label}")
        take(session, frame)

    def write_event(log: EventLog, event: str, **facts: object) -> None:
        write(log, event, **facts)
        if event == "phase":
            reach(f"enters {facts['phase']}")

    sys.addaudithook(watch)
    Session.next_frame, Session.receive, EventLog.write = next_frame, receive, write_event  # type: ignore[method-assign]
    # A shell that starts the tests in the background has them ignore interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    cli.main(arguments)


if __name__ == "__main__":
    main(signal.Signals[sys.argv[1]], sys.argv[2], sys.argv[3:])
