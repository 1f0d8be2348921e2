"""Identities: keys that nobody else reads, a card that vouches for them, a certificate that TLS accepts."""

from __future__ import annotations

import datetime
import hashlib
import os
import ssl
import stat
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from psi import identity
from psi.errors import MachineError, TermsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from subprocess import CompletedProcess

    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

    from psi.terms import Side

FILES = {"signing.key", "sealing.key", "tls.key", "tls.crt"}


@pytest.fixture
def made(tmp_path: Path) -> identity.Identity:
    return identity.create(tmp_path / "keys", "Agency")


def test_files_are_readable_by_their_owner_alone(made: identity.Identity) -> None:
    folder = made.tls_key_path.parent
    assert {path.name for path in folder.iterdir()} == FILES
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = identity.create(tmp_path / "keys", "Agency").tls_key_path.parent
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_loading_gives_what_was_made(made: identity.Identity) -> None:
    assert identity.load(made.tls_key_path.parent) == made


def test_two_identities_share_nothing(tmp_path: Path) -> None:
    one, other = (identity.create(tmp_path / name, "Agency") for name in ("one", "other"))
    for name in ("fingerprint", "signing_public", "sealing_public"):
        assert getattr(one, name) != getattr(other, name)


def test_an_empty_folder_may_be_there_already(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o755)
    identity.create(tmp_path / "keys", "Agency")
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_keys_are_never_overwritten(made: identity.Identity) -> None:
    folder = made.tls_key_path.parent
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UsageError, match="never overwritten"):
        identity.create(folder, "Agency")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["keys"]


def test_a_folder_with_anything_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        identity.create(tmp_path, "Agency")


def test_a_folder_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot write the identity"):
        identity.create(tmp_path / "file" / "keys", "Agency")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "name", ["", " Agency", "Agency ", "two\nlines", "bell\a", "x" * 65, "Ä" * 33, "\ud800"]
)
def test_a_name_that_cannot_stand_in_a_certificate_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="a name is 1 to 64"):
        identity.create(tmp_path / "keys", name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["x", "Ä" * 32, 'Bureau "of" \\ {things}', "税務署", "O'Neill, Sons = Co + #1"]
)
def test_a_name_comes_back_from_the_card_and_from_the_folder(tmp_path: Path, name: str) -> None:
    made = identity.create(tmp_path / "keys", name)
    assert made.name == name
    assert identity.parse_card(made.card()) == made.public()


def test_no_identity_is_a_usage_error_with_the_next_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no identity") as raised:
        identity.load(tmp_path)
    assert "psi id new" in (raised.value.hint or "")


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_file_that_others_may_open_is_refused(made: identity.Identity, name: str, mode: int) -> None:
    path = made.tls_key_path.with_name(name)
    path.chmod(mode)
    with pytest.raises(MachineError, match="others may") as raised:
        identity.load(path.parent)
    assert raised.value.hint == f"chmod 0600 {path}"


def test_a_folder_that_others_may_list_is_refused(made: identity.Identity) -> None:
    folder = made.tls_key_path.parent
    folder.chmod(0o750)
    with pytest.raises(MachineError, match="others may") as raised:
        identity.load(folder)
    assert raised.value.hint == f"chmod 0700 {folder}"


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33, None], ids=["empty", "31", "33", "missing"])
def test_a_damaged_file_is_named(made: identity.Identity, name: str, content: bytes | None) -> None:
    path = made.tls_key_path.with_name(name)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    with pytest.raises(MachineError, match=name.replace(".", r"\.")):
        identity.load(path.parent)


def test_a_folder_in_place_of_a_key_is_named(made: identity.Identity) -> None:
    path = made.tls_key_path.with_name("signing.key")
    path.unlink()
    path.mkdir(mode=0o600)
    with pytest.raises(MachineError, match=r"cannot read .*signing\.key: is a directory"):
        identity.load(path.parent)


def test_a_key_that_is_not_the_certificates_is_refused(tmp_path: Path) -> None:
    one, other = (identity.create(tmp_path / name, "Agency") for name in ("one", "other"))
    one.tls_key_path.write_bytes(other.tls_key_path.read_bytes())
    with pytest.raises(MachineError, match="is not the key of"):
        identity.load(one.tls_key_path.parent)


