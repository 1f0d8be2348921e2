//! Splits a batch over the threads of a role; results never depend on their number.

use std::cmp::Ordering;

use rayon::prelude::*;

use crate::error::CoreError;
use crate::params::MAX_THREADS;

/// Items that one thread works on at a time: enough to share one field inversion, few enough for its cache.
pub const BATCH: usize = 256;

/// The threads of one role, its own: two roles of one process do not wait for each other.
pub struct Threads {
    pool: rayon::ThreadPool,
}

impl Threads {
    /// Starts `count` threads; they end when the value is dropped.
    ///
    /// # Errors
    ///
    /// [`CoreError::Threads`] unless `count` is from 1 to [`MAX_THREADS`]; [`CoreError::NoThreads`] if the system
    /// refuses them.
    pub fn new(count: usize) -> Result<Self, CoreError> {
        if count == 0 || count > MAX_THREADS {
            return Err(CoreError::Threads { count });
        }
        rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|index| format!("psi-{index}"))
            .build()
            .map(|pool| Self { pool })
            .map_err(|_| CoreError::NoThreads { count })
    }

    /// Returns how many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs work whose parallel parts use these threads.
    ///
    /// # Panics
    ///
    /// If the work does.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        let (mut work, mut result) = (Some(work), None);
        self.enter(&mut || result = work.take().map(|work| work()));
        #[allow(clippy::expect_used)] // the pool returns when the work is done
        result.expect("the work was done")
    }

    /// Runs work of one type: the way into the pool is compiled once, and not again for all that goes through it.
    fn enter(&self, work: &mut (dyn FnMut() + Send)) {
        self.pool.install(work);
    }

    /// Fills a list a [`BATCH`] at a time: calls `work(first, batch)`, where `first` is the batch's position.
    ///
    /// # Errors
    ///
    /// The error of the earliest batch that failed.
    pub fn try_fill<T, E>(
        &self,
        list: &mut [T],
        work: impl Fn(usize, &mut [T]) -> Result<(), E> + Sync,
    ) -> Result<(), E>
    where
        T: Send,
        E: Send,
    {
        let results: Vec<_> = self.install(|| {
            list.par_chunks_mut(BATCH).enumerate().map(|(batch, slice)| work(batch * BATCH, slice)).collect()
        });
        results.into_iter().collect()
    }

    /// Fills a list as [`Threads::try_fill`] does, with work that cannot fail.
    pub fn fill<T: Send>(&self, list: &mut [T], work: impl Fn(usize, &mut [T]) + Sync) {
        self.install(|| {
            list.par_chunks_mut(BATCH).enumerate().for_each(|(batch, slice)| work(batch * BATCH, slice));
        });
    }

    /// Sorts a list; `compare` leaves no two different members equal, so that one order is possible only.
    pub fn sort_by<T: Send>(&self, list: &mut [T], compare: impl Fn(&T, &T) -> Ordering + Send + Sync) {
        self.install(|| list.par_sort_unstable_by(compare));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_fault_is_reported_whatever_the_number_of_threads() {
        for count in [1, 2, 7] {
            let threads = Threads::new(count).unwrap();
            let mut list = vec![0; 10 * BATCH + 1];
            let result = threads.try_fill(&mut list, |first, batch| {
                for (offset, member) in batch.iter_mut().enumerate() {
                    *member = first + offset;
                }
                if first >= 3 * BATCH { Err(first) } else { Ok(()) }
            });
            assert_eq!(result, Err(3 * BATCH));
            assert!(list.into_iter().eq(0..=10 * BATCH));
        }
    }

    #[test]
    fn a_number_of_threads_that_cannot_be_is_refused() {
        for count in [0, MAX_THREADS + 1] {
            assert_eq!(Threads::new(count).err(), Some(CoreError::Threads { count }));
        }
    }
}
