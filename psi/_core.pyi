"""
Contract of the compiled module: protocol roles without I/O, and the hashing of items.

``session`` runs the roles and hands ``Hasher`` objects to the transcript, ``items`` fills and collapses ``Digests``,
``intake`` and ``recipes`` call what is about text; nothing else imports this module. Every class may be used by several
threads; the interpreter lock is released in every call that can take over a millisecond.

Frames here are a type byte and a body, without the length that the wire puts before them. Errors of a role end it: each
later call raises ``UsageError``. A ``sid`` or ``seed`` that has not 32 bytes is a ``UsageError``.
"""

from typing import Protocol, final, type_check_only

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Digests",
    "EcdhReceiver",
    "EcdhSender",
    "Hasher",
    "Vocabulary",
    "VoleReceiver",
    "VoleSender",
    "backend",
    "date_order",
    "days",
    "digits",
    "no_phrase",
    "numbered_street",
    "plain",
    "record_ends",
    "tax_number",
    "vole_plan",
]

@type_check_only
class ArrowArrayExportable(Protocol):
    """Stand for a column that hands itself out as an Arrow array (PyCapsule)."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

@type_check_only
class ArrowStreamExportable(Protocol):
    """Stand for a table of polars, pyarrow or any other library that hands out an Arrow stream (PyCapsule)."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

def record_ends(block: bytes, *, delimiter: int, columns: int) -> NDArray[np.int64] | None:
    """
    Return the positions after the line ends of a CSV block that begins with a record (RFC 4180), ascending.

    ``intake`` calls it. ``None`` says that the block has something strange in it, or may have: a quote where none can
    be, a carriage return without a line feed, a blank line, another number of fields than ``columns``, a NUL byte,
    bytes that are not UTF-8. What follows the last line end is not looked at to its end.
    """

def plain(column: ArrowStreamExportable, *, max_bytes: int) -> NDArray[np.bool_]:
    """
    Return where the values of a table of one column are printable ASCII, not blank, and of so many bytes at most.

    Raises ``UsageError`` for another number of columns, one that is not of strings and one with missing values.
    """

def days(column: ArrowStreamExportable, *, date_format: str) -> NDArray[np.int32]:
    """
    Return the values of a table of one column as days since 1970-01-01; -2^31 where a value is not exactly one.

    ``date_format`` is as `psi.recipes.date_pattern` allows it. Raises ``UsageError`` for other directives, another
    number of columns, one that is not of strings and one with missing values.
    """

def date_order(columns: ArrowStreamExportable, *, date_format: str) -> NDArray[np.bool_]:
    """
    Return where both values of a table of two columns are days, and the first comes before the second.

    ``date_format`` and what is raised are as in ``days``.
    """

def tax_number(column: ArrowStreamExportable) -> NDArray[np.bool_]:
    """
    Return where the values of a table of one column pass the rule ``tax-number/1``.

    Raises ``UsageError`` for another number of columns, one that is not of strings and one with missing values.
    """

def no_phrase(column: ArrowStreamExportable, *, phrases: list[str]) -> NDArray[np.bool_]:
    """
    Return where the values of a table of one column have letters A to Z, the first three of which begin no phrase.

    Case does not count. Of a value or phrase with fewer letters, all are compared. Raises ``UsageError`` for another
    number of columns, one that is not of strings and one with missing values.
    """

def numbered_street(column: ArrowStreamExportable) -> NDArray[np.bool_]:
    """
    Return where the values of a table of one column are a number and, behind a blank, a line with two letters A to Z.

    All of them pass the rule ``street/1``. Raises ``UsageError`` for another number of columns, one that is not of
    strings and one with missing values.
    """

def digits(column: ArrowStreamExportable) -> ArrowArrayExportable:
    """
    Return the values of a table of one column without all but the digits ``0`` to ``9``: the recipe ``digits/1``.

    Raises ``UsageError`` for another number of columns, one that is not of strings and one with missing values.
    """

@final
class Vocabulary:
    """Number the different texts of some columns as they come; ``intake`` remembers by it what it found out of each."""

    def __new__(cls) -> Vocabulary: ...
    def number(
        self, columns: ArrowStreamExportable, *, limit: int
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32]] | None:
        """
        Return the number of each row of a table, and the rows whose texts are new, in the order of their numbers.

        Texts have numbers from 0; rows are equal if all of their columns are. ``None`` if there would be more than
        ``limit`` texts: some rows may then have got numbers all the same. Raises ``UsageError`` for a column that is
        not of strings and for missing values.
        """

def backend() -> dict[str, str]:
    """Return each kernel with the implementation that runs on this processor; ``psi doctor`` shows it."""

def vole_plan(*, malicious: bool, n_receiver: int, n_sender: int, tree_depth: int) -> dict[str, int]:
    """
    Return the numbers of a run of a vole suite by name (vole.md, "Sizes"); ``session`` calls it.

    ``columns``, ``value_bytes``, ``tag_bytes``, ``batch_items`` (of the sender), ``batch_outputs`` (of the
    correlation), ``n_max`` (the bound on a cheating receiver's set), ``receiver_bytes`` and ``sender_bytes`` (all
    frames of the suite, without a report). Raises ``UsageError`` for more than 2^28 items and a ``tree_depth`` other
    than 7, 8 and 9.
    """

