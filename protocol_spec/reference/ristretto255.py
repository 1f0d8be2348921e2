"""
The group ristretto255 in plain integers (RFC 9496, section 4). Not constant time.

A point is a quadruple of integers modulo ``P``: extended coordinates (x, y, z, t) on the twisted Edwards curve
-x² + y² = 1 + D·x²·y², with x = X/Z, y = Y/Z and t = X·Y/Z. Many points stand for one element of the group: only
encodings are compared.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from .errors import DecodeError

ELEMENT_BYTES = 32
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
TWICE_D = 2 * D % P
SQRT_MINUS_ONE = pow(2, (P - 1) // 4, P)


class Point(NamedTuple):
    """Hold extended coordinates."""

    x: int
    y: int
    z: int
    t: int


IDENTITY = Point(0, 1, 1, 0)
IDENTITY_ENCODING = bytes(ELEMENT_BYTES)


def decode(encoding: bytes) -> Point:
    """
    Return a point of the element that 32 bytes stand for (RFC 9496, section 4.3.1).

    Raise ``DecodeError`` for every encoding but the canonical one. The identity is accepted here.
    """
    s = int.from_bytes(encoding, "little")
    if len(encoding) != ELEMENT_BYTES or s >= P or s & 1:
        raise DecodeError("element: the encoding is not canonical")
    u1 = (1 - s * s) % P
    u2 = (1 + s * s) % P
    v = (-D * u1 * u1 - u2 * u2) % P
    was_square, inverse_root = sqrt_ratio(1, v * u2 * u2 % P)
    den_x = inverse_root * u2 % P
    den_y = inverse_root * den_x * v % P
    x = absolute(2 * s * den_x)
    y = u1 * den_y % P
    t = x * y % P
    if not was_square or t & 1 or y == 0:
        raise DecodeError("element: the encoding stands for nothing")
    return Point(x, y, 1, t)


def encode(point: Point) -> bytes:
    """Return the 32 bytes of the element that a point stands for (RFC 9496, section 4.3.2)."""
    x0, y0, z0, t0 = point
    u1 = (z0 + y0) * (z0 - y0) % P
    u2 = x0 * y0 % P
    _, inverse_root = sqrt_ratio(1, u1 * u2 * u2 % P)
    den1 = inverse_root * u1 % P
    den2 = inverse_root * u2 % P
    z_inverse = den1 * den2 * t0 % P
    if t0 * z_inverse % P & 1:
        x, y = y0 * SQRT_MINUS_ONE % P, x0 * SQRT_MINUS_ONE % P
        den_inverse = den1 * INVSQRT_A_MINUS_D % P
    else:
        x, y, den_inverse = x0, y0, den2
    if x * z_inverse % P & 1:
        y = -y % P
    return absolute(den_inverse * (z0 - y)).to_bytes(ELEMENT_BYTES, "little")


def from_uniform_bytes(uniform: bytes) -> Point:
    """Map 64 uniform bytes to a point (RFC 9496, section 4.3.4: two maps, added)."""
    if len(uniform) != 2 * ELEMENT_BYTES:
        raise ValueError(f"uniform bytes: {len(uniform)}, not {2 * ELEMENT_BYTES}")
    first, second = uniform[:ELEMENT_BYTES], uniform[ELEMENT_BYTES:]
    return add(elligator(field_element(first)), elligator(field_element(second)))


def field_element(encoding: bytes) -> int:
    """Read 32 bytes as an integer modulo ``P``, leaving out the highest bit."""
    return int.from_bytes(encoding, "little") % 2**255 % P


def elligator(t: int) -> Point:
    """Map a field element to a point (RFC 9496, section 4.3.4, the function MAP)."""
    r = SQRT_MINUS_ONE * t * t % P
    u = (r + 1) * ONE_MINUS_D_SQUARED % P
    v = (-1 - r * D) * (r + D) % P
    was_square, s = sqrt_ratio(u, v)
    if was_square:
        c = -1
    else:
        s = -absolute(s * t) % P
        c = r
    n = (c * (r - 1) * (D - 1) * (D - 1) - v) % P
    w0 = 2 * s * v % P
    w1 = n * SQRT_AD_MINUS_ONE % P
    w2 = (1 - s * s) % P
    w3 = (1 + s * s) % P
    return Point(w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P)


def add(p: Point, q: Point) -> Point:
    """Add two points; the formula is complete (Hisil, Wong, Carter, Dawson, ASIACRYPT 2008, section 3.1)."""
    a = (p.y - p.x) * (q.y - q.x) % P
    b = (p.y + p.x) * (q.y + q.x) % P
    c = TWICE_D * p.t % P * q.t % P
    d = 2 * p.z * q.z % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return Point(e * f % P, g * h % P, f * g % P, e * h % P)


def double(p: Point) -> Point:
    """Add a point to itself (RFC 8032, section 5.1.4)."""
    a = p.x * p.x % P
    b = p.y * p.y % P
    c = 2 * p.z * p.z % P
    h = a + b
    e, g = h - (p.x + p.y) ** 2 % P, a - b
    f = c + g
    return Point(e * f % P, g * h % P, f * g % P, e * h % P)


def negated(p: Point) -> Point:
    """Return what adds up with a point to the identity."""
    return Point(-p.x % P, p.y, p.z, -p.t % P)


def multiply(scalar: int, point: Point) -> Point:
    """Return the multiple of a point, by four doublings and one addition for each hexadecimal digit."""
    multiples = first_multiples(point)
    product = IDENTITY
    for digit in f"{scalar % ORDER:x}":
        for _ in range(4):
            product = double(product)
        product = add(product, multiples[int(digit, 16)])
    return product


def multiply_again(scalar: int, point: Point) -> Point:
    """Return the multiple of a point of which many are asked for, by additions alone."""
    product = IDENTITY
    for digit, multiples in zip(f"{scalar % ORDER:064x}"[::-1], digit_multiples(point), strict=True):
        product = add(product, multiples[int(digit, 16)])
    return product


@lru_cache(maxsize=4)
def digit_multiples(point: Point) -> list[list[Point]]:
    """Return what each digit can stand for in each of the 64 places of a scalar, the lowest first."""
    tables = []
    for _ in range(64):
        tables.append(first_multiples(point))
        point = add(tables[-1][15], point)
    return tables


def first_multiples(point: Point) -> list[Point]:
    """Return a point's multiples by 0 to 15."""
    multiples = [IDENTITY]
    for _ in range(15):
        multiples.append(add(multiples[-1], point))
    return multiples


def sqrt_ratio(u: int, v: int) -> tuple[bool, int]:
    """
    Return (True, sqrt(u/v)) if u/v is a square, else (False, sqrt(i·u/v)), each root non-negative.

    RFC 9496, section 4.2, SQRT_RATIO_M1. With u = 0 the result is (True, 0); else with v = 0 it is (False, 0).
    """
    root = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * root * root % P
    if check in (-u % P, -u * SQRT_MINUS_ONE % P):
        root = root * SQRT_MINUS_ONE % P
    return check in (u % P, -u % P), absolute(root)


def absolute(x: int) -> int:
    """Return x or -x modulo ``P``, whichever is even: RFC 9496 calls odd field elements negative."""
    x %= P
    return P - x if x & 1 else x


ONE_MINUS_D_SQUARED = (1 - D * D) % P
INVSQRT_A_MINUS_D = sqrt_ratio(1, -1 - D)[1]
# RFC 9496 fixes this root of a·d - 1 by its value, and it is the odd one.
SQRT_AD_MINUS_ONE = P - sqrt_ratio(-D - 1, 1)[1]
GENERATOR = decode(bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"))
