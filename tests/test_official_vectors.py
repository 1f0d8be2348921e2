"""The reference gives what the official vectors of its parts say."""

from __future__ import annotations

import json
from hashlib import sha512
from pathlib import Path
from typing import Any

import pytest
from reference import blake3, ecdh, hash_to_group, ristretto255
from reference.errors import DecodeError

OFFICIAL = Path(__file__).parent.parent / "protocol_spec" / "vectors" / "official"
BLAKE3_PATTERN = bytes(range(251))


def official(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((OFFICIAL / name).read_text())
    return content


def blake3_cases() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = official("blake3.json")["cases"]
    return cases


@pytest.mark.parametrize("case", blake3_cases(), ids=lambda case: f"{case['input_len']}-bytes")
def test_blake3_gives_the_official_outputs_in_all_three_modes(case: dict[str, Any]) -> None:
    content = official("blake3.json")
    data = (BLAKE3_PATTERN * (case["input_len"] // 251 + 1))[: case["input_len"]]
    for mode, compute in (
        ("hash", lambda length: blake3.plain(data, length)),
        ("keyed_hash", lambda length: blake3.keyed(content["key"].encode(), data, length)),
        ("derive_key", lambda length: blake3.derive(content["context"], data, length)),
    ):
        expected = bytes.fromhex(case[mode])
        assert compute(len(expected)) == expected
        if len(data) <= 4096:  # a shorter output is a prefix; the long inputs need not show it again
            assert compute(32) == expected[:32]


def test_multiples_of_the_generator_are_those_of_rfc_9496() -> None:
    for number, encoding in enumerate(official("ristretto255.json")["generator_multiples"]):
        point = ristretto255.multiply(number, ristretto255.GENERATOR)
        assert ristretto255.encode(point).hex() == encoding
        assert ristretto255.encode(ristretto255.decode(bytes.fromhex(encoding))).hex() == encoding


@pytest.mark.parametrize(
    "case", official("ristretto255.json")["bad_encodings"], ids=lambda case: case["encoding"][:8]
)
def test_bad_encodings_of_rfc_9496_are_refused(case: dict[str, str]) -> None:
    with pytest.raises(DecodeError):
        ristretto255.decode(bytes.fromhex(case["encoding"]))


def test_uniform_bytes_map_to_the_elements_of_rfc_9496() -> None:
    for case in official("ristretto255.json")["uniform_bytes"]:
        point = ristretto255.from_uniform_bytes(bytes.fromhex(case["uniform_bytes"]))
        assert ristretto255.encode(point).hex() == case["element"]


def test_square_roots_of_ratios_are_those_of_rfc_9496() -> None:
    for case in official("ristretto255.json")["square_roots"]:
        u, v = (int.from_bytes(bytes.fromhex(case[name]), "little") for name in "uv")
        was_square, root = ristretto255.sqrt_ratio(u, v)
        assert (was_square, root.to_bytes(32, "little").hex()) == (case["was_square"], case["root"])


def test_constants_of_ristretto255_are_those_of_rfc_9496_section_4_1() -> None:
    assert ristretto255.D == 37095705934669439343138083508754565189542113879843219016388785533085940283555
    assert (
        ristretto255.SQRT_MINUS_ONE
        == 19681161376707505956807079304988542015446066515923890162744021073123829784752
    )
    assert (
        ristretto255.SQRT_AD_MINUS_ONE
        == 25063068953384623474111414158702152701244531502492656460079210482610430750235
    )
    assert (
        ristretto255.INVSQRT_A_MINUS_D
        == 54469307008909316920995813868745141605393597292927456921205312896311721017578
    )
    assert (
        ristretto255.ONE_MINUS_D_SQUARED
        == 1159843021668779879193775521855586647937357759715417654439879720876111806838
    )


def test_the_order_of_the_group_takes_every_element_to_the_identity() -> None:
    element = ristretto255.decode(bytes.fromhex(official("ristretto255.json")["generator_multiples"][7]))
    almost = ristretto255.multiply(ristretto255.ORDER - 1, element)
    assert ristretto255.encode(ristretto255.add(almost, element)) == ristretto255.IDENTITY_ENCODING


def test_messages_expand_as_in_rfc_9380() -> None:
    content = official("expand_message_xmd.json")
    for case in content["cases"]:
        uniform = hash_to_group.expand_message_xmd(
            case["message"].encode(), content["dst"].encode(), case["length"]
        )
        assert uniform.hex() == case["uniform_bytes"]


def test_blinding_and_evaluating_give_the_elements_of_rfc_9497() -> None:
    content = official("oprf.json")
    dst, key = bytes.fromhex(content["dst"]), int.from_bytes(bytes.fromhex(content["secret_key"]), "little")
    for case in content["cases"]:
        message, blind = bytes.fromhex(case["input"]), int.from_bytes(bytes.fromhex(case["blind"]), "little")
        [blinded] = ecdh.blind([message], blind, dst)
        [evaluated] = ecdh.evaluate([blinded], key)
        assert (blinded.hex(), evaluated.hex()) == (case["blinded_element"], case["evaluation_element"])
        [finalized] = ecdh.finalize([evaluated], blind)
        # RFC 9497, section 3.3.1: what its Finalize hashes. A tag of psi/1 is made otherwise.
        hashed = b"".join(len(part).to_bytes(2, "big") + part for part in (message, finalized)) + b"Finalize"
        assert sha512(hashed).hexdigest() == case["output"]
