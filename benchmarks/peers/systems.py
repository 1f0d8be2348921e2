"""Name the systems that are measured side by side, their settings, and where their packages come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = ROOT / ".venv-peers"
PACKAGES = {"spu": "0.9.5", "openmined-psi": "2.0.6"}
HERE = Path(__file__).parent
BUCKET = (
    1 << 21
)  # rows that SPU takes at a time: all of them at 1.28 million, where its own 2^20 would make two parts


@dataclass(frozen=True)
class System:
    """
    Describe one system with its settings: ``script`` is its party, ``protocol`` what the party is told.

    ``learners`` are the ranks that end with the matched rows: 0 is the requester, 1 the holder.
    """

    name: str
    title: str
    settings: str
    package: str | None
    script: str
    protocol: str
    adversary: str
    learners: tuple[int, ...] = (0, 1)


SYSTEMS = {
    system.name: system
    for system in (
        System(
            "psi-vole-malicious",
            "psi, vole-malicious",
            "default; TLS 1.3",
            None,
            "psi_party.py",
            "vole-malicious",
            "malicious",
        ),
        System(
            "psi-vole-semi-honest",
            "psi, vole-semi-honest",
            "TLS 1.3",
            None,
            "psi_party.py",
            "vole-semi-honest",
            "semi-honest",
        ),
        System(
            "psi-ecdh",
            "psi, ecdh",
            "ristretto255; TLS 1.3",
            None,
            "psi_party.py",
            "ecdh",
            "semi-honest",
            (0,),
        ),
        System(
            "spu-rr22",
            "SecretFlow SPU, RR22",
            "fast mode; keys declared unique, one bucket, rows left unsorted; no TLS",
            "spu",
            "spu_party.py",
            "rr22",
            "semi-honest",
        ),
        System(
            "spu-rr22-low-communication",
            "SecretFlow SPU, RR22",
            "low-communication mode; keys declared unique, one bucket, rows left unsorted; no TLS",
            "spu",
            "spu_party.py",
            "rr22-low-communication",
            "semi-honest",
        ),
        System(
            "spu-kkrt",
            "SecretFlow SPU, KKRT",
            "keys declared unique, one bucket, rows left unsorted; no TLS",
            "spu",
            "spu_party.py",
            "kkrt",
            "semi-honest",
        ),
        System(
            "spu-ecdh",
            "SecretFlow SPU, ECDH",
            "FourQ; keys declared unique, one bucket, rows left unsorted; no TLS",
            "spu",
            "spu_party.py",
            "ecdh-fourq",
            "semi-honest",
        ),
        System(
            "openmined",
            "OpenMined PSI",
            "raw set, so exact; no TLS",
            "openmined-psi",
            "openmined_party.py",
            "ecdh",
            "semi-honest",
            (0,),
        ),
    )
}