@final
class Digests:
    """
    Hold the digests of items, 32 bytes each, in memory of the core; ``items`` makes them, a role shares them.

    Made of an array of shape (items, 32), C-contiguous, which is copied, or empty. Raises ``UsageError`` for another
    width or layout. A list that a role has cannot be changed any more: a ``UsageError``.
    """

    def __new__(cls, digests: NDArray[np.uint8] | None = None) -> Digests: ...
    def __len__(self) -> int: ...
    def append(self, columns: ArrowStreamExportable, *, threads: int = 1) -> None:
        """
        Append the digests of the rows of a table of key columns.

        Every column is a string column (Utf8View, LargeUtf8 or Utf8) without missing values; all are used, in their
        order. The digest of a row is BLAKE3, in derive-key mode with the context ``psi/1 item``, of each value's length
        as u32 and its UTF-8 bytes (psi.md, "Items").

        Raises ``UsageError`` that names column and row by number for anything else, and for a stream that breaks off;
        nothing is appended then.
        """

    def collapse(self, *, threads: int = 1) -> NDArray[np.uint32]:
        """
        Leave the first of each digest that occurs several times; return where the digest of each row is now.

        Raises ``UsageError`` for 2^32 rows or more.
        """

    def array(self) -> NDArray[np.uint8]:
        """Return a copy of shape (items, 32)."""

@final
class Hasher:
    """Hash in pieces: BLAKE3 in derive-key mode, 32 bytes. ``session`` hands two of them to the transcript."""

    def __new__(cls, context: str) -> Hasher: ...
    def update(self, data: bytes) -> None:
        """Append bytes to what is hashed."""

    def digest(self) -> bytes:
        """Return the digest of everything so far, 32 bytes; more may follow."""

@final
class EcdhReceiver:
    """
    Learn which own items the sender has, or with ``cardinality`` only how many (ecdh.md).

    *Learns* that. *The peer learns* nothing. *Both see* both sizes. *Holds against* semi-honest parties.

    ``session`` makes it. ``digests`` are those of the distinct own items, or an array of them as ``Digests`` takes it;
    two equal ones are a ``UsageError``, more than 2^28 too. ``n_sender`` is what the sender declared. ``sid`` is 32
    bytes and the same for both; ``seed`` is 32 secret bytes, fresh for this role and this run. The result does not
    depend on ``threads`` (1 to 1024).
    """

    def __new__(
        cls,
        digests: NDArray[np.uint8] | Digests,
        *,
        cardinality: bool,
        n_sender: int,
        sid: bytes,
        seed: bytes,
        threads: int,
    ) -> EcdhReceiver: ...
    @property
    def needs_peer(self) -> bool:
        """Whether nothing can be done until a frame of the peer has been received."""

    @property
    def finished(self) -> bool:
        """Whether everything is sent, received and worked on."""

    def next_frame(self) -> bytes | None:
        """
        Work on at most one chunk and return a whole frame if one came of it: ``blinded``.

        ``None`` means: wait for the peer if ``needs_peer``, done if ``finished``, else call again. Raises
        ``DecodeError`` (an element that is not canonical, or the identity) and ``VerificationError`` (equal
        elements, descending tags).
        """

    def receive(self, frame: bytes) -> None:
        """
        Take a whole frame of the sender, ``evaluated`` or ``tags``: check place and length, and put it by.

        Raises ``DecodeError`` (unknown type, wrong length) and ``StateError`` (early, or more than declared).
        """

    def progress(self) -> tuple[str, int, int]:
        """Return phase (as in the ``alive`` frame), done and total; never waits for a call at work."""

    def matched(self) -> NDArray[np.uint32]:
        """
        Return the indices of the own items that the sender has, ascending.

        Raises ``UsageError`` with ``cardinality`` and before ``finished``.
        """

    def overlap(self) -> int:
        """Return how many own items the sender has. Raises ``UsageError`` before ``finished``."""

@final
class EcdhSender:
    """
    Let the receiver learn which items both have, or with ``cardinality`` only how many (ecdh.md).

    *Learns* nothing. *The peer learns* that. *Both see* both sizes. *Holds against* semi-honest parties.

    ``session`` makes it, with the arguments of ``EcdhReceiver``; ``n_receiver`` is what the receiver declared.
    """

    def __new__(
        cls,
        digests: NDArray[np.uint8] | Digests,
        *,
        cardinality: bool,
        n_receiver: int,
        sid: bytes,
        seed: bytes,
        threads: int,
    ) -> EcdhSender: ...
    @property
    def needs_peer(self) -> bool:
        """Whether nothing can be done until a frame of the peer has been received."""

    @property
    def finished(self) -> bool:
        """Whether everything is sent, received and worked on."""

    def next_frame(self) -> bytes | None:
        """
        Work on at most one chunk and return a whole frame if one came of it: ``evaluated`` or ``tags``.

        ``None`` means: wait for the peer if ``needs_peer``, done if ``finished``, else call again. Raises
        ``DecodeError`` (an element that is not canonical, or the identity) and ``VerificationError`` (equal
        elements).
        """

    def receive(self, frame: bytes) -> None:
        """
        Take a whole frame of the receiver, ``blinded``: check place and length, and put it by.

        Raises ``DecodeError`` (unknown type, wrong length) and ``StateError`` (more than declared).
        """

    def progress(self) -> tuple[str, int, int]:
        """Return phase (as in the ``alive`` frame), done and total; never waits for a call at work."""

