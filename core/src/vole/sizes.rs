//! Every number of a correlation, from its length, field and adversary (silent-vole.md, 2).

use crate::error::CoreError;
use crate::ot::softspoken::CHUNK;

/// Longest correlation; positions and taps then fit 32 bits.
pub const MAX_LENGTH: usize = 1 << 29;
/// Trees of a batch at least, for values of 128 bits (silent-vole.md, 11.2 and 11.3).
pub const WIDE_NOISE: usize = 1024;
/// Trees of a batch at least, for values of 64 bits.
pub const NARROW_NOISE: usize = 768;
/// Trees more for each level of a batch beyond [`TREE_DEPTH`]: a longer code has smaller parts (silent-vole.md, 11.3).
const NOISE_PER_LEVEL: usize = 96;
/// Depth of a tree: 16 leaves at least, so that the smallest batch has thousands of outputs.
pub const LEAST_DEPTH: usize = 4;
/// What the depth of the main trees can be at most; the parties choose. Deeper ones save bytes, but a batch leaves the
/// cache (silent-vole.md, 11.5).
pub const TREE_DEPTHS: std::ops::RangeInclusive<usize> = 7..=9;
/// The depth that they have unless the parties choose another one.
pub const TREE_DEPTH: usize = 8;
/// Bits of the value that the consistency check sacrifices.
pub const SACRIFICE_BITS: usize = 128;

/// Trees of one batch and their depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How many trees: even, and as many as the noise needs.
    pub trees: usize,
    /// Levels of each, so that it has `2^depth` leaves.
    pub depth: usize,
}

impl Batch {
    /// Returns how many values the code makes of the leaves: one of two.
    #[must_use]
    pub fn outputs(self) -> usize {
        (self.trees << self.depth) / 2
    }

    /// Returns the length of what the sender says about one tree: two blocks for each level but the first, and one.
    #[must_use]
    pub fn tree_bytes(self) -> usize {
        32 * (self.depth - 1) + 16
    }

    /// Returns the length of the sender's message about the batch.
    #[must_use]
    pub fn message_bytes(self) -> usize {
        self.trees * self.tree_bytes()
    }

    /// Returns the batch of the least depth that has `outputs`, one of so many batches.
    fn for_outputs(value_bits: usize, batches: usize, outputs: usize) -> Self {
        let at = |depth| Self { trees: noise(value_bits, batches, depth), depth };
        let mut batch = at(LEAST_DEPTH);
        while batch.outputs() < outputs {
            batch = at(batch.depth + 1);
        }
        batch
    }
}

/// The numbers of one correlation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// How many values each party gets.
    pub length: usize,
    /// Bits of an entry of A: 128 or 64.
    pub value_bits: usize,
    /// Whether the checks are made.
    pub malicious: bool,
    /// The batch that makes the base values of all others, if there are several.
    pub bootstrap: Option<Batch>,
    /// A main batch.
    pub batch: Batch,
    /// How many main batches there are.
    pub batches: usize,
}

impl Sizes {
    /// Returns the numbers for a correlation of `length` with entries of `value_bits` in A, and main trees of `tree_depth` at
    /// most.
    ///
    /// # Errors
    ///
    /// [`CoreError::CorrelationLength`] unless `length` is from 1 to [`MAX_LENGTH`]; [`CoreError::TreeDepth`] unless the
    /// depth is one of [`TREE_DEPTHS`].
    pub fn new(length: usize, value_bits: usize, malicious: bool, tree_depth: usize) -> Result<Self, CoreError> {
        if length == 0 || length > MAX_LENGTH {
            return Err(CoreError::CorrelationLength { length, limit: MAX_LENGTH });
        }
        if !TREE_DEPTHS.contains(&tree_depth) {
            let (least, most) = TREE_DEPTHS.into_inner();
            return Err(CoreError::TreeDepth { depth: tree_depth, least, most });
        }
        let noise = |batches| noise(value_bits, batches, tree_depth);
        let single = Batch { trees: noise(1), depth: tree_depth };
        if length <= single.outputs() {
            let batch = Batch::for_outputs(value_bits, 1, length);
            return Ok(Self { length, value_bits, malicious, bootstrap: None, batch, batches: 1 });
        }
        let mut batches = length / single.outputs();
        while batches > 1 && batches * (Batch { trees: noise(batches + 1), depth: tree_depth }).outputs() > length
        {
            batches -= 1;
        }
        let runs = if batches > 1 { batches + 1 } else { 1 };
        let trees = even(noise(runs).max((2 * length).div_ceil(batches << tree_depth)));
        let bootstrap = (batches > 1).then(|| Batch::for_outputs(value_bits, runs, batches * trees));
        let batch = Batch { trees, depth: tree_depth };
        Ok(Self { length, value_bits, malicious, bootstrap, batch, batches })
    }

    /// Returns all batches in the order of their messages.
    pub fn all_batches(&self) -> impl Iterator<Item = Batch> + use<> {
        self.bootstrap.into_iter().chain(std::iter::repeat_n(self.batch, self.batches))
    }

