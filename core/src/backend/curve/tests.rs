//! The fields of the vector units against arithmetic that is too slow and too plain to be wrong.

use super::*;

const P: Words = [0xffff_ffff_ffff_ffed, u64::MAX, u64::MAX, 0x7fff_ffff_ffff_ffff];

/// Returns `a + b` modulo the prime; both are below it.
fn sum(a: Words, b: Words) -> Words {
    let mut carry = 0;
    let sum = std::array::from_fn(|index| {
        let word = u128::from(a[index]) + u128::from(b[index]) + carry;
        carry = word >> 64;
        low_word(word)
    });
    reduce(sum)
}

/// Takes the prime away if the number is not below it; the number is below twice the prime.
fn reduce(number: Words) -> Words {
    if number.iter().rev().lt(P.iter().rev()) {
        return number;
    }
    let mut borrow = 0;
    std::array::from_fn(|index| {
        let word = (1 << 64) + u128::from(number[index]) - u128::from(P[index]) - borrow;
        borrow = 1 - (word >> 64);
        low_word(word)
    })
}

fn low_word(word: u128) -> u64 {
    u64::try_from(word & u128::from(u64::MAX)).unwrap()
}

/// Returns `a b` modulo the prime, by doubling and adding.
fn product(a: Words, b: Words) -> Words {
    (0..256).rev().fold([0; 4], |partial, bit| {
        let doubled = sum(partial, partial);
        if b[bit / 64] >> (bit % 64) & 1 == 1 { sum(doubled, a) } else { doubled }
    })
}

fn negative(a: Words) -> Words {
    product(a, prime_less(1))
}

/// Returns the prime less a small number.
fn prime_less(number: u64) -> Words {
    [P[0] - number, P[1], P[2], P[3]]
}

/// Numbers at the edges: of the field, and of limbs of 51 and 52 bits, centred or not.
fn edges() -> Vec<Words> {
    let mut edges = vec![[0; 4], [1, 0, 0, 0], [19, 0, 0, 0], [u64::MAX, 0, 0, 0], prime_less(1), prime_less(2)];
    for limb_bits in [51, 52] {
        for limb in [1_u64 << 50, (1 << 50) - 1, (1 << 50) + 1, (1 << 51) - 1, 1 << 51] {
            let every = 0..255 / limb_bits;
            for odd_only in [false, true] {
                let mut number = [0; 4];
                for place in every.clone().filter(|place| !odd_only || place % 2 == 1) {
                    let mut part = [0; 4];
                    let (word, shift) = (place * limb_bits / 64, place * limb_bits % 64);
                    part[word] = limb << shift;
                    if shift > 0 && word < 3 {
                        part[word + 1] = limb >> (64 - shift);
                    }
                    part[3] &= u64::MAX >> 1;
                    number = sum(number, reduce(part));
                }
                edges.push(number);
            }
        }
    }
    for seed in 0..8_u8 {
        let mut number = words(blake3::hash(&[seed]).as_bytes());
        number[3] &= u64::MAX >> 1;
        edges.push(reduce(number));
    }
    edges
}

/// Checks every operation of a field on all pairs of edges, each lane with other numbers.
fn check<F: Field>(evidence: F::Evidence) {
    let edges = edges();
    let at = |index: usize| edges[index % edges.len()];
    let all = u8::MAX >> (8 - F::LANES);
    let load = |index: usize| {
        let numbers: Vec<Words> = (0..F::LANES).map(|lane| at(index + lane)).collect();
        F::load(evidence, &numbers)
    };
    let holds = |value: &F, expected: &dyn Fn(usize) -> Words| {
        let stored = value.carry().store();
        (0..F::LANES).for_each(|lane| assert_eq!(stored[lane], expected(lane), "lane {lane}"));
        let odd = (0..F::LANES).fold(0, |odd, lane| odd | u8::from(expected(lane)[0] & 1 == 1) << lane);
        assert_eq!(value.carry().negative(), odd);
        let zero = (0..F::LANES).fold(0, |zero, lane| zero | u8::from(expected(lane) == [0; 4]) << lane);
        assert_eq!(value.carry().zero(), zero);
    };
    for i in 0..edges.len() {
        let x = load(i);
        holds(&x, &|lane| at(i + lane));
        holds(&x.square(), &|lane| product(at(i + lane), at(i + lane)));
        let eightfold = (1..8).fold(x, |multiple, _| multiple.add(&x));
        holds(&eightfold, &|lane| product(at(i + lane), [8, 0, 0, 0]));
        for j in 0..edges.len() {
            let y = load(j);
            holds(&x.add(&y), &|lane| sum(at(i + lane), at(j + lane)));
            holds(&x.subtract(&y), &|lane| sum(at(i + lane), negative(at(j + lane))));
            let xy = |lane| product(at(i + lane), at(j + lane));
            holds(&x.multiply(&y), &xy);
            // The greatest weights: three and one, one and three, of sums and of what is below zero.
            let thrice = |value: &F| value.add(value).add(value);
            let three_xy = |lane| product(xy(lane), [3, 0, 0, 0]);
            holds(&thrice(&x).multiply(&y), &three_xy);
            holds(&x.multiply(&thrice(&y)), &three_xy);
            let zero = F::load(evidence, &[[0; 4]; 8][..F::LANES]);
            let minus_thrice = zero.subtract(&x).subtract(&x).subtract(&x);
            holds(&minus_thrice.multiply(&y), &|lane| negative(three_xy(lane)));
            let lanes = u8::try_from(i * 7 % 256).unwrap() & all;
            holds(&F::select(lanes, &x, &y), &|lane| at(lane + if lanes >> lane & 1 == 1 { i } else { j }));
        }
    }
    let table: [[F; 2]; 8] = std::array::from_fn(|entry| [load(2 * entry), load(2 * entry + 1)]);
    for position in 0..=8_u8 {
        let [first, second] = F::look_up(&table, position);
        match usize::from(position).checked_sub(1) {
            None => [first, second]
                .iter()
                .for_each(|part| assert_eq!(part.store()[..F::LANES], [[0; 4]; 8][..F::LANES])),
            Some(entry) => {
                holds(&first, &|lane| at(2 * entry + lane));
                holds(&second, &|lane| at(2 * entry + 1 + lane));
            }
        }
    }
    // The prime and what is above it stand for what remains; the highest bit is left out.
    for (number, expected) in [(P, [0; 4]), ([u64::MAX; 4], [18, 0, 0, 0]), ([0, 0, 0, 1 << 63], [0; 4])] {
        let value = F::load(evidence, &[number; 8][..F::LANES]);
        holds(&value, &|_| expected);
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn four_lanes_of_avx2_compute_in_the_field() {
    if let Some(evidence) = curve_avx2::Avx2::detect() {
        check::<curve_avx2::Lanes>(evidence);
    }
}

#[test]
fn a_backend_that_cannot_run_is_refused_by_name() {
    assert!(matches!(Kernel::named("portable"), Ok(Kernel::OneByOne)));
    let unknown = CoreError::UnknownBackend { name: "sse9".to_owned() };
    assert_eq!(Kernel::named("sse9").err(), Some(unknown));
    for name in ["avx2", "avx512"] {
        let absent = CoreError::AbsentBackend { name, needs: "avx2, fma" };
        assert_eq!(Kernel::named(name).err(), (Kernel::available().len() == 1).then_some(absent));
    }
}
