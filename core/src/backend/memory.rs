//! Advice to the memory system; nothing here changes a result.

#![allow(unsafe_code)] // two hints without effect on the values in memory

use zerocopy::FromZeros;

/// Bytes of a huge page where the system knows them.
const HUGE_PAGE: usize = 2 << 20;
/// What an allocator may add to a buffer that has a mapping of its own.
const MARGIN: usize = 4096;

/// Asks for huge pages under a buffer, where the system knows them; without, random access is slower and no more.
///
/// The pages at both ends are concerned too, with whatever else lies there. Call it before the first write.
pub fn advise_huge_pages<T>(buffer: &mut [T]) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        let start = buffer.as_mut_ptr() as usize / PAGE * PAGE;
        let end = (buffer.as_mut_ptr() as usize + size_of_val(buffer)).next_multiple_of(PAGE);
        if end - start >= HUGE_PAGE {
            // SAFETY: the buffer keeps all pages of the range mapped, and MADV_HUGEPAGE changes no content. A failure (an
            // old kernel) is of no consequence.
            unsafe {
                libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE);
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = buffer;
}

/// Returns zeros on huge pages, where the system knows them: fresh pages that nobody has touched yet.
///
/// The macro `vec!` would write every element of another type than integers and short arrays of them.
#[must_use]
pub fn zeroed<T: FromZeros>(length: usize) -> Vec<T> {
    let room = room::<T>(length);
    // With no memory left the second way ends the process as every other allocation does.
    let mut buffer = T::new_vec_zeroed(room).unwrap_or_else(|_| (0..room).map(|_| T::new_zeroed()).collect());
    advise_huge_pages(&mut buffer);
    buffer.truncate(length);
    buffer
}

/// Returns for how many elements room is made, so that a long list has whole huge pages with all that the allocator adds.
///
/// Linux lays a mapping of any other length across them: both its ends then have hundreds of small pages, each with a
/// fault of its own.
fn room<T>(length: usize) -> usize {
    let bytes = length * size_of::<T>();
    if bytes < HUGE_PAGE {
        return length;
    }
    ((bytes + MARGIN).next_multiple_of(HUGE_PAGE) - MARGIN) / size_of::<T>()
}

/// Sets the length of a buffer, whose content is of no more use.
///
/// A new one has huge pages that nobody has touched: the threads that write to it share the first touch, which costs more
/// than the items that are moved.
pub fn grow<T: Copy + Default + FromZeros>(buffer: &mut Vec<T>, length: usize, wipe: impl Fn(&mut Vec<T>)) {
    if buffer.capacity() < length {
        wipe(buffer);
        *buffer = zeroed(length);
    }
    buffer.resize(length, T::default());
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
