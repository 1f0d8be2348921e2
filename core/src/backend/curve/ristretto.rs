//! ristretto255 (RFC 9496) over several lanes: decode, map, multiply by one scalar, encode doubles.
//!
//! The curve is -x^2 + y^2 = 1 + d x^2 y^2 in extended coordinates (Hisil, Wong, Carter, Dawson 2008), the formulas
//! are complete, and no step depends on a value, secret or not: a lane in which decoding fails computes on.

#![allow(clippy::many_single_char_names, clippy::similar_names)] // the names of the RFC and of the papers

use super::{Field, Words, bytes, words};
use crate::params::ELEMENT_BYTES;

const ONE: Words = [1, 0, 0, 0];
/// The constants of RFC 9496, section 4.1.
const D: Words = [0x75eb_4dca_1359_78a3, 0x0070_0a4d_4141_d8ab, 0x8cc7_4079_7779_e898, 0x5203_6cee_2b6f_fe73];
const SQRT_M1: Words =
    [0xc4ee_1b27_4a0e_a0b0, 0x2f43_1806_ad2f_e478, 0x2b4d_0099_3dfb_d7a7, 0x2b83_2480_4fc1_df0b];
const SQRT_AD_MINUS_ONE: Words =
    [0x7e97_f6a0_497b_2e1b, 0xaf9d_8e0c_1b78_54bd, 0x0f3c_fcc9_31f5_d1fd, 0x3769_31bf_2b83_48ac];
const INVSQRT_A_MINUS_D: Words =
    [0x99c8_fdaa_805d_40ea, 0x9d2f_1617_5a41_72be, 0x16c2_7b91_fe01_d840, 0x786c_8905_cfaf_fca2];
const ONE_MINUS_D_SQUARED: Words =
    [0xe27c_09c1_945f_c176, 0x2c81_a138_cd5e_350f, 0x9994_abdd_be70_dfe4, 0x0290_72a8_b2b3_e0d7];
const D_MINUS_ONE_SQUARED: Words =
    [0x31ad_5aaa_44ed_4d20, 0xd29e_4a2c_b01e_1999, 0x4cdc_d32f_529b_4eeb, 0x5968_b37a_f66c_2241];
/// The prime 2^255 - 19.
const P: Words = [0xffff_ffff_ffff_ffed, u64::MAX, u64::MAX, 0x7fff_ffff_ffff_ffff];

/// A point in each lane: x = X/Z, y = Y/Z, x y = T/Z.
#[derive(Clone, Copy)]
struct Point<F> {
    x: F,
    y: F,
    z: F,
    t: F,
}

/// A point as x = X/Z, y = Y/T, the result of the formulas before the last products; X and Z have weight 2.
struct Completed<F> {
    x: F,
    y: F,
    z: F,
    t: F,
}

impl<F: Field> Completed<F> {
    fn point(&self) -> Point<F> {
        Point {
            x: self.x.multiply(&self.t),
            y: self.z.multiply(&self.y),
            z: self.z.multiply(&self.t),
            t: self.x.multiply(&self.y),
        }
    }

    /// Returns X, Y and Z of the point, which are all that a doubling needs.
    fn projective(&self) -> [F; 3] {
        [self.x.multiply(&self.t), self.z.multiply(&self.y), self.z.multiply(&self.t)]
    }
}

/// What a square root gives: whether it is one, and the root.
struct Root<F> {
    /// The lanes in which the ratio is a square.
    square: u8,
    /// The root that is not negative, of the ratio or of sqrt(-1) times it.
    root: F,
}

/// The arithmetic of one field, with its constants.
pub(crate) struct Curve<F: Field> {
    evidence: F::Evidence,
    zero: F,
    one: F,
    d: F,
    twice_d: F,
    sqrt_m1: F,
    sqrt_ad_minus_one: F,
    invsqrt_a_minus_d: F,
    one_minus_d_squared: F,
    d_minus_one_squared: F,
}

