//! How often short tags of different items are equal, against the bound that gives a tag its length (vole.md, 14).

use super::code::{Decoder, Encoder};
use super::compare::OwnTags;
use super::output::Output;
use crate::backend::Backend;
use crate::buckets::Buckets;

/// Returns the tags of so many items of one party; no two parties or rounds have an item in common.
fn tags(party: u8, round: usize, count: usize, tag_bytes: usize) -> Vec<u128> {
    let mut xof = blake3::Hasher::new().update(&[party]).update(&round.to_le_bytes()).finalize_xof();
    let mut bytes = vec![0; 48 * count];
    xof.fill(&mut bytes);
    let items = bytes.as_chunks::<48>().0;
    let values: Vec<u128> =
        items.iter().map(|item| u128::from_le_bytes(std::array::from_fn(|i| item[i]))).collect();
    let digests: Vec<[u8; 32]> = items.iter().map(|item| std::array::from_fn(|i| item[16 + i])).collect();
    let mut tags = vec![0; count];
    let output = Output::new(Backend::chosen().unwrap(), [7; 32], tag_bytes);
    output.each(&values, 0, |i| &digests[i], |i, tag, _| tags[i] = tag);
    tags
}

/// Returns the number of pairs of an item of R and one of S whose tags are equal, through the code on the wire.
fn false_matches(round: usize, n_receiver: usize, n_sender: usize, tag_bytes: usize) -> usize {
    let theirs = Buckets::of(&tags(1, round, n_sender, tag_bytes));
    let mut code = Vec::new();
    Encoder::new(theirs, tag_bytes, false).append_to(&mut code, usize::MAX).unwrap();
    let mut decoded = Vec::new();
    Decoder::new(n_sender, tag_bytes, false).take(&code, &mut decoded).unwrap();
    OwnTags::new(tags(0, round, n_receiver, tag_bytes)).among(&decoded).len()
}

#[test]
#[allow(clippy::cast_precision_loss)] // small numbers
fn false_matches_of_short_tags_are_as_many_as_the_bound_says() {
    // Equal pairs are expected to be n_receiver * n_sender * 2^(-8 tag_bytes), with about that variance.
    for (n_receiver, n_sender, tag_bytes, rounds) in
        [(4096, 4096, 2, 40), (1000, 7000, 2, 40), (8192, 8192, 3, 100), (300, 200, 2, 400)]
    {
        let seen: usize = (0..rounds).map(|round| false_matches(round, n_receiver, n_sender, tag_bytes)).sum();
        let expected = (rounds * n_receiver * n_sender) as f64 / f64::from(1 << (8 * tag_bytes));
        println!("{n_receiver} x {n_sender}, {tag_bytes} bytes, {rounds} rounds: {seen}, expected {expected:.1}");
        assert!((seen as f64 - expected).abs() < 5.0 * expected.sqrt(), "{seen}, expected {expected:.1}");
    }
}

#[test]
#[allow(clippy::cast_precision_loss)] // small numbers
fn a_run_with_any_false_match_is_no_more_frequent_than_the_union_bound() {
    // 64 x 128 pairs and 2 bytes: the union bound is 2^-3 for a run, and 1 - e^(-1/8) = 0.1175 is expected.
    let rounds = 4000;
    let seen = (0..rounds).filter(|&round| false_matches(round, 64, 128, 2) > 0).count() as f64;
    let share = 1.0 - (-0.125_f64).exp();
    let (bound, expected) = (0.125 * rounds as f64, share * rounds as f64);
    println!("{seen} of {rounds} runs with a false match, expected {expected:.1}, at most {bound}");
    let deviation = (expected * (1.0 - share)).sqrt();
    assert!((seen - expected).abs() < 5.0 * deviation && seen < bound + 5.0 * deviation, "{seen}");
}
