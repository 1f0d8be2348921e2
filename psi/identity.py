"""
Keep the keys of one organisation: signing key, sealing key, TLS key and certificate.

An identity is a folder of four files that nobody else may read. What the other organisation needs of it is
the card: a short block of text with the name, the public keys and the certificate, which goes into the terms.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import secrets
import shutil
import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import nacl.public
import nacl.signing
import platformdirs
import tomlkit
import tomlkit.items
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from psi.errors import MachineError, TermsError, UsageError

SIGNING_KEY, SEALING_KEY, TLS_KEY, TLS_CERTIFICATE = "signing.key", "sealing.key", "tls.key", "tls.crt"
CARD_SCHEMA = "psi/card/1"
KEY_BYTES = (
    32  # an Ed25519 seed (RFC 8032), an X25519 scalar (RFC 7748) and a SHA-256 digest are equally long
)
NAME_BYTES = 64  # ub-common-name of RFC 5280, appendix A: the certificate carries the name
_FOREVER = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)  # RFC 5280, 4.1.2.5
_CLOCK_SKEW = datetime.timedelta(days=1)  # the peer's clock may be behind ours


@dataclass(frozen=True)
class Card:
    """Hold what one organisation tells the other about itself; nothing in it is secret."""

    name: str
    signing_key: str
    sealing_key: str
    fingerprint: str
    certificate: str


@dataclass(frozen=True)
class Identity:
    """
    Hold the public part of an identity and say where its keys lie.

    ``fingerprint`` is the SHA-256 of ``certificate_der`` in hexadecimal, ``signing_public`` (Ed25519) and
    ``sealing_public`` (X25519) are 32 bytes in hexadecimal. No private key is an attribute.
    """

    name: str
    certificate_der: bytes = field(repr=False)
    certificate_pem: str = field(repr=False)
    fingerprint: str
    signing_public: str
    sealing_public: str
    tls_key_path: Path
    tls_certificate_path: Path

    def public(self) -> Card:
        """Return the card as a value: what goes into the terms."""
        return Card(
            self.name, self.signing_public, self.sealing_public, self.fingerprint, self.certificate_pem
        )

    def card(self) -> str:
        """Return the card as TOML: what goes to the other organisation."""
        document = tomlkit.document()
        document.add(
            tomlkit.comment("The public card of an organisation. Nothing in it is secret; send it to")
        )
        document.add(tomlkit.comment("the other organisation and compare the fingerprint by telephone."))
        document["schema"] = CARD_SCHEMA
        document.update({**asdict(self.public()), "certificate": pem_value(self.certificate_pem)})
        return tomlkit.dumps(document)


def default_folder() -> Path:
    """Return the folder of the identity when none is named, by the operating system's rules."""
    return Path(platformdirs.user_data_dir("psi", appauthor=False)) / "identity"