def test_no_private_key_is_in_the_card_or_in_the_representation(made: identity.Identity) -> None:
    folder = made.tls_key_path.parent
    shown = made.card() + repr(made) + repr(made.public())
    for name in ("signing.key", "sealing.key"):
        secret = (folder / name).read_bytes()
        assert secret.hex() not in shown
        assert repr(secret) not in shown
    assert "PRIVATE" not in shown


def test_certificate_has_what_strict_checks_ask_for(made: identity.Identity) -> None:
    certificate = x509.load_der_x509_certificate(made.certificate_der)
    extensions = certificate.extensions
    constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    assert extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    assert certificate.not_valid_after_utc.year == 9999
    certificate.verify_directly_issued_by(certificate)


def handshake(server: identity.Identity, client: identity.Identity, *, flags: ssl.VerifyFlags) -> str | None:
    """Return the TLS version of a mutual handshake in memory, in which each side knows the other alone."""
    contexts = []
    for protocol, own, peer in (
        (ssl.PROTOCOL_TLS_SERVER, server, client),
        (ssl.PROTOCOL_TLS_CLIENT, client, server),
    ):
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= flags
        context.load_cert_chain(own.tls_certificate_path, own.tls_key_path)
        context.load_verify_locations(cadata=peer.certificate_pem)
        contexts.append(context)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        contexts[0].wrap_bio(to_server, to_client, server_side=True),
        contexts[1].wrap_bio(to_client, to_server),
    ]
    waiting = [1, 0, 1, 0, 0]
    for end in waiting:
        try:
            ends[end].do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert ends[1].getpeercert(binary_form=True) == server.certificate_der
    assert ends[0].getpeercert(binary_form=True) == client.certificate_der
    return ends[0].version()


@pytest.mark.parametrize("flags", [ssl.VERIFY_DEFAULT, ssl.VERIFY_X509_STRICT])
def test_two_identities_shake_hands_over_mutual_tls(
    identities: Mapping[Side, identity.Identity], flags: ssl.VerifyFlags
) -> None:
    assert handshake(identities["holder"], identities["requester"], flags=flags) == "TLSv1.3"


def test_card_of_one_organisation_parses_to_its_public_part(
    identities: Mapping[Side, identity.Identity],
) -> None:
    for one in identities.values():
        assert identity.parse_card(one.card()) == one.public()


def card_text(card: identity.Card, **changes: str | None) -> str:
    """Return a card as TOML with fields changed, or left out where ``None``."""
    values = {"schema": "psi/card/1", **asdict(card), **changes}
    return "".join(f"{name} = '''{value}'''\n" for name, value in values.items() if value is not None)