impl<F: Field> Curve<F> {
    /// Prepares the constants.
    pub(super) fn new(evidence: F::Evidence) -> Self {
        let constant = |words| F::load(evidence, &[words; 8][..F::LANES]);
        let d = constant(D);
        Self {
            evidence,
            zero: constant([0; 4]),
            one: constant(ONE),
            d,
            twice_d: d.add(&d).carry(),
            sqrt_m1: constant(SQRT_M1),
            sqrt_ad_minus_one: constant(SQRT_AD_MINUS_ONE),
            invsqrt_a_minus_d: constant(INVSQRT_A_MINUS_D),
            one_minus_d_squared: constant(ONE_MINUS_D_SQUARED),
            d_minus_one_squared: constant(D_MINUS_ONE_SQUARED),
        }
    }

    /// Replaces each encoding by that of twice the scalar times the element.
    ///
    /// The scalar is given by its digits, lowest first: the sum of `digits[i] * 16^i`, each from -8 to 8.
    ///
    /// # Errors
    ///
    /// The position of the first encoding that is not canonical or is that of the identity; nothing is replaced then.
    pub(crate) fn multiply_encodings(
        &self,
        digits: &[i8; 64],
        encodings: &mut [[u8; ELEMENT_BYTES]],
    ) -> Result<(), usize> {
        let mut products = Vec::with_capacity(encodings.len().div_ceil(F::LANES));
        for (group, encodings) in encodings.chunks(F::LANES).enumerate() {
            let encodings: [Words; 8] = lanes(encodings, words);
            let (bad, point) = self.decode(&encodings[..F::LANES]);
            // The lanes after the last encoding repeat it, so that they are bad only if it is.
            if bad != 0 {
                return Err(group * F::LANES + bad.trailing_zeros() as usize);
            }
            products.push(self.multiply(digits, &point));
        }
        self.encode_doubles(&products, encodings);
        Ok(())
    }

    /// Writes the encoding of twice the scalar times the element to which each 64 bytes are mapped.
    ///
    /// Digits as in [`Curve::multiply_encodings`]; the slices are of one length. The map is RFC 9496, section 4.3.4.
    pub(crate) fn multiply_maps(
        &self,
        digits: &[i8; 64],
        uniform: &[[u8; 64]],
        encodings: &mut [[u8; ELEMENT_BYTES]],
    ) {
        let mut products = Vec::with_capacity(uniform.len().div_ceil(F::LANES));
        for uniform in uniform.chunks(F::LANES) {
            let half = |which: usize| {
                let halves: [Words; 8] = lanes(uniform, |bytes| words(&bytes.as_chunks().0[which]));
                self.map(&F::load(self.evidence, &halves[..F::LANES]))
            };
            let sum = Self::add(&half(0), &self.cache(&half(1)));
            products.push(self.multiply(digits, &sum.point()));
        }
        self.encode_doubles(&products, encodings);
    }

    /// Returns the opposite of an element; zero has no weight.
    fn negate(&self, element: &F) -> F {
        self.zero.subtract(element)
    }

    /// Returns the element or its opposite, whichever is not negative; of weight 1.
    fn absolute(&self, element: &F) -> F {
        F::select(element.negative(), &self.negate(element), element)
    }

    /// Returns the element to the power (p - 5) / 8 = 2^252 - 3.
    fn power_p58(element: &F) -> F {
        let square = |element: &F, times: usize| (0..times).fold(*element, |element, _| element.square());
        let x2 = element.square();
        let x9 = square(&x2, 2).multiply(element);
        let x11 = x9.multiply(&x2);
        let ones_5 = x11.square().multiply(&x9); // 2^5 - 1
        let ones_10 = square(&ones_5, 5).multiply(&ones_5);
        let ones_20 = square(&ones_10, 10).multiply(&ones_10);
        let ones_40 = square(&ones_20, 20).multiply(&ones_20);
        let ones_50 = square(&ones_40, 10).multiply(&ones_10);
        let ones_100 = square(&ones_50, 50).multiply(&ones_50);
        let ones_200 = square(&ones_100, 100).multiply(&ones_100);
        let ones_250 = square(&ones_200, 50).multiply(&ones_50);
        square(&ones_250, 2).multiply(element)
    }

