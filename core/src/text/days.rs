//! Calendar days in exactly one format.

use crate::error::CoreError;

/// What stands for a value that is no day.
pub const NO_DAY: i32 = i32::MIN;

/// One part of a format of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Year,
    /// Two digits.
    Month,
    /// Two digits.
    Day,
    /// One digit or two, no zero before.
    ShortMonth,
    /// One digit or two, no zero before.
    ShortDay,
    /// Three letters in any case.
    MonthName,
    Separator(u8),
}

const MONTH_NAMES: [&[u8; 3]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// How a file writes days.
#[derive(Debug)]
pub struct Format(Vec<Part>);

impl Format {
    /// Takes a format apart: `%Y`, `%m`, `%d`, `%-m`, `%-d`, `%b`, any other ASCII character for itself.
    ///
    /// Whether it has each of year, month and day once is for the caller to have checked; what has not gives no days.
    ///
    /// # Errors
    ///
    /// [`CoreError::DateFormat`] for an unknown directive or a character that is not ASCII.
    pub fn new(format: &str) -> Result<Self, CoreError> {
        let mut parts = Vec::new();
        let mut rest = format.as_bytes();
        while let [first, ..] = rest {
            let (part, length) = match rest {
                [b'%', b'Y', ..] => (Part::Year, 2),
                [b'%', b'm', ..] => (Part::Month, 2),
                [b'%', b'd', ..] => (Part::Day, 2),
                [b'%', b'b', ..] => (Part::MonthName, 2),
                [b'%', b'-', b'm', ..] => (Part::ShortMonth, 3),
                [b'%', b'-', b'd', ..] => (Part::ShortDay, 3),
                [b'%' | 0x80..=0xff, ..] => {
                    return Err(CoreError::DateFormat { position: format.len() - rest.len() });
                }
                _ => (Part::Separator(*first), 1),
            };
            parts.push(part);
            rest = &rest[length..];
        }
        Ok(Self(parts))
    }

    /// Returns a day of the years 1 to 9999 as days since 1970-01-01, [`NO_DAY`] unless the value is exactly one.
    #[must_use]
    pub fn day(&self, value: &[u8]) -> i32 {
        self.parse(value).unwrap_or(NO_DAY)
    }

    /// Returns whether two values are days and the first comes before the second.
    #[must_use]
    pub fn in_order(&self, first: &[u8], second: &[u8]) -> bool {
        self.parse(first).zip(self.parse(second)).is_some_and(|(first, second)| first < second)
    }

    fn parse(&self, value: &[u8]) -> Option<i32> {
        let (mut year, mut month, mut day) = (0, 0, 0);
        let mut rest = value;
        for &part in &self.0 {
            match part {
                Part::Year => year = digits::<4>(&mut rest)?,
                Part::Month => month = digits::<2>(&mut rest)?,
                Part::Day => day = digits::<2>(&mut rest)?,
                Part::ShortMonth => month = short(&mut rest)?,
                Part::ShortDay => day = short(&mut rest)?,
                Part::MonthName => {
                    let (name, after) = rest.split_first_chunk::<3>()?;
                    let at = MONTH_NAMES.iter().position(|known| known.eq_ignore_ascii_case(name))?;
                    (month, rest) = (u32::try_from(at).ok()? + 1, after);
                }
                Part::Separator(byte) => rest = rest.strip_prefix(&[byte])?,
            }
        }
        (rest.is_empty() && year > 0 && (1..=days_of(year, month)?).contains(&day))
            .then(|| since_1970(year, month, day))
    }
}

/// Takes a number of exactly so many digits.
fn digits<const N: usize>(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    let (mut value, mut sound) = (0, true); // one branch for all digits: each value has others
    for byte in number {
        let digit = byte.wrapping_sub(b'0');
        sound &= digit < 10;
        value = value * 10 + u32::from(digit);
    }
    sound.then_some(value)
}

/// Takes one digit or two that do not begin with zero.
fn short(rest: &mut &[u8]) -> Option<u32> {
    match **rest {
        [b'1'..=b'9', b'0'..=b'9', ..] => digits::<2>(rest),
        [b'1'..=b'9', ..] => digits::<1>(rest),
        _ => None,
    }
}

/// Returns how many days a month of the Gregorian calendar has, carried on to years before it.
fn days_of(year: u32, month: u32) -> Option<u32> {
    const DAYS: [u32; 13] = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    DAYS.get(month as usize).map(|days| days + u32::from(month == 2 && is_leap))
}

/// Counts the days since 1970-01-01 of a day that exists, in a year of March to February: its leap day comes last.
fn since_1970(year: u32, month: u32, day: u32) -> i32 {
    const BEFORE_1970: i32 = 719_468; // days from March 1 of the year 0
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before_month = (153 * month + 2) / 5; // 31, 30, 31, 30, 31 days, again and again
    let days = 365 * year + year / 4 - year / 100 + year / 400 + before_month + day - 1;
    days.cast_signed() - BEFORE_1970
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_follow_one_another_through_all_years() {
        let format = Format::new("%Y-%m-%d").unwrap();
        let mut expected = -719_162; // 0001-01-01
        for year in 1..=9999_u32 {
            for month in 1..=12 {
                for day in 1..=31 {
                    let found = format.day(format!("{year:04}-{month:02}-{day:02}").as_bytes());
                    if day <= days_of(year, month).unwrap() {
                        assert_eq!(found, expected, "{year}-{month}-{day}");
                        expected += 1;
                    } else {
                        assert_eq!(found, NO_DAY);
                    }
                }
            }
        }
        assert_eq!(format.day(b"1970-01-01"), 0);
        assert_eq!(expected, 2_932_897); // the day after 9999-12-31
    }

    #[test]
    fn days_are_in_order_if_both_are_days_and_differ() {
        let format = Format::new("%m/%d/%Y").unwrap();
        for (first, second, expected) in [
            ("12/31/2022", "01/01/2023", true),
            ("01/01/2023", "12/31/2022", false),
            ("01/01/2023", "01/01/2023", false),
            ("", "01/01/2023", false),
            ("01/01/2023", "02/30/2023", false),
            ("", "", false),
        ] {
            assert_eq!(format.in_order(first.as_bytes(), second.as_bytes()), expected, "{first} {second}");
        }
    }

    #[test]
    fn a_format_takes_exactly_what_it_says() {
        for (format, value, is_day) in [
            ("%m/%d/%Y", "02/29/2024", true),
            ("%m/%d/%Y", "02/29/2023", false),
            ("%m/%d/%Y", "2/28/2023", false),
            ("%m/%d/%Y", "02/28/2023 ", false),
            ("%-m/%-d/%Y", "2/28/2023", true),
            ("%-m/%-d/%Y", "12/1/2023", true),
            ("%-m/%-d/%Y", "13/1/2023", false),
            ("%-m/%-d/%Y", "02/1/2023", false),
            ("%-m/%-d/%Y", "123/1/2023", false),
            ("%d-%b-%Y", "01-fEB-2023", true),
            ("%d-%b-%Y", "01-fEX-2023", false),
            ("%-d%b%Y", "1Feb2023", true),
            ("%Y%m%d", "20230228", true),
            ("%Y%m%d", "00000228", false),
            ("%Y%m%d", "2023022", false),
            ("%Y%m%d", "20230200", false),
            ("%Y%m%d", "20230001", false),
            ("%Y", "2023", false),
            ("", "", false),
        ] {
            assert_eq!(Format::new(format).unwrap().day(value.as_bytes()) != NO_DAY, is_day, "{format} {value}");
        }
        for (format, position) in [("%Y-%q", 3), ("%", 0), ("%Y-%", 3), ("%Y é", 3)] {
            assert_eq!(Format::new(format).unwrap_err(), CoreError::DateFormat { position });
        }
    }
}
