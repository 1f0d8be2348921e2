//! The recipe `digits/1` (psi.md): what is left of a value without all but the digits.

/// Appends the bytes `0` to `9` of a value.
pub fn append_digits(value: &[u8], digits: &mut Vec<u8>) {
    // Each byte is written, and the next one over it unless it is kept: where digits stand is not to be foreseen.
    let mut end = digits.len();
    digits.resize(end + value.len(), 0);
    for &byte in value {
        digits[end] = byte;
        end += usize::from(byte.is_ascii_digit());
    }
    digits.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_ascii_are_kept_alone() {
        for (value, expected) in [("", ""), ("123", "123"), ("1-2 3", "123"), ("-", ""), ("٣1²", "1")] {
            let mut digits = b"9".to_vec();
            append_digits(value.as_bytes(), &mut digits);
            assert_eq!(digits, [b"9", expected.as_bytes()].concat(), "{value}");
        }
    }
}