    /// Returns the inverse, to the power p - 2 = (2^252 - 3) * 8 + 3; zero for zero.
    fn invert(element: &F) -> F {
        let power = Self::power_p58(element).square().square().square();
        power.multiply(&element.square().multiply(element))
    }

    /// Returns the square root of a ratio (RFC 9496, section 4.2).
    fn sqrt_ratio(&self, u: &F, v: &F) -> Root<F> {
        let v3 = v.square().multiply(v);
        let v7 = v3.square().multiply(v);
        let root = u.multiply(&v3).multiply(&Self::power_p58(&u.multiply(&v7)));
        let check = root.square().multiply(v);
        let minus_u = self.negate(u);
        let correct = check.subtract(u).carry().zero();
        let flipped = check.subtract(&minus_u).carry().zero();
        let flipped_i = check.subtract(&minus_u.multiply(&self.sqrt_m1)).carry().zero();
        let root = F::select(flipped | flipped_i, &root.multiply(&self.sqrt_m1), &root);
        Root { square: correct | flipped, root: self.absolute(&root) }
    }

    /// Decodes an element for each lane, and returns the lanes in which there is none (RFC 9496, section 4.3.1).
    ///
    /// The identity counts as none: its x, and so x y, is zero where the encoding is.
    fn decode(&self, encodings: &[Words]) -> (u8, Point<F>) {
        let bad = encodings.iter().rev().fold(0, |bad, encoding| bad << 1 | u8::from(!may_be_element(encoding)));
        let s = F::load(self.evidence, encodings);
        let ss = s.square();
        let u1 = self.one.subtract(&ss).carry(); // 1 + a s^2
        let u2 = self.one.add(&ss).carry(); // 1 - a s^2
        let u2_squared = u2.square();
        let u1_squared_d = u1.square().multiply(&self.d);
        let v = self.negate(&u1_squared_d.add(&u2_squared)).carry(); // a d u1^2 - u2^2
        let Root { square, root } = self.sqrt_ratio(&self.one, &v.multiply(&u2_squared));
        let den_x = root.multiply(&u2);
        let den_y = root.multiply(&den_x).multiply(&v);
        let x = self.absolute(&s.add(&s).multiply(&den_x));
        let y = u1.multiply(&den_y);
        let t = x.multiply(&y);
        (bad | !square & lane_set::<F>() | t.negative() | y.zero(), Point { x, y, z: self.one, t })
    }

    /// Maps a field element to a point (RFC 9496, section 4.3.4, MAP).
    fn map(&self, element: &F) -> Point<F> {
        let r = self.sqrt_m1.multiply(&element.square());
        let n_s = r.add(&self.one).multiply(&self.one_minus_d_squared);
        let minus_one_minus_dr = self.negate(&self.one.add(&r.multiply(&self.d))).carry(); // c - d r with c = -1
        let v = minus_one_minus_dr.multiply(&r.add(&self.d));
        let Root { square, root } = self.sqrt_ratio(&n_s, &v);
        let minus_s_prime = self.absolute(&root.multiply(element));
        let s = F::select(square, &root, &self.negate(&minus_s_prime));
        let c = F::select(square, &self.negate(&self.one), &r);
        let n_t = r.subtract(&self.one).multiply(&self.d_minus_one_squared).multiply(&c).subtract(&v); // 2
        let ss = s.square();
        let w0 = s.add(&s).multiply(&v);
        let w1 = n_t.multiply(&self.sqrt_ad_minus_one);
        let w2 = self.one.subtract(&ss); // 2
        let w3 = self.one.add(&ss); // 2
        Point { x: w0.multiply(&w3), y: w2.multiply(&w1), z: w1.multiply(&w3), t: w2.multiply(&w0) }
    }

