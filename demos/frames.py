"""
Show every frame that two parties exchange, and what either knows afterwards: ``python demos/frames.py [SUITE]``.

Both parties are in this process and no network is used, so that the whole exchange can be read from top to bottom. It
is also the shortest use of the library: items, two sessions, frames carried across, an output.
"""

from __future__ import annotations

import secrets
import sys

import numpy as np
import polars as pl

from psi import wire
from psi.items import Collector, Items
from psi.session import SEED_BYTES, Role, Session
from psi.wire import NONCE_BYTES, Suite

RECEIVER_LIST = ["AKANA 1951", "BRAUN 1962", "CHEN 1973", "DIALLO 1984", "EVANS 1995", "FRANCO 1949"]
SENDER_LIST = ["CHEN 1973", "GUPTA 1958", "EVANS 1995", "HALE 1971", "IDRIS 1988"]


def items_of(people: list[str]) -> Items:
    """Return the items of a list: a digest for each person, made on the party's own machine."""
    collector = Collector()
    collector.add(pl.DataFrame({"key": people}), np.arange(len(people), dtype=np.uint32))
    return collector.finish()


def session_of(role: Role, items: Items, suite: Suite) -> Session:
    """Return one party of a run; terms and certificates are stand-ins, seed and nonce are fresh."""
    parties = {Role.RECEIVER: b"receiver".ljust(32), Role.SENDER: b"sender".ljust(32)}
    other = Role.SENDER if role is Role.RECEIVER else Role.RECEIVER
    return Session(
        role,
        items.digests,
        suite=suite,
        initiator=role is Role.RECEIVER,
        terms_digest=b"the same terms".ljust(32),
        certificate=parties[role],
        peer_certificate=parties[other],
        max_items=1000,
        peer_max_items=1000,
        seed=secrets.token_bytes(SEED_BYTES),
        nonce=secrets.token_bytes(NONCE_BYTES),
        threads=1,
    )


def exchange(receiver: Session, sender: Session) -> list[tuple[str, bytes]]:
    """Carry frames until both are finished; return each with the name of who sent it."""
    carried = []
    while not (receiver.finished and sender.finished):
        for name, one, other in (("receiver", receiver, sender), ("sender", sender, receiver)):
            frame = one.next_frame()
            if frame is not None:
                carried.append((name, frame))
                other.receive(frame)
    return carried


def main() -> None:
    """Run twice and print the frames of the first run."""
    suite = Suite(sys.argv[1]) if len(sys.argv) > 1 else Suite.VOLE_MALICIOUS
    lists = {Role.RECEIVER: items_of(RECEIVER_LIST), Role.SENDER: items_of(SENDER_LIST)}
    print(f"suite {suite.value}: receiver with {len(RECEIVER_LIST)} people, sender with {len(SENDER_LIST)}\n")
    runs = []
    for _ in range(2):
        receiver, sender = (session_of(role, lists[role], suite) for role in Role)
        runs.append((exchange(receiver, sender), receiver, sender))
    frames, receiver, sender = runs[0]
    print(f"{'from':<9} {'frame':<10} {'bytes':>9}  begins with")
    for name, frame in frames:
        print(f"{name:<9} {wire.frame_type(frame).label:<10} {len(frame):>9,}  {frame[5:21].hex(' ')}")

    output = receiver.output()
    print("\nThe receiver knows", end=" ")
    if output.matched is None:
        print(f"that {output.overlap} people are on both lists, and not who.")
    else:
        print("that these are on both lists:", ", ".join(RECEIVER_LIST[item] for item in output.matched))
    print(f"The sender knows that the receiver compared {sender.n_peer} people, and nothing else.")

    digests = {bytes(digest) for items in lists.values() for digest in items.digests}
    sent = b"".join(frame for _, frame in frames)
    print(f"\nDigests of people among the {len(sent):,} bytes sent: {sum(d in sent for d in digests)}.")
    again = {frame for _, frame in runs[1][0]}
    same = [wire.frame_type(frame).label for _, frame in frames if frame in again]
    print(f"Frames that a second run of the same lists has as well: {', '.join(same)}.")
    print(f"Both saw the same run: {receiver.transcript == sender.transcript}.")


if __name__ == "__main__":
    main()