    /// Returns how many batches there are, the bootstrapping one included.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.batches + usize::from(self.bootstrap.is_some())
    }

    /// Returns how many base values are packed from correlated OTs, without the sacrificed one.
    #[must_use]
    pub fn packed_values(&self) -> usize {
        self.bootstrap.unwrap_or(self.batch).trees
    }

    /// Returns how many correlated OTs are used.
    #[must_use]
    pub fn cots(&self) -> usize {
        let sacrifice = if self.malicious { SACRIFICE_BITS } else { 0 };
        self.path_start() + sacrifice + self.all_batches().map(|batch| batch.trees * batch.depth).sum::<usize>()
    }

    /// Returns how many correlated OTs are made: whole chunks, and one more that their check sacrifices.
    #[must_use]
    pub fn padded(&self) -> usize {
        let sacrifice = if self.malicious { CHUNK } else { 0 };
        self.cots().next_multiple_of(CHUNK) + sacrifice
    }

    /// Returns how many correlated OTs are packed, without the sacrificed value.
    pub(super) fn path_start(&self) -> usize {
        self.packed_values() * self.value_bits
    }

    /// Returns how many bytes the correlation takes on the wire, both ways.
    #[must_use]
    pub fn total_bytes(&self) -> usize {
        use super::silent_receiver::{CHALLENGE_BYTES, PREFIX_BYTES, PROOF_BYTES};
        let check = if self.malicious { CHALLENGE_BYTES + PROOF_BYTES } else { 0 };
        let extension = crate::ot::softspoken::message_bytes(self.padded(), self.malicious);
        let trees: usize = self.all_batches().map(Batch::message_bytes).sum();
        crate::ot::base::CHOICE_BYTES + PREFIX_BYTES + extension + trees + check
    }
}

/// Returns the number of trees that the rules ask for in a batch of some depth, the union over `batches` included
/// (silent-vole.md, 11.2 and 11.3).
///
/// The shared-support rule: one elimination succeeds with probability `2^D * (3/4)^t`, and `log2(4/3) > 0.415`.
fn noise(value_bits: usize, batches: usize, depth: usize) -> usize {
    let weight = if value_bits == 128 { WIDE_NOISE } else { NARROW_NOISE };
    let union_bits = batches.next_power_of_two().trailing_zeros() as usize;
    let shared_support = (1000 * (128 + value_bits + union_bits)).div_ceil(415);
    even(weight.max(shared_support)) + NOISE_PER_LEVEL * depth.saturating_sub(TREE_DEPTH)
}

fn even(number: usize) -> usize {
    number.next_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::cast_precision_loss)] // numbers below 2^30
    fn a_batch_has_the_noise_that_both_rules_ask_for() {
        // log2(4/3) = 0.41503..., so that 0.415 errs on the safe side.
        assert!((4.0_f64 / 3.0).log2() > 0.415);
        let fields = [(128, true), (128, false), (64, false)];
        for (tree_depth, (value_bits, malicious)) in
            TREE_DEPTHS.flat_map(|depth| fields.into_iter().map(move |field| (depth, field)))
        {
            for exponent in 0..=29 {
                let middle = 1_usize << exponent;
                for length in
                    [middle - middle / 3, middle, middle + middle / 5].map(|length| length.min(MAX_LENGTH))
                {
                    let sizes = Sizes::new(length, value_bits, malicious, tree_depth).unwrap();
                    assert!(sizes.batch.outputs() * sizes.batches >= length);
                    for batch in sizes.all_batches() {
                        assert!(batch.trees.is_multiple_of(2) && batch.outputs().is_multiple_of(8));
                        assert!(batch.trees >= if value_bits == 128 { 1024 } else { 768 });
                        let bits = 0.415_037 * batch.trees as f64 - value_bits as f64;
                        assert!(bits - (sizes.messages() as f64).log2() >= 128.0, "{length}: {bits}");
                        // The single-test rule at the assumed distance 0.15, after the same union.
                        let bits = -0.85_f64.log2() * batch.trees as f64;
                        assert!(bits - (sizes.messages() as f64).log2() >= 137.0, "{length}: {bits}");
                        assert!(batch.depth >= LEAST_DEPTH && sizes.batch.depth <= tree_depth);
                        // A message of a batch fits a frame.
                        assert!(sizes.bootstrap == Some(batch) || batch.message_bytes() < 1 << 20);
                    }
                    if let Some(bootstrap) = sizes.bootstrap {
                        assert!(bootstrap.outputs() >= sizes.batches * sizes.batch.trees);
                    }
                }
            }
        }
    }

    #[test]
    fn the_numbers_at_the_boundaries_are_those_of_the_specification() {
        let new = |length| Sizes::new(length, 128, true, TREE_DEPTH).unwrap();
        for (length, depth) in [(1, 4), (8_192, 4), (8_193, 5), (131_072, 8)] {
            let batch = Batch { trees: 1024, depth };
            assert_eq!((new(length).bootstrap, new(length).batch, new(length).batches), (None, batch, 1));
        }
        assert_eq!(new(131_073).batch, Batch { trees: 1026, depth: 8 });
        assert_eq!((new(262_143).batches, new(262_144).batches), (1, 2));
        let lead = new(1_736_973);
        let (batch, bootstrap) = (Batch { trees: 1044, depth: 8 }, Batch { trees: 1024, depth: 5 });
        assert_eq!((lead.batches, lead.batch, lead.bootstrap), (13, batch, Some(bootstrap)));
        assert_eq!((lead.cots(), lead.padded(), lead.total_bytes()), (244_896, 245_120, 4_368_064));
        for length in [0, MAX_LENGTH + 1] {
            let error = CoreError::CorrelationLength { length, limit: MAX_LENGTH };
            assert_eq!(Sizes::new(length, 128, true, TREE_DEPTH), Err(error));
        }
        for depth in [6, 10] {
            let error = CoreError::TreeDepth { depth, least: 7, most: 9 };
            assert_eq!(Sizes::new(1, 128, true, depth), Err(error));
        }
    }
}
