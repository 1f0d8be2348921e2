//! Kernels over 128-bit lanes, written once; a backend makes them for each of its vector widths.
//!
//! The intrinsics of the three widths differ in their names alone, which are the arguments of [`block_kernels`] and
//! [`blake3_kernel`]. All code made here is compiled with the features that the backend's evidence stands for.

/// The seven message schedules of BLAKE3 (BLAKE3 paper, section 2.2, table 2, applied round after round).
pub(super) const SCHEDULE: [[usize; 16]; 7] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8],
    [3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1],
    [10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6],
    [12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4],
    [9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7],
    [11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13],
];

/// The words of the state that are mixed with each other in the first and in the second half of a round (section 2.2).
pub(super) const COLUMNS: [[usize; 4]; 4] = [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15]];
pub(super) const DIAGONALS: [[usize; 4]; 4] = [[0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]];

/// The first four words of the initial value of BLAKE3 (section 2.2).
pub(super) const INITIAL: [u32; 4] = [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a];
/// Flags of the only block of the only chunk: `CHUNK_START | CHUNK_END | ROOT`.
pub(super) const FLAGS: u32 = 1 | 2 | 8;

/// Makes AES and field kernels over vectors of `$lanes` lanes of 128 bits.
macro_rules! block_kernels {
    (
        features: $features:literal, vector: $vector:ty, lanes: $lanes:literal,
        load: $load:ident, store: $store:ident, broadcast: $broadcast:expr, load_keys: $load_keys:expr,
        xor: $xor:ident, multiply: $multiply:ident, left: $left:ident, right: $right:ident,
        low: $low:ident, high: $high:ident, left_64: $left_64:ident, right_64: $right_64:ident,
        round: $round:ident, last_round: $last_round:ident $(,)?
    ) => {
        const LANES: usize = $lanes;

        #[inline]
        #[target_feature(enable = $features)]
        fn load(blocks: &[u128; LANES]) -> $vector {
            // SAFETY: the array is readable and as long as the vector; the load needs no alignment.
            unsafe { $load(blocks.as_ptr().cast()) }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn store(blocks: &mut [u128; LANES], vector: $vector) {
            // SAFETY: the array is writable and as long as the vector; the store needs no alignment.
            unsafe { $store(blocks.as_mut_ptr().cast(), vector) }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn broadcast(block: u128) -> $vector {
            $broadcast(block)
        }

        /// Runs a kernel over whole vectors, and once more over a padded copy of what is left.
        macro_rules! in_vectors {
            ($sum:expr, $others:expr, $body:expr) => {{
                let (sums, rest) = $sum.as_chunks_mut::<LANES>();
                let (others, other_rest) = $others.as_chunks::<LANES>();
                for (sum, other) in sums.iter_mut().zip(others) {
                    $body(sum, other);
                }
                if !rest.is_empty() {
                    let mut sum = [Default::default(); LANES];
                    let mut other = [Default::default(); LANES];
                    sum[..rest.len()].copy_from_slice(rest);
                    other[..rest.len()].copy_from_slice(other_rest);
                    $body(&mut sum, &other);
                    rest.copy_from_slice(&sum[..rest.len()]);
                }
            }};
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn aes_vectors<const HASH: bool, const COUNT: usize>(
            keys: &[$vector; 11],
            blocks: &mut [[u128; LANES]; COUNT],
        ) {
            let mut states = [keys[0]; COUNT];
            for (state, block) in states.iter_mut().zip(&*blocks) {
                *state = $xor(*state, load(block));
            }
            for key in &keys[1..10] {
                for state in &mut states {
                    *state = $round(*state, *key);
                }
            }
            for (state, block) in states.iter_mut().zip(blocks) {
                let key = if HASH { $xor(keys[10], load(block)) } else { keys[10] };
                store(block, $last_round(*state, key));
            }
        }

        #[target_feature(enable = $features)]
        pub(super) fn aes<const HASH: bool>(round_keys: &[u128; 11], blocks: &mut [u128]) {
            let mut keys = [broadcast(0); 11];
            for (key, round_key) in keys.iter_mut().zip(round_keys) {
                *key = broadcast(*round_key);
            }
            let (vectors, rest) = blocks.as_chunks_mut::<LANES>();
            // Eight vectors fill the pipeline; the small levels of a tree are four, two and one.
            let (eights, vectors) = vectors.as_chunks_mut::<8>();
            let (fours, vectors) = vectors.as_chunks_mut::<4>();
            let (twos, ones) = vectors.as_chunks_mut::<2>();
            for vectors in eights {
                aes_vectors::<HASH, 8>(&keys, vectors);
            }
            for vectors in fours {
                aes_vectors::<HASH, 4>(&keys, vectors);
            }
            for vectors in twos {
                aes_vectors::<HASH, 2>(&keys, vectors);
            }
            for vector in ones {
                aes_vectors::<HASH, 1>(&keys, std::array::from_mut(vector));
            }
            if !rest.is_empty() {
                let mut vector = [[0; LANES]];
                vector[0][..rest.len()].copy_from_slice(rest);
                aes_vectors::<HASH, 1>(&keys, &mut vector);
                rest.copy_from_slice(&vector[0][..rest.len()]);
            }
        }

        /// `low + middle*x^64` modulo the modulus of GF(2^128), for a middle part of degree below 128.
        #[inline]
        #[target_feature(enable = $features)]
        fn reduce_192(low: $vector, middle: $vector, modulus: $vector) -> $vector {
            $xor($xor(low, $left::<8>(middle)), $multiply::<0x01>(middle, modulus))
        }

        /// `low + middle*x^64 + high*x^128` modulo the modulus of GF(2^128).
        #[inline]
        #[target_feature(enable = $features)]
        fn reduce_256(low: $vector, middle: $vector, high: $vector, modulus: $vector) -> $vector {
            let low = $xor(low, $left::<8>(middle));
            let high = $xor(high, $right::<8>(middle));
            let top = $multiply::<0x01>(high, modulus);
            let high = $xor(high, $right::<8>(top));
            $xor($xor(low, $left::<8>(top)), $multiply::<0x00>(high, modulus))
        }

        #[target_feature(enable = $features)]
        pub(super) fn gf128_scale_add(factor: u128, y: &[u128], sum: &mut [u128]) {
            let modulus = broadcast(u128::from(portable::GF128_MODULUS));
            let shifted = broadcast(portable::gf128_product(factor, 1 << 64));
            let factor = broadcast(factor);
            let kernel = |sum: &mut [u128; LANES], y: &[u128; LANES]| {
                let y = load(y);
                let low = $xor($multiply::<0x00>(y, factor), $multiply::<0x01>(y, shifted));
                let middle = $xor($multiply::<0x10>(y, factor), $multiply::<0x11>(y, shifted));
                store(sum, $xor(load(sum), reduce_192(low, middle, modulus)));
            };
            in_vectors!(sum, y, kernel);
        }

        #[target_feature(enable = $features)]
        pub(super) fn gf128_multiply(x: &mut [u128], y: &[u128]) {
            let modulus = broadcast(u128::from(portable::GF128_MODULUS));
            let kernel = |x: &mut [u128; LANES], y: &[u128; LANES]| {
                let (a, b) = (load(x), load(y));
                let middle = $xor($multiply::<0x01>(a, b), $multiply::<0x10>(a, b));
                let (low, high) = ($multiply::<0x00>(a, b), $multiply::<0x11>(a, b));
                store(x, reduce_256(low, middle, high, modulus));
            };
            in_vectors!(x, y, kernel);
        }

        #[target_feature(enable = $features)]
        pub(super) fn gf128_inner_product(x: &[u128], y: &[u128]) -> u128 {
            let mut low = broadcast(0);
            let mut middle = broadcast(0);
            let mut high = broadcast(0);
            let mut kernel = |x: &[u128; LANES], y: &[u128; LANES]| {
                let (a, b) = (load(x), load(y));
                low = $xor(low, $multiply::<0x00>(a, b));
                middle = $xor(middle, $xor($multiply::<0x01>(a, b), $multiply::<0x10>(a, b)));
                high = $xor(high, $multiply::<0x11>(a, b));
            };
            let (xs, x_rest) = x.as_chunks::<LANES>();
            let (ys, y_rest) = y.as_chunks::<LANES>();
            for (x, y) in xs.iter().zip(ys) {
                kernel(x, y);
            }
            let mut padded = [[0; LANES]; 2];
            padded[0][..x_rest.len()].copy_from_slice(x_rest);
            padded[1][..y_rest.len()].copy_from_slice(y_rest);
            kernel(&padded[0], &padded[1]);
            let mut sums = [0; LANES];
            store(&mut sums, reduce_256(low, middle, high, broadcast(u128::from(portable::GF128_MODULUS))));
            sums.iter().fold(0, |total, sum| total ^ sum)
        }

        /// Two products of degree below 127, each reduced modulo the modulus of GF(2^64): the first to the low halves.
        #[inline]
        #[target_feature(enable = $features)]
        fn reduce_pair(first: $vector, second: $vector) -> $vector {
            let high = $high(first, second);
            // What x^3 and x^4 times the high part (of degree below 63) push out at the top comes back below.
            let high = $xor(high, $xor($right_64::<61>(high), $right_64::<60>(high)));
            let high = $xor($xor(high, $left_64::<1>(high)), $xor($left_64::<3>(high), $left_64::<4>(high)));
            $xor($low(first, second), high)
        }

        #[target_feature(enable = $features)]
        pub(super) fn gf64_scale_add(factor: u128, y: &[u64], sum: &mut [u128]) {
            let factor = broadcast(factor);
            let kernel = |sum: &mut [u128; LANES], y: &[u64; LANES]| {
                let y = $load_keys(y);
                let product = reduce_pair($multiply::<0x00>(factor, y), $multiply::<0x01>(factor, y));
                store(sum, $xor(load(sum), product));
            };
            in_vectors!(sum, y, kernel);
        }
    };
}

/// Makes the hash of one block, keyed or of a context, over `$lanes` messages at once.
macro_rules! blake3_kernel {
    (
        features: $features:literal, vector: $vector:ty, lanes: $lanes:literal,
        splat: $splat:expr, add: $add:ident, xor: $xor:ident,
        low_32: $low_32:ident, high_32: $high_32:ident, low_64: $low_64:ident, high_64: $high_64:ident,
        rotate_16: $rotate_16:expr, rotate_12: $rotate_12:expr, rotate_8: $rotate_8:expr, rotate_7: $rotate_7:expr,
        load: $load_words:ident, store: $store_words:ident, load_lengths: $load_lengths:expr $(,)?
    ) => {
        const MESSAGES: usize = $lanes;

        /// Exchanges rows and columns of the 4x4 matrix of words in each 128-bit lane.
        #[inline]
        #[target_feature(enable = $features)]
        fn transpose([a, b, c, d]: [$vector; 4]) -> [$vector; 4] {
            let (ab, ab_high) = ($low_32(a, b), $high_32(a, b));
            let (cd, cd_high) = ($low_32(c, d), $high_32(c, d));
            [$low_64(ab, cd), $high_64(ab, cd), $low_64(ab_high, cd_high), $high_64(ab_high, cd_high)]
        }

        /// Mixes four columns or four diagonals of the state, step by step, since none of the four waits for another.
        macro_rules! mix {
            ($v:ident, $quarters:expr, $x:expr, $y:expr) => {
                for (&[a, b, ..], x) in $quarters.iter().zip($x) {
                    $v[a] = $add($add($v[a], x), $v[b]);
                }
                for &[a, .., d] in &$quarters {
                    $v[d] = $rotate_16($xor($v[d], $v[a]));
                }
                for &[.., c, d] in &$quarters {
                    $v[c] = $add($v[c], $v[d]);
                }
                for &[_, b, c, _] in &$quarters {
                    $v[b] = $rotate_12($xor($v[b], $v[c]));
                }
                for (&[a, b, ..], y) in $quarters.iter().zip($y) {
                    $v[a] = $add($add($v[a], y), $v[b]);
                }
                for &[a, .., d] in &$quarters {
                    $v[d] = $rotate_8($xor($v[d], $v[a]));
                }
                for &[.., c, d] in &$quarters {
                    $v[c] = $add($v[c], $v[d]);
                }
                for &[_, b, c, _] in &$quarters {
                    $v[b] = $rotate_7($xor($v[b], $v[c]));
                }
            };
        }

        /// A function for each round: in a loop the places of the words would be numbers to look up.
        #[inline]
        #[target_feature(enable = $features)]
        fn round<const NUMBER: usize>(v: &mut [$vector; 16], words: &[$vector; 16]) {
            let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = const { SCHEDULE[NUMBER] };
            let w = words;
            mix!(v, COLUMNS, [w[a], w[c], w[e], w[g]], [w[b], w[d], w[f], w[h]]);
            mix!(v, DIAGONALS, [w[i], w[k], w[m], w[o]], [w[j], w[l], w[n], w[p]]);
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn compress(
            key: &[u32; 8],
            mode: u32,
            message_bytes: $vector,
            blocks: &[[u8; 64]; MESSAGES],
            hashes: &mut [[u8; 32]; MESSAGES],
        ) {
            let words = $load_words(blocks);
            let mut v = [$splat(0); 16]; // the counter, words 12 and 13, is zero
            for i in 0..8 {
                v[i] = $splat(key[i].cast_signed());
            }
            for i in 0..4 {
                v[8 + i] = $splat(INITIAL[i].cast_signed());
            }
            v[14] = message_bytes;
            v[15] = $splat((FLAGS | mode).cast_signed());
            round::<0>(&mut v, &words);
            round::<1>(&mut v, &words);
            round::<2>(&mut v, &words);
            round::<3>(&mut v, &words);
            round::<4>(&mut v, &words);
            round::<5>(&mut v, &words);
            round::<6>(&mut v, &words);
            let mut output = [$splat(0); 8];
            for i in 0..8 {
                output[i] = $xor(v[i], v[i + 8]);
            }
            $store_words(output, hashes);
        }

        #[target_feature(enable = $features)]
        pub(super) fn blake3_block(
            key: &[u32; 8],
            mode: u32,
            lengths: Lengths<'_>,
            blocks: &[[u8; 64]],
            hashes: &mut [[u8; 32]],
        ) {
            let message_bytes = |first: usize| match lengths {
                Lengths::All(length) => $splat(length.cast_signed()),
                Lengths::Each(lengths) => {
                    let mut batch = [0; MESSAGES];
                    let lengths = &lengths[first..lengths.len().min(first + MESSAGES)];
                    batch[..lengths.len()].copy_from_slice(lengths);
                    // SAFETY: the array is readable and as long as the vector; the load needs no alignment.
                    unsafe { $load_lengths(batch.as_ptr().cast()) }
                }
            };
            let (batches, rest) = blocks.as_chunks::<MESSAGES>();
            let (outputs, output_rest) = hashes.as_chunks_mut::<MESSAGES>();
            for (number, (batch, output)) in batches.iter().zip(outputs).enumerate() {
                compress(key, mode, message_bytes(number * MESSAGES), batch, output);
            }
            if !rest.is_empty() {
                let mut batch = [[0; 64]; MESSAGES];
                let mut output = [[0; 32]; MESSAGES];
                batch[..rest.len()].copy_from_slice(rest);
                compress(key, mode, message_bytes(batches.len() * MESSAGES), &batch, &mut output);
                output_rest.copy_from_slice(&output[..rest.len()]);
            }
        }
    };
}

pub(super) use {blake3_kernel, block_kernels};
