//! How the letters of a value begin: hardly any value begins like a phrase that stands for nothing.

/// How many letters of a value are looked at.
const LETTERS: usize = 3;
/// The letters of the alphabet, and none.
const BASE: usize = 27;

/// What the letters of some phrases begin with.
pub struct Beginnings(Vec<bool>);

impl Beginnings {
    /// Takes the first three letters of each phrase, or all that it has.
    #[must_use]
    pub fn new<'a>(phrases: impl IntoIterator<Item = &'a str>) -> Self {
        let mut known = vec![false; BASE.pow(3)];
        known[0] = true; // no letters at all
        for phrase in phrases {
            known[number(phrase.as_bytes())] = true;
        }
        Self(known)
    }

    /// Returns whether a value has letters A to Z, in any case, and the first three, or all, are those of no phrase.
    #[must_use]
    pub fn differ(&self, value: &[u8]) -> bool {
        !self.0[number(value)]
    }
}

/// Returns the first three letters of a value, or all that it has, as digits of one number.
#[inline]
fn number(value: &[u8]) -> usize {
    let letters =
        value.iter().map(|byte| byte.to_ascii_lowercase().wrapping_sub(b'a')).filter(|&letter| letter < 26);
    letters.take(LETTERS).fold(0, |number, letter| number * BASE + usize::from(letter) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_differ_from_phrases_by_their_first_letters() {
        let beginnings = Beginnings::new(["not known", "n a", "zzz", "aab"]);
        for (value, expected) in [
            ("", false),
            ("1 2", false),
            ("é", false),
            ("7 Noté", false),
            ("NoTable", false),
            ("12 No Road", true),
            ("n/a", false),
            ("N.A.", false),
            ("n a b", true),
            ("n", true),
            ("-z-z", true),
            ("zZz", false),
            ("zzzz", false),
            ("ab", true), // no zeros before a number
            ("a", true),
            ("@[`{\u{1}", false), // the neighbours of the letters
        ] {
            assert_eq!(beginnings.differ(value.as_bytes()), expected, "{value}");
        }
    }
}
