//! What a run of a vole suite will take, from both sizes alone (vole.md, "Sizes").

use crate::error::CoreError;
use crate::gf64::Gf64;
use crate::gf128::Gf128;
use crate::okvs::Parameters;
use crate::ot::base::CHOICE_BYTES;
use crate::params::{VoleSuite, check_count};
use crate::role::vole::{BLOCK_BYTES, HASH_BYTES, extension_bytes};
use crate::role::vole_frame::BODY_BYTES;
use crate::tags::code::code_bytes;
use crate::tags::order::batches;
use crate::vole::Sizes;

/// Length of what stands before the body of a frame on the wire: its length and its type (psi.md, "Frames").
const HEADER_BYTES: usize = 5;

/// The numbers of a run that terms, plan and receipt show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolePlan {
    /// Columns of the store: entries of A + P.
    pub columns: usize,
    /// Length of an entry.
    pub value_bytes: usize,
    /// Length of a tag.
    pub tag_bytes: usize,
    /// Items of the largest batch of the sender.
    pub batch_items: usize,
    /// Values that the largest batch of the correlation makes.
    pub batch_outputs: usize,
    /// Items that a cheating receiver can have encoded at most, with 2^64 hashes of values within the deadline.
    pub n_max: usize,
    /// Length of all frames of the receiver, without a report.
    pub receiver_bytes: usize,
    /// Length of all frames of the sender.
    pub sender_bytes: usize,
}

impl VolePlan {
    /// Computes them; all are zero if one of the sets is empty.
    ///
    /// # Errors
    ///
    /// [`CoreError::TooManyItems`], [`CoreError::TreeDepth`].
    pub fn new(
        suite: VoleSuite,
        n_receiver: usize,
        n_sender: usize,
        tree_depth: usize,
    ) -> Result<Self, CoreError> {
        check_count(n_sender)?;
        let columns = Parameters::new(n_receiver)?.columns();
        let malicious = suite == VoleSuite::Malicious;
        let value_bytes = if suite.small_field(n_sender) { Gf64::BYTES } else { Gf128::BYTES };
        let tag_bytes = suite.tag_bytes(n_sender, n_receiver);
        let batches = batches(n_sender);
        let sizes = Sizes::new(columns, 8 * value_bytes, malicious, tree_depth)?;
        let mut plan = Self {
            columns,
            value_bytes,
            tag_bytes,
            batch_items: batches.first().map_or(0, ExactSizeIterator::len),
            batch_outputs: sizes.batch.outputs(),
            n_max: n_max(columns),
            receiver_bytes: 0,
            sender_bytes: 0,
        };
        if n_receiver == 0 || n_sender == 0 {
            return Ok(plan);
        }
        let checks = if malicious { [2 * BLOCK_BYTES, HASH_BYTES, 2 * HASH_BYTES, BLOCK_BYTES] } else { [0; 4] };
        let [challenge, bind, proof, open] = checks;
        let head = BLOCK_BYTES + if malicious { BLOCK_BYTES } else { HASH_BYTES };
        let commitment = if malicious { HASH_BYTES } else { 0 };
        let receiver = [extension_bytes(&sizes), challenge, bind, head + columns * value_bytes];
        plan.receiver_bytes = receiver.into_iter().map(framed).sum();
        plan.sender_bytes = [commitment + CHOICE_BYTES, proof, open].into_iter().map(framed).sum::<usize>()
            + sizes.all_batches().map(|batch| framed(batch.message_bytes())).sum::<usize>()
            + batches.iter().map(|batch| framed(code_bytes(batch.len(), tag_bytes))).sum::<usize>();
        Ok(plan)
    }
}

/// Returns how long a message is in frames.
fn framed(message_bytes: usize) -> usize {
    message_bytes + HEADER_BYTES * message_bytes.div_ceil(BODY_BYTES)
}

/// Returns the least `n` with `n (64 - log2(n) + 1.443) + 40 <= 128 (n - columns)` (vole.md, 13).
#[allow(clippy::cast_precision_loss)] // below 2^40
#[must_use]
pub fn n_max(columns: usize) -> usize {
    let (mut low, mut high) = (columns, 64 * columns);
    while low < high {
        let middle = usize::midpoint(low, high);
        let n = middle as f64;
        if n * (64.0 - n.log2() + 1.443) + 40.0 <= 128.0 * (n - columns as f64) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vole::sizes::{TREE_DEPTH, TREE_DEPTHS};

    #[test]
    fn the_lead_case_takes_the_bytes_of_the_specification() {
        let plan = VolePlan::new(VoleSuite::Malicious, 1_280_000, 1_280_000, TREE_DEPTH).unwrap();
        assert!(plan.receiver_bytes + plan.sender_bytes < 51_000_000, "{plan:?}");
        assert!(plan.n_max > 2 * 1_280_000 && plan.n_max < 27 * 128_000, "{plan:?}");
        let plan = VolePlan::new(VoleSuite::SemiHonest, 1_280_000, 1_280_000, TREE_DEPTH).unwrap();
        assert!(plan.receiver_bytes + plan.sender_bytes < 30_000_000, "{plan:?}");
    }

    #[test]
    fn deeper_trees_take_fewer_bytes() {
        for suite in [VoleSuite::Malicious, VoleSuite::SemiHonest] {
            let plans = TREE_DEPTHS.map(|depth| VolePlan::new(suite, 1_280_000, 1_280_000, depth).unwrap());
            let bytes: Vec<usize> = plans.map(|plan| plan.receiver_bytes + plan.sender_bytes).collect();
            assert!(bytes.is_sorted_by(|more, fewer| more > fewer), "{bytes:?}");
        }
    }

    #[test]
    fn an_empty_set_takes_nothing() {
        for (n_receiver, n_sender) in [(0, 5), (5, 0), (0, 0)] {
            let plan = VolePlan::new(VoleSuite::Malicious, n_receiver, n_sender, TREE_DEPTH).unwrap();
            assert_eq!((plan.receiver_bytes, plan.sender_bytes), (0, 0));
        }
    }
}
