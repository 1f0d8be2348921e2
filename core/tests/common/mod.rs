//! What the integration tests share.

#![allow(dead_code)] // each test file uses its own part

use psi_core::error::CoreError;
use psi_core::params::Suite;
use psi_core::role::{EcdhReceiver, EcdhSender, Role, Setup};
use zeroize::Zeroizing;

pub const SID: [u8; 32] = [0x51; 32];

/// Returns the digests of invented items `first..first + count`.
pub fn items(first: usize, count: usize) -> Vec<[u8; 32]> {
    (first..first + count).map(|number| *blake3::hash(&number.to_le_bytes()).as_bytes()).collect()
}

pub fn setup(suite: Suite, n_peer: usize, seed: u8, threads: usize) -> Setup {
    Setup { suite, n_peer, sid: SID, seed: Zeroizing::new([seed; 32]), threads }
}

pub fn receiver(suite: Suite, items: &[[u8; 32]], n_sender: usize, threads: usize) -> EcdhReceiver {
    EcdhReceiver::new(items.to_vec(), setup(suite, n_sender, 1, threads)).unwrap()
}

pub fn sender(suite: Suite, items: &[[u8; 32]], n_receiver: usize, threads: usize) -> EcdhSender {
    EcdhSender::new(items.to_vec(), setup(suite, n_receiver, 2, threads)).unwrap()
}

/// Lets a role work until it needs the peer or is finished, and returns what it sends.
pub fn work(role: &mut dyn Role) -> Result<Vec<Vec<u8>>, CoreError> {
    let mut frames = Vec::new();
    while !role.status().needs_peer && !role.status().finished {
        frames.extend(role.next_frame()?);
    }
    Ok(frames)
}

/// What went between two roles, in order.
#[derive(Debug, PartialEq, Eq)]
pub struct Frames {
    pub from_receiver: Vec<Vec<u8>>,
    pub from_sender: Vec<Vec<u8>>,
}

/// Runs both roles to the end.
pub fn run(receiver: &mut dyn Role, sender: &mut dyn Role) -> Result<Frames, CoreError> {
    let (mut from_receiver, mut from_sender) = (Vec::new(), Vec::new());
    while !receiver.status().finished || !sender.status().finished {
        let before = from_receiver.len() + from_sender.len();
        for frame in work(receiver)? {
            sender.receive(&frame)?;
            from_receiver.push(frame);
        }
        for frame in work(sender)? {
            receiver.receive(&frame)?;
            from_sender.push(frame);
        }
        let moved = from_receiver.len() + from_sender.len() > before;
        assert!(moved || receiver.status().finished || sender.status().finished, "both wait");
    }
    Ok(Frames { from_receiver, from_sender })
}
