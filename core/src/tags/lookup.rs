//! Which values of a stream without order are in a list.

/// A list of pseudorandom values, made to be asked about many others.
pub struct Lookup {
    values: Vec<u128>,
    /// Where the values begin that have a given prefix, and the end.
    starts: Vec<u32>,
    shift: u32,
}

impl Lookup {
    /// Takes an ascending list of fewer than 2^32 values.
    #[must_use]
    pub fn new(values: Vec<u128>) -> Self {
        debug_assert!(values.is_sorted());
        let bits = values.len().checked_ilog2().unwrap_or(0) + 1;
        let shift = u128::BITS - bits;
        let mut starts = Vec::with_capacity((1 << bits) + 1);
        for prefix in 0..=1 << bits {
            let start = values.partition_point(|value| value >> shift < prefix);
            #[allow(clippy::cast_possible_truncation)] // fewer than 2^32
            starts.push(start as u32);
        }
        Self { values, starts, shift }
    }

    /// Returns how many values there are.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // nobody asks
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns whether a value is among them.
    #[must_use]
    pub fn contains(&self, value: u128) -> bool {
        let prefix = (value >> self.shift) as usize;
        self.values[self.starts[prefix] as usize..self.starts[prefix + 1] as usize].contains(&value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_list_is_found_and_nothing_else() {
        for count in [0_u128, 1, 2, 3, 4, 1000] {
            let mut values: Vec<u128> = (0..count).map(|i| (i + 1).wrapping_mul(u128::MAX / 7919)).collect();
            values.sort_unstable();
            let lookup = Lookup::new(values.clone());
            assert!(values.iter().all(|value| lookup.contains(*value)));
            assert!(values.iter().all(|value| !lookup.contains(value ^ 1)));
            assert!(!lookup.contains(0) && !lookup.contains(u128::MAX));
        }
    }
}
