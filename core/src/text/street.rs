//! The line of a street as most are written.

/// Returns whether a value is a number and, behind a blank, has two letters A to Z in the same line.
///
/// Each such value passes the rule `street/1`, and others do.
#[must_use]
pub fn is_numbered(value: &[u8]) -> bool {
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let [b' ', name @ ..] = &value[digits..] else { return false };
    let line = name.iter().take_while(|&&byte| byte != b'\n');
    digits > 0 && line.filter(|byte| byte.is_ascii_alphabetic()).nth(1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_name_are_a_street() {
        for (value, expected) in [
            ("12 Main Street", true),
            ("7 Elm", true),
            ("7  1. B 2 C", true),
            ("", false),
            (" ", false),
            ("7", false),
            ("7 ", false),
            ("7 B", false),
            ("7 B\nC", false),
            ("7 é1é", false), // passes the rule, and is looked at closely
            (" 7 Elm", false),
            ("Elm 7", false),
            ("7a Elm", false),
        ] {
            assert_eq!(is_numbered(value.as_bytes()), expected, "{value:?}");
        }
    }
}
