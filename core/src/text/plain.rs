//! Which values are printable ASCII and not blank: of most columns nearly all.

/// Returns whether a value has only the characters from blank to tilde, one of them no blank, and few enough of them.
#[must_use]
pub fn is_plain(value: &[u8], max_bytes: usize) -> bool {
    let (mut strange, mut ink) = (false, false);
    for &byte in value {
        strange |= byte.wrapping_sub(b' ') > b'~' - b' ';
        ink |= byte != b' ';
    }
    ink && !strange && value.len() <= max_bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_alone_is_plain_if_it_is_printed() {
        for byte in 0..=u8::MAX {
            assert_eq!(is_plain(&[byte], 1), (b'!'..=b'~').contains(&byte), "{byte}");
            assert_eq!(is_plain(&[b'a', byte], 2), (b' '..=b'~').contains(&byte), "{byte}");
        }
    }

    #[test]
    fn blank_and_long_values_are_not_plain() {
        for (value, max_bytes, expected) in
            [("", 9, false), ("   ", 9, false), (" a ", 3, true), (" a ", 2, false)]
        {
            assert_eq!(is_plain(value.as_bytes(), max_bytes), expected, "{value:?}");
        }
    }
}