@pytest.mark.parametrize(
    "name", ["schema", "name", "signing_key", "sealing_key", "fingerprint", "certificate"]
)
def test_a_card_without_a_field_is_refused_by_its_name(
    identities: Mapping[Side, identity.Identity], name: str
) -> None:
    with pytest.raises(TermsError, match=f"field {name} is missing"):
        identity.parse_card(card_text(identities["holder"].public(), **{name: None}))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"signing_key": "ab" * 31}, "signing_key is not 64 small hexadecimal digits"),
        ({"sealing_key": "AB" * 32}, "sealing_key is not 64 small hexadecimal digits"),
        ({"fingerprint": "0" * 64}, "fingerprint is not the SHA-256 of"),
        ({"signing_key": "0" * 64}, "certificate was not made for .*signing_key"),
        ({"sealing_key": "0" * 64}, "certificate was not made for .*sealing_key"),
        ({"name": "Another Agency"}, "certificate was made for another name"),
        ({"name": ""}, "name: a name is 1 to 64"),
        ({"certificate": "no certificate"}, "certificate is not one certificate in PEM"),
        ({"schema": "psi/card/2"}, "schema is 'psi/card/2' and should be 'psi/card/1'"),
        ({"telephone": "555"}, "unknown field telephone"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_card_with_a_wrong_field_is_refused_by_its_name(
    identities: Mapping[Side, identity.Identity], changes: dict[str, str], text: str
) -> None:
    with pytest.raises(TermsError, match=text):
        identity.parse_card(card_text(identities["holder"].public(), **changes))


def test_two_certificates_in_one_field_are_refused(identities: Mapping[Side, identity.Identity]) -> None:
    card = identities["holder"].public()
    with pytest.raises(TermsError, match="not one certificate"):
        identity.parse_card(card_text(card, certificate=card.certificate * 2))


def test_the_key_of_another_certificate_is_not_vouched_for(
    identities: Mapping[Side, identity.Identity],
) -> None:
    mixed = replace(identities["holder"].public(), signing_key=identities["requester"].signing_public)
    with pytest.raises(TermsError, match="not made for"):
        identity.check_card(mixed, where="")


def foreign(
    card: identity.Card, key: CertificateIssuerPrivateKeyTypes, *extensions: x509.ExtensionType
) -> str:
    """Return the text of a card whose certificate another program made, with the fingerprint that it has."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, card.name)])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(day)
        .not_valid_after(day + datetime.timedelta(days=1))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    certificate = builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    der = certificate.public_bytes(serialization.Encoding.DER)
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return card_text(card, certificate=pem, fingerprint=hashlib.sha256(der).hexdigest())


@pytest.mark.parametrize(
    ("key", "extensions", "text"),
    [
        (ed25519.Ed25519PrivateKey.generate(), (), "has a key that is not EC P-256"),
        (ec.generate_private_key(ec.SECP384R1()), (), "has a key that is not EC P-256"),
        (ec.generate_private_key(ec.SECP256R1()), (), "was not made for"),
        (
            ec.generate_private_key(ec.SECP256R1()),
            (x509.SubjectAlternativeName([x509.DNSName("example.invalid")]),),
            "was not made for",
        ),
        (
            ec.generate_private_key(ec.SECP256R1()),
            (x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\x30\x05\x00"),),
            "has a name or an extension that cannot be read",
        ),
    ],
    ids=["ed25519", "p-384", "no-name", "other-name", "damaged-name"],
)
def test_a_certificate_of_another_program_is_refused(
    identities: Mapping[Side, identity.Identity],
    key: CertificateIssuerPrivateKeyTypes,
    extensions: tuple[x509.ExtensionType, ...],
    text: str,
) -> None:
    with pytest.raises(TermsError, match=f"certificate {text}"):
        identity.parse_card(foreign(identities["holder"].public(), key, *extensions))


@given(text=st.text(max_size=200))
def test_text_that_is_no_card_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(TermsError, match="card: "):
        identity.parse_card(text)


def test_psi_id_new_prints_the_card_and_show_prints_it_again(
    tmp_path: Path, psi_command: Callable[..., CompletedProcess[str]]
) -> None:
    made = psi_command("id", "new", "--name", "Agency", "--identity", tmp_path / "keys")
    assert made.returncode == 0, made.stderr
    card = identity.parse_card(made.stdout)
    assert card.name == "Agency"
    assert card.fingerprint in made.stderr
    shown = psi_command("id", "show", "--identity", tmp_path / "keys")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, made.stdout, "")
    detailed = psi_command("id", "show", "--identity", tmp_path / "keys", "-v")
    assert (detailed.stdout, detailed.stderr) == (made.stdout, f"psi: identity in {tmp_path / 'keys'}\n")
    again = psi_command("id", "new", "--name", "Agency", "--identity", tmp_path / "keys")
    assert again.returncode == 2
    assert again.stdout == ""
    assert again.stderr.startswith("psi: error: ")
    assert "\npsi: hint: " in again.stderr


def test_psi_id_uses_the_folder_of_the_operating_system_by_default(
    tmp_path: Path, psi_command: Callable[..., CompletedProcess[str]]
) -> None:
    home = {"XDG_DATA_HOME": str(tmp_path / "data"), "HOME": str(tmp_path)}
    missing = psi_command("id", "show", environment=home)
    assert missing.returncode == 2
    assert "psi id new" in missing.stderr
    made = psi_command("id", "new", "--name", "Agency", "--json", "-q", environment=home)
    assert (made.returncode, made.stderr) == (0, "")
    assert list(tmp_path.rglob("tls.crt"))
    shown = psi_command("id", "show", "--json", environment=home)
    assert shown.stdout == made.stdout
    assert '"schema": "psi/card/1"' in shown.stdout