    /// Returns Y + X, Y - X, 2 Z and 2 d T of a point, as an addition takes them; 2 Z has weight 2.
    fn cache(&self, point: &Point<F>) -> [F; 4] {
        [
            point.y.add(&point.x).carry(),
            point.y.subtract(&point.x).carry(),
            point.z.add(&point.z),
            point.t.multiply(&self.twice_d),
        ]
    }

    /// Adds a point in the form of [`Curve::cache`].
    fn add(point: &Point<F>, [y_plus_x, y_minus_x, z2, t2d]: &[F; 4]) -> Completed<F> {
        let plus = point.y.add(&point.x).multiply(y_plus_x);
        let minus = point.y.subtract(&point.x).multiply(y_minus_x);
        let t = t2d.multiply(&point.t);
        let z = point.z.multiply(z2);
        Completed { x: plus.subtract(&minus), y: plus.add(&minus), z: z.add(&t), t: z.subtract(&t).carry() }
    }

    /// Doubles a point of which only X, Y and Z are given.
    fn double([x, y, z]: &[F; 3]) -> Completed<F> {
        let (xx, yy, zz, xy) = (x.square(), y.square(), z.square(), x.multiply(y));
        let difference = yy.subtract(&xx);
        Completed {
            x: xy.add(&xy),
            y: yy.add(&xx).carry(),
            t: zz.add(&zz).subtract(&difference).carry(), // 4 before
            z: difference,
        }
    }

    /// Multiplies the points of all lanes by one secret scalar, given by its digits, highest last.
    ///
    /// A window of four bits: each digit costs four doublings, one look at all of a table, one addition.
    fn multiply(&self, digits: &[i8; 64], point: &Point<F>) -> Point<F> {
        let first = self.cache(point);
        let mut table = [first; 8];
        let mut multiple = *point;
        for entry in &mut table[1..] {
            multiple = Self::add(&multiple, &first).point();
            *entry = self.cache(&multiple);
        }
        let neutral = Point { x: self.zero, y: self.one, z: self.one, t: self.zero };
        let (highest, others) = digits.split_last().unwrap_or((&0, &[])); // there are 64
        let mut sum = Self::add(&neutral, &self.look_up(&table, *highest));
        for &digit in others.iter().rev() {
            for _ in 0..4 {
                sum = Self::double(&sum.projective());
            }
            sum = Self::add(&sum.point(), &self.look_up(&table, digit));
        }
        sum.point()
    }

    /// Returns the multiple of a table that a secret digit from -8 to 8 names.
    fn look_up(&self, table: &[[F; 4]; 8], digit: i8) -> [F; 4] {
        let negative = (digit >> 7).cast_unsigned(); // all ones or zero
        let position = (digit.cast_unsigned() ^ negative).wrapping_sub(negative);
        let [y_plus_x, y_minus_x, z2, t2d] = F::look_up(table, position);
        // At 0 all are zero, and the identity has 1, 1, 2 and 0.
        let none = if_zero(position) & lane_set::<F>();
        let y_plus_x = F::select(none, &self.one, &y_plus_x);
        let y_minus_x = F::select(none, &self.one, &y_minus_x);
        let z2 = F::select(none, &self.one.add(&self.one), &z2);
        // The opposite of a point changes the sign of x and of t.
        [
            F::select(negative, &y_minus_x, &y_plus_x),
            F::select(negative, &y_plus_x, &y_minus_x),
            z2,
            F::select(negative, &self.negate(&t2d), &t2d),
        ]
    }