@final
class VoleReceiver:
    """
    Learn which own items the sender has (vole.md).

    *Learns* that. *The peer learns* nothing or, with ``report``, its items that both have. *Both see* both sizes.
    *Holds against* malicious parties if ``malicious``, else semi-honest ones.

    ``session`` makes it. ``digests`` are those of the distinct own items, or an array of them as ``Digests`` takes it;
    two equal ones show as a ``UsageError`` while they are encoded. ``n_sender`` is what the sender declared; more than
    2^28 items are a ``UsageError``. ``tree_depth`` is 7, 8 or 9 and ``sid`` 32 bytes, for both the same; ``seed`` is 32
    secret bytes, fresh for this role and this run. The result does not depend on ``threads`` (1 to 1024).
    """

    def __new__(
        cls,
        digests: NDArray[np.uint8] | Digests,
        *,
        malicious: bool,
        report: bool,
        n_sender: int,
        tree_depth: int,
        sid: bytes,
        seed: bytes,
        threads: int,
    ) -> VoleReceiver: ...
    @property
    def needs_peer(self) -> bool:
        """Whether nothing can be done until a frame of the peer has been received."""

    @property
    def finished(self) -> bool:
        """Whether everything is sent, received and worked on."""

    def next_frame(self) -> bytes | None:
        """
        Do a piece of work and return a frame if one came of it.

        That is ``extend``, ``challenge``, ``bind``, ``okvs`` or ``report``.
        ``None`` means: wait for the peer if ``needs_peer``, done if ``finished``, else call again. Raises
        ``DecodeError`` (an element that is not canonical, or the identity), ``VerificationError`` (a check over what
        the peer sent failed), ``UsageError`` (equal items) and ``MachineError`` (the items cannot be encoded under
        this seed).
        """

    def receive(self, frame: bytes) -> None:
        """
        Take a whole frame of the sender: check place and length, and work on it or put it by.

        Raises ``DecodeError`` (unknown type, wrong length), ``StateError`` (early, repeated, out of order) and
        ``VerificationError``.
        """

    def progress(self) -> tuple[str, int, int]:
        """Return phase (as in the ``alive`` frame), done and total; never waits for a call at work."""

    def matched(self) -> NDArray[np.uint32]:
        """
        Return the indices of the own items that the sender has, ascending.

        Raises ``UsageError`` before ``finished``.
        """

@final
class VoleSender:
    """
    Let the receiver learn which items both have (vole.md).

    *Learns* nothing or, with ``report``, what the receiver reports of that. *The peer learns* that. *Both see* both
    sizes. *Holds against* malicious parties if ``malicious``, else semi-honest ones.

    ``session`` makes it, with the arguments of ``VoleReceiver``; ``n_receiver`` is what the receiver declared.
    """

    def __new__(
        cls,
        digests: NDArray[np.uint8] | Digests,
        *,
        malicious: bool,
        report: bool,
        n_receiver: int,
        tree_depth: int,
        sid: bytes,
        seed: bytes,
        threads: int,
    ) -> VoleSender: ...
    @property
    def needs_peer(self) -> bool:
        """Whether nothing can be done until a frame of the peer has been received."""

    @property
    def finished(self) -> bool:
        """Whether everything is sent, received and worked on."""

    def next_frame(self) -> bytes | None:
        """
        Do a piece of work and return a frame if one came of it.

        That is ``choose``, ``punctured``, ``proof``, ``open`` or ``vole-tags``.
        ``None`` means: wait for the peer if ``needs_peer``, done if ``finished``, else call again. Raises
        ``DecodeError`` (an element that is not canonical, or the identity), ``VerificationError`` (a check over what
        the peer sent failed) and ``UsageError`` (equal items).
        """

    def receive(self, frame: bytes) -> None:
        """
        Take a whole frame of the receiver: check place and length, and work on it or put it by.

        Raises ``DecodeError`` (unknown type, wrong length), ``StateError`` (early, repeated, out of order) and
        ``VerificationError``.
        """

    def progress(self) -> tuple[str, int, int]:
        """Return phase (as in the ``alive`` frame), done and total; never waits for a call at work."""

    def matched(self) -> NDArray[np.uint32]:
        """
        Return the indices of the own items that the receiver reported, ascending.

        Raises ``UsageError`` without ``report`` and before ``finished``.
        """
