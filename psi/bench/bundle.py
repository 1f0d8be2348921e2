"""
Write a benchmark's bundle, sign what is in it, and check one.

The manifest is a DSSE envelope over an in-toto statement that names every file by its SHA-256. It is signed by an
organisation's identity, or by a key that is made for the bundle and thrown away: such a signature shows that nothing
was changed since, and not who made it.
"""

from __future__ import annotations

import base64
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError as EnvelopeError
from securesystemslib.signer._crypto_signer import CryptoSigner
from securesystemslib.signer._key import SSlibKey

from psi import identity
from psi.bench.case import sha256
from psi.errors import MachineError, TermsError, UsageError

MANIFEST = "manifest.dsse.json"
PEERS, GROWTH = "peers.json", "growth.json"
RESULTS, SCHEMA_FILE, TABLES, PAGE, TEXT, CITATION = (
    "results.json",
    "results.schema.json",
    "results.csv",
    "report.html",
    "report.md",
    "CITATION.cff",
)
STATEMENT, PREDICATE = "https://in-toto.io/Statement/v1", "urn:psi:bundle:1"
PAYLOAD = "application/vnd.in-toto+json"
ONE_TIME, ORGANISATION = "a key made for this bundle alone", "an organisation's identity"


@dataclass(frozen=True)
class Verified:
    """Say what was checked: how many files, under which key, and what kind of key it says it is."""

    files: int
    public_key: str
    signer: str
    name: str


def write_files(folder: Path, files: dict[str, bytes], *, signer: Path | None) -> None:
    """
    Write the files of a bundle into a new folder, and the signed manifest last.

    ``signer`` is the folder of an identity; without one a key is made. Raises ``UsageError`` for a folder that holds
    something, ``MachineError`` when it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty", hint="choose a new folder with --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        (folder / MANIFEST).write_bytes(_manifest(folder, sorted(files), signer))
    except OSError as error:
        raise MachineError(
            f"cannot write {folder}: {(error.strerror or 'unknown reason').lower()}",
            hint="choose another folder with --out",
        ) from error


def verify(folder: Path) -> Verified:
    """
    Check a bundle: the signature of its manifest, and every file against it.

    Raises ``TermsError`` that names the file which was changed, is missing, or does not belong; ``UsageError`` when
    there is no bundle.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise UsageError(f"no {MANIFEST} in {folder}", hint="name the folder that `psi bench --out` wrote")
    text = path.read_bytes()
    statement, predicate = _opened(path, text)
    subjects = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
    there = {item.name for item in folder.iterdir()} - {MANIFEST}
    for name in sorted(set(subjects) - there):
        raise TermsError(f"{name} is missing from the bundle", hint="ask for the bundle again")
    for name in sorted(there - set(subjects)):
        raise TermsError(f"{name} is not in the manifest", hint="take it out of the folder")
    for name, digest in subjects.items():
        if sha256(folder / name) != digest:
            raise TermsError(
                f"{name} was changed since the bundle was signed", hint="ask for the bundle again"
            )
    return Verified(len(subjects), predicate["public_key"], predicate["signer"], predicate["name"])


def _manifest(folder: Path, names: list[str], signer: Path | None) -> bytes:
    """Return the signed manifest of files that are there."""
    if signer is not None:
        return _signed(folder, names, signer, ORGANISATION)
    with tempfile.TemporaryDirectory(prefix="psi-bundle-") as place:
        made = Path(place) / "identity"
        identity.create(made, "psi bench")
        return _signed(folder, names, made, ONE_TIME)


def _signed(folder: Path, names: list[str], signer: Path, kind: str) -> bytes:
    who = identity.load(signer)
    key = Ed25519PrivateKey.from_private_bytes((signer / identity.SIGNING_KEY).read_bytes())
    statement: dict[str, Any] = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": sha256(folder / name)}} for name in names],
        "predicateType": PREDICATE,
        "predicate": {"signer": kind, "name": who.name, "public_key": who.signing_public},
    }
    envelope = Envelope(rfc8785.dumps(statement), PAYLOAD, {})
    envelope.sign(CryptoSigner(key, _public(who.signing_public)))
    return _text(envelope)


def _opened(path: Path, text: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """Return statement and predicate of a manifest whose signature holds."""
    broken = TermsError(f"{path.name} was changed since it was signed", hint="ask for the bundle again")
    try:
        envelope = Envelope.from_dict(json.loads(text))
        statement = json.loads(envelope.payload)
        predicate = statement["predicate"]
        envelope.verify([_public(predicate["public_key"])], 1)
    except (EnvelopeError, ValueError, KeyError, TypeError, AttributeError):
        raise broken from None
    # An envelope has other spellings that verify as well: white space, the last bits of base64.
    if _text(envelope) != text or statement.get("predicateType") != PREDICATE:
        raise broken
    return statement, predicate


def _public(key: str) -> SSlibKey:
    return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)))


def _text(envelope: Envelope) -> bytes:
    """Return the one spelling of an envelope that is written and accepted."""
    made = envelope.to_dict()
    assert base64.b64decode(made["payload"]) == envelope.payload
    return json.dumps(made, indent=1, sort_keys=True).encode() + b"\n"
