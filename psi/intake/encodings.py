"""
Bring the bytes of a CSV file to UTF-8, whatever the terms say they are in, and positions in the text back to the file.

Everything after this sees UTF-8. A byte that is no character of the encoding becomes one that UTF-8 never has, so that
the framing finds it, and names its row and column, as it does in a UTF-8 file.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from psi.errors import GateError

_MARKS = {"utf-8": b"\xef\xbb\xbf", "utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
_CODECS = {"windows-1252": "cp1252"}  # as Python calls it, where it does so otherwise
_UTF32 = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")


@dataclass(frozen=True)
class Encoding:
    """
    Know how a file writes characters.

    ``name`` is that of the terms, ``codec`` that of Python with the order of bytes settled, ``mark`` the byte order
    mark at the beginning of the file, if it has one.
    """

    name: str
    codec: str
    mark: bytes

    @property
    def is_utf8(self) -> bool:
        """Return whether the bytes of the file are the text already."""
        return self.codec == "utf-8"

    @property
    def spelled(self) -> str:
        """Return the name as a message spells it."""
        return self.name.upper() if self.name.startswith("utf") else self.name

    def encode(self, text: str) -> bytes:
        """Return what a text of ASCII or of the file itself is in the file."""
        return text.encode(self.codec)

    def places(self, text: bytes, ends: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many bytes of the file each beginning of a text takes that ends at one of ``ends``, ascending."""
        unit = len(self.encode("\n"))
        if self.is_utf8 or not len(ends):
            return ends
        if text.isascii():
            return ends * unit
        data = np.frombuffer(text, dtype=np.uint8)[: ends[-1]]
        units = ((data & 0xC0) != 0x80).view(np.uint8)  # a character begins here
        if unit == 2:
            units = units + (data >= 0xF0)  # and takes a pair of surrogates
        starts = np.concatenate((np.zeros(1, dtype=np.int64), ends[:-1]))
        counted: NDArray[np.int64] = np.cumsum(np.add.reduceat(units, starts, dtype=np.int64)) * unit
        return counted


@dataclass
class Recoder:
    """Turn the blocks of a file, one after the other, into UTF-8."""

    encoding: Encoding
    _decoder: codecs.IncrementalDecoder | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # What is no character becomes a lone surrogate, and that, written all the same, is what UTF-8 never has.
        errors = "surrogatepass" if self.encoding.codec.startswith("utf-16") else "surrogateescape"
        self._decoder = (
            None
            if self.encoding.is_utf8
            else codecs.getincrementaldecoder(self.encoding.codec)(errors=errors)
        )

    def recode(self, block: bytes, *, final: bool) -> bytes:
        """Return the text of a block; what is left of a cut character comes with the next one."""
        if self._decoder is None:
            return block
        try:
            text = self._decoder.decode(block, final)
        except UnicodeDecodeError as error:  # only of UTF-16, and only at the end of the file
            text = error.object[: error.start].decode(self.encoding.codec, "surrogatepass") + "\udc00"
        return text.encode("utf-8", "surrogatepass")


def recognise(name: str, start: bytes, file_name: str) -> Encoding:
    """
    Return the encoding of a file that the terms call ``name`` and that begins with these bytes: a line of it at least.

    Raises `GateError` when these bytes show that the file is in another one.
    """
    marked = next((codec for codec, mark in _MARKS.items() if start.startswith(mark)), None)
    codec = _CODECS.get(name, name)
    if name == "utf-16":
        codec = marked if marked in ("utf-16-le", "utf-16-be") else "utf-16"
    wide = codec.startswith("utf-16")
    if wide and start[2:] and b"\0" not in start:  # there is one in each line feed
        raise GateError(f"{file_name}: the file is not UTF-16", hint=_in_the_terms("utf-8"))
    if start.startswith(_UTF32) or (not wide and b"\0" in start[:4]):
        raise GateError(f"{file_name}: the file is UTF-16 or UTF-32", hint=_hint_of_nuls(start))
    if codec == "utf-16" and start:
        raise GateError(f"{file_name}: the file has no byte order mark", hint=_hint_of_nuls(start))
    if marked not in (None, codec):
        spelled = str(marked).upper()
        raise GateError(
            f"{file_name}: its first bytes are those of {spelled}", hint=_in_the_terms(str(marked))
        )
    return Encoding(name, codec, start[: len(_MARKS[codec])] if marked else b"")


def hint_of_bytes(text: bytes) -> str:
    """Return what to do about bytes that are not UTF-8."""
    try:
        text.decode("cp1252")
    except UnicodeDecodeError:
        return "save the file as UTF-8; it is not windows-1252 either"
    return f"{_in_the_terms('windows-1252')} if it is from Windows, or save the file as UTF-8"


def _hint_of_nuls(start: bytes) -> str:
    """Return what to do about a file whose characters have several bytes."""
    if start.startswith(_UTF32) or start[:3] == b"\0\0\0" or start[1:4] == b"\0\0\0":
        return "save the file as UTF-8: iconv -f utf-32 -t utf-8 FILE > NEWFILE"
    if start.startswith((_MARKS["utf-16-le"], _MARKS["utf-16-be"])):
        return _in_the_terms("utf-16")
    return _in_the_terms("utf-16-be" if start.startswith(b"\0") else "utf-16-le")


def _in_the_terms(name: str) -> str:
    return f'write encoding = "{name}" in the terms'
