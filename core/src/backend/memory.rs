//! Advice to the memory system; nothing here changes a result.

#![allow(unsafe_code)] // two hints without effect on the values in memory

/// Asks for huge pages under a buffer, where the system knows them; without, random access is slower and no more.
///
/// Only whole pages inside the buffer are concerned. Call it before the first write.
pub fn advise_huge_pages<T>(buffer: &mut [T]) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        let start = (buffer.as_mut_ptr() as usize).next_multiple_of(PAGE);
        let end = (buffer.as_mut_ptr() as usize + size_of_val(buffer)) / PAGE * PAGE;
        if end.saturating_sub(start) >= 2 << 20 {
            // SAFETY: the range lies inside one allocation that this function borrows mutably, and MADV_HUGEPAGE
            // changes no content. A failure (an old kernel) is of no consequence.
            unsafe {
                libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE);
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = buffer;
}

/// Returns zeros on huge pages, where the system knows them.
#[must_use]
pub fn zeroed<T: Copy + Default>(length: usize) -> Vec<T> {
    let mut buffer = vec![T::default(); length]; // of integers: fresh pages, not yet touched
    advise_huge_pages(&mut buffer);
    buffer
}

/// Asks for the cache line of an element, if the index is in the slice.
#[inline(always)]
#[allow(clippy::inline_always)] // one instruction
pub fn prefetch<T>(slice: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(element) = slice.get(index) {
        // SAFETY: a prefetch reads nothing that the program can see, and every x86-64 processor has SSE.
        unsafe {
            core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(
                std::ptr::from_ref(element).cast::<i8>(),
            );
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slice, index);
}
