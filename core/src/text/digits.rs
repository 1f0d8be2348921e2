//! The recipe `digits/1` (psi.md): what is left of a value without all but the digits.

/// Appends the bytes `0` to `9` of a value.
pub fn append_digits(value: &[u8], digits: &mut Vec<u8>) {
    // A value that is nothing else is copied as a whole; many are.
    if value.iter().all(u8::is_ascii_digit) {
        digits.extend_from_slice(value);
    } else {
        digits.extend(value.iter().filter(|byte| byte.is_ascii_digit()));
    }
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