    /// Encodes the double of each point, with one inversion for all.
    ///
    /// The method of `double_and_compress_batch` in curve25519-dalek: the coordinates of the double, before its last
    /// products, are E, F, G and H, and the inverse of E F G H gives everything that encoding (RFC 9496, section
    /// 4.3.2) takes an inverse square root for.
    fn encode_doubles(&self, points: &[Point<F>], encodings: &mut [[u8; ELEMENT_BYTES]]) {
        let doubles: Vec<Double<F>> = points.iter().map(|point| self.prepare(point)).collect();
        // Products of all before; a zero, which the identity alone has, is left out.
        let mut before = Vec::with_capacity(doubles.len());
        let mut product = self.one;
        for double in &doubles {
            before.push(product);
            product = product.multiply(&F::select(double.identity, &self.one, &double.efgh));
        }
        let mut inverse = Self::invert(&product);
        for ((double, before), encodings) in doubles.iter().zip(&before).zip(encodings.chunks_mut(F::LANES)).rev()
        {
            let own = F::select(double.identity, &self.zero, &inverse.multiply(before));
            inverse = inverse.multiply(&F::select(double.identity, &self.one, &double.efgh));
            for (encoding, words) in encodings.iter_mut().zip(self.encode(double, &own).store()) {
                *encoding = bytes(&words);
            }
        }
    }

    /// Computes what is needed to encode the double of a point.
    fn prepare(&self, point: &Point<F>) -> Double<F> {
        let zz = point.z.square();
        let dtt = point.t.square().multiply(&self.d);
        let e = point.x.multiply(&point.y.add(&point.y));
        let f = zz.add(&dtt); // 2
        let g = point.y.square().add(&point.x.square()); // 2
        let h = zz.subtract(&dtt).carry();
        let (eg, fh) = (e.multiply(&g), f.multiply(&h));
        let efgh = eg.multiply(&fh);
        Double { e, f, g, h, eg, fh, efgh, identity: efgh.zero() }
    }

    /// Encodes a double, given the inverse of E F G H.
    fn encode(&self, double: &Double<F>, inverse: &F) -> F {
        let Double { e, f, g, h, eg, fh, .. } = double;
        let z_inverse = eg.multiply(inverse);
        let t_inverse = fh.multiply(inverse);
        let rotate = eg.multiply(&z_inverse).negative();
        let rotated_g = F::select(rotate, &self.negate(e), g).carry(); // 2 before
        let rotated_e = F::select(rotate, g, e); // 2
        let rotated_h = F::select(rotate, &f.multiply(&self.sqrt_m1), h);
        let magic = F::select(rotate, &self.sqrt_m1, &self.invsqrt_a_minus_d);
        let opposite = rotated_h.multiply(&rotated_e).multiply(&z_inverse).negative();
        let signed_g = F::select(opposite, &self.negate(&rotated_g), &rotated_g);
        let s = rotated_h.subtract(&signed_g).multiply(&signed_g.multiply(&t_inverse).multiply(&magic));
        self.absolute(&s)
    }
}

/// The double of a point before its last products, and products of these.
struct Double<F> {
    e: F,
    f: F,
    g: F,
    h: F,
    eg: F,
    fh: F,
    efgh: F,
    /// The lanes in which the double is the identity, whose encoding is zero.
    identity: u8,
}

/// Returns a value for each of eight lanes; those after the last member of the list repeat it.
fn lanes<T, U: Copy>(list: &[T], value: impl Fn(&T) -> U) -> [U; 8] {
    std::array::from_fn(|lane| value(&list[lane.min(list.len() - 1)]))
}

/// Returns the set of all lanes.
fn lane_set<F: Field>() -> u8 {
    u8::MAX >> (8 - F::LANES)
}

/// Returns all ones if a number below 128 is zero, else zero, without a branch.
fn if_zero(number: u8) -> u8 {
    (number.wrapping_sub(1).cast_signed() >> 7).cast_unsigned()
}

/// Returns whether a number is canonical and not negative, and not zero, the encoding of the identity.
///
/// It is the peer's own, so that its time may depend on it.
fn may_be_element(encoding: &Words) -> bool {
    encoding[0] & 1 == 0 && encoding.iter().rev().lt(P.iter().rev()) && *encoding != [0; 4]
}
