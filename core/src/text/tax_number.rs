//! The rule `tax-number/1`: nine digits, alone or in groups.

/// Returns whether a value is nine digits, alone or grouped 3-2-4 or 2-7 by one kind of separator, a hyphen or a blank.
#[must_use]
pub fn is_tax_number(value: &[u8]) -> bool {
    let is_number = |digits: &[u8]| digits.iter().all(u8::is_ascii_digit);
    let separates = |byte: u8| byte == b'-' || byte == b' ';
    match value.len() {
        9 => is_number(value),
        10 => separates(value[2]) && is_number(&value[..2]) && is_number(&value[3..]),
        11 => {
            let [first, second] = [value[3], value[6]];
            let (area, group, serial) = (&value[..3], &value[4..6], &value[7..]);
            separates(first) && first == second && is_number(area) && is_number(group) && is_number(serial)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_alone_and_in_groups_are_a_number_and_nothing_else_is() {
        for value in ["900010001", "900-01-0001", "900 01 0001", "12-3456789", "12 3456789"] {
            assert!(is_tax_number(value.as_bytes()), "{value}");
            for at in 0..value.len() {
                for other in ["x", "/", ":", "_", "٣"] {
                    let changed = format!("{}{other}{}", &value[..at], &value[at + 1..]);
                    assert!(!is_tax_number(changed.as_bytes()), "{changed}");
                }
            }
        }
        for value in ["", "12345678", "1234567890", "900-01 0001", "900 01-0001", "90001-0001", "123-456789"] {
            assert!(!is_tax_number(value.as_bytes()), "{value}");
        }
    }
}