def create(folder: Path, name: str) -> Identity:
    """
    Make new keys and a certificate for ``name`` in ``folder``, which must be empty or not exist yet.

    The folder appears whole or not at all. Raises ``UsageError`` for a name that cannot stand in a
    certificate and for a folder that holds something; ``MachineError`` when the folder cannot be written.
    """
    check_name(name)
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"{folder} is not empty, and keys are never overwritten",
            hint="`psi id show` prints the identity that is there; --identity DIR chooses another folder",
        )
    unfinished = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    signing, sealing = nacl.signing.SigningKey.generate(), nacl.public.PrivateKey.generate()
    tls = ec.generate_private_key(ec.SECP256R1())
    tls_pem = tls.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    certificate = _certificate(
        tls, name, keys=_keys_uri(signing.verify_key.encode(), sealing.public_key.encode())
    )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished.mkdir(mode=0o700)
        _write(unfinished / SIGNING_KEY, signing.encode())
        _write(unfinished / SEALING_KEY, sealing.encode())
        _write(unfinished / TLS_KEY, tls_pem)
        _write(unfinished / TLS_CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM))
        unfinished.rename(folder)
    except OSError as error:
        raise MachineError(
            f"cannot write the identity to {folder}: {(error.strerror or '').lower()}",
            hint="--identity DIR chooses another folder",
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return load(folder)


def load(folder: Path) -> Identity:
    """
    Read an identity and check that its files belong together and that nobody else may read its keys.

    Raises ``UsageError`` when there is none and ``MachineError`` when a file is damaged, unreadable or open
    to others.
    """
    if not (folder / TLS_CERTIFICATE).exists() and not (folder / SIGNING_KEY).exists():
        raise UsageError(
            f"no identity in {folder}",
            hint="`psi id new --name NAME` makes one; --identity DIR chooses another",
        )
    _check_mode(folder, 0o700)
    signing = nacl.signing.SigningKey(_read_key(folder / SIGNING_KEY))
    sealing = nacl.public.PrivateKey(_read_key(folder / SEALING_KEY))
    try:
        certificate = x509.load_pem_x509_certificate(_read(folder / TLS_CERTIFICATE))
    except ValueError:
        raise _damaged(folder / TLS_CERTIFICATE) from None
    try:
        tls = serialization.load_pem_private_key(_read(folder / TLS_KEY), password=None)
    except (ValueError, TypeError):
        raise _damaged(folder / TLS_KEY) from None
    if tls.public_key() != certificate.public_key():
        raise MachineError(f"{folder / TLS_KEY} is not the key of {TLS_CERTIFICATE} beside it")
    der = certificate.public_bytes(serialization.Encoding.DER)
    return Identity(
        name=_common_name(certificate),
        certificate_der=der,
        certificate_pem=certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"),
        fingerprint=hashlib.sha256(der).hexdigest(),
        signing_public=signing.verify_key.encode().hex(),
        sealing_public=sealing.public_key.encode().hex(),
        tls_key_path=folder / TLS_KEY,
        tls_certificate_path=folder / TLS_CERTIFICATE,
    )


def parse_card(text: str) -> Card:
    """
    Read the card of an organisation, as ``Identity.card`` writes it.

    Raises ``TermsError`` that names the field which is missing, unknown or wrong.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TermsError(
            f"card: not TOML: {_lower(str(error))}", hint="`psi id show` prints a card, and nothing else"
        ) from None
    names = [known.name for known in fields(Card)]
    for name in ("schema", *names):
        if not isinstance(values.get(name), str):
            raise TermsError(
                f"card: field {name} is missing or not a text", hint="`psi id show` prints a card"
            )
    unknown = sorted(set(values) - {"schema", *names})
    if unknown:
        raise TermsError(f"card: unknown field {unknown[0]}")
    if values["schema"] != CARD_SCHEMA:
        raise TermsError(f"card: field schema is {values['schema']!r} and should be {CARD_SCHEMA!r}")
    card = Card(**{name: values[name] for name in names})
    return check_card(card, where="card: field ")


def check_card(card: Card, *, where: str) -> Card:
    """
    Check that the parts of a card belong together and return it with the certificate in its one spelling.

    ``where`` begins each text, as in ``"requester."``. Raises ``TermsError`` that names the field.
    """
    try:
        check_name(card.name)
    except UsageError as error:
        raise TermsError(f"{where}name: {error.message}") from None
    for label in ("signing_key", "sealing_key", "fingerprint"):
        value = getattr(card, label)
        if len(value) != 2 * KEY_BYTES or set(value) - set("0123456789abcdef"):
            raise TermsError(f"{where}{label} is not {2 * KEY_BYTES} small hexadecimal digits")
    try:
        (certificate,) = x509.load_pem_x509_certificates(card.certificate.encode())
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise TermsError(f"{where}certificate is not one certificate in PEM") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise TermsError(f"{where}certificate has a key that is not EC P-256")
    der = certificate.public_bytes(serialization.Encoding.DER)
    if hashlib.sha256(der).hexdigest() != card.fingerprint:
        raise TermsError(
            f"{where}fingerprint is not the SHA-256 of {where}certificate",
            hint="ask for the card again (`psi id show`) and compare the fingerprint by telephone",
        )
    keys = _keys_uri(bytes.fromhex(card.signing_key), bytes.fromhex(card.sealing_key))
    try:
        name, names = _common_name(certificate), _names(certificate)
    except ValueError:
        raise TermsError(f"{where}certificate has a name or an extension that cannot be read") from None
    if name != card.name:
        raise TermsError(f"{where}certificate was made for another name than {where}name")
    if names != [keys]:
        raise TermsError(f"{where}certificate was not made for {where}signing_key and {where}sealing_key")
    spelling = certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
    return Card(card.name, card.signing_key, card.sealing_key, card.fingerprint, spelling)


def pem_value(pem: str) -> tomlkit.items.Item:
    """Return a certificate as a TOML value that begins on a line of its own; cards and terms hold it so."""
    return tomlkit.value(f'"""\n{pem}"""')


def check_name(name: str) -> None:
    """Raise ``UsageError`` unless a name is printable, 1 to 64 bytes in UTF-8, without blanks at its ends."""
    if not name.isprintable() or not 1 <= len(name.encode()) <= NAME_BYTES or name != name.strip():
        raise UsageError(
            f"a name is 1 to {NAME_BYTES} bytes of printable characters, without blanks at its ends"
        )


def _certificate(key: ec.EllipticCurvePrivateKey, name: str, *, keys: str) -> x509.Certificate:
    """
    Return a certificate for ``key`` signed by itself; the terms name it, and so it never ends.

    Its extensions satisfy OpenSSL's strict checks when it serves as the trust anchor (RFC 5280, 4.2).
    ``keys`` is the alternative name, so that the fingerprint people compare vouches for the other two keys.
    """
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    alternative = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(keys)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime.now(datetime.UTC) - _CLOCK_SKEW)
        .not_valid_after(_FOREVER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(both, critical=False)
        .add_extension(alternative, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _keys_uri(signing_public: bytes, sealing_public: bytes) -> str:
    """Return the alternative name by which a certificate vouches for the two other public keys."""
    return f"urn:psi:keys:{hashlib.sha256(signing_public + sealing_public).hexdigest()}"


def _common_name(certificate: x509.Certificate) -> str:
    """Return the common names of a certificate, which is one name in ours."""
    return "".join(
        str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    )


def _names(certificate: x509.Certificate) -> list[str]:
    """Return the URIs among the alternative names of a certificate."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def _write(path: Path, data: bytes) -> None:
    """Write a new file that only its owner may read, down to the disk."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _read(path: Path) -> bytes:
    """Read a file of an identity that only its owner may read."""
    _check_mode(path, 0o600)
    try:
        return path.read_bytes()
    except OSError as error:
        raise MachineError(f"cannot read {path}: {(error.strerror or '').lower()}") from error


def _read_key(path: Path) -> bytes:
    """Read a key of 32 bytes."""
    data = _read(path)
    if len(data) != KEY_BYTES:
        raise MachineError(f"{path} is damaged: {len(data)} bytes instead of {KEY_BYTES}")
    return data


def _check_mode(path: Path, allowed: int) -> None:
    """Refuse a file or folder that somebody else may read or write, as ssh does."""
    try:
        mode = path.stat().st_mode & 0o777
    except OSError as error:
        raise MachineError(f"cannot read {path}: {(error.strerror or '').lower()}") from error
    if os.name == "posix" and mode & ~allowed:
        raise MachineError(
            f"{path} has mode {mode:04o}: others may read or change it", hint=f"chmod {allowed:04o} {path}"
        )


def _damaged(path: Path) -> MachineError:
    """Name a file of an identity that cannot be read as what it should be."""
    return MachineError(
        f"{path} is damaged", hint="restore it from a copy, or make a new identity and new terms"
    )


def _lower(text: str) -> str:
    """Begin a library's text with a small letter, as ours begin."""
    return text[:1].lower() + text[1:]
