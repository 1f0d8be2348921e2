//! Lets the AVX-512 kernels run on processors that have AVX-512 but not its cryptographic instructions.
//!
//! The processor faults at an instruction that it does not know; what is here catches the fault and does the instruction
//! on the registers that the system has saved, as Intel's manual (volume 2) describes it. All others run as they are. So
//! the kernels are tried as they were compiled, on every processor with AVX-512F, BW, DQ and VL.

#![allow(unsafe_code, clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap)]
#![allow(clippy::cast_ptr_alignment)] // the saved state is aligned to 64 bytes

use core::arch::x86_64::{
    __cpuid_count, __m128i, _mm_aesenc_si128, _mm_aesenclast_si128, _mm_clmulepi64_si128, _mm_loadu_si128,
    _mm_storeu_si128,
};
use std::sync::OnceLock;

use crate::backend::avx512::Avx512;
use crate::backend::convolution::tests::affine;

/// A register, the low bytes first; what a shorter form of an instruction does not write is zero.
type Register = [u8; 64];

/// Where the system saves the general registers, in the order of their numbers.
const GENERAL: [usize; 16] = [13, 14, 12, 11, 15, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7];
/// Components of the saved state: the low 128 bits of the first 16 registers, their next 128, their high 256, the others.
const SSE: u32 = 1;
const YMM: u32 = 2;
const ZMM: u32 = 6;
const HIGH: u32 = 7;

/// Where the components behind the first lie in the saved state; to ask for it in the handler would take too long.
static PLACES: OnceLock<[usize; 3]> = OnceLock::new();

/// Returns the evidence that the kernels want, where this processor and what is here have all instructions together.
pub(in crate::backend) fn avx512() -> Option<Avx512> {
    static CAUGHT: OnceLock<bool> = OnceLock::new();
    let caught = CAUGHT.get_or_init(|| {
        PLACES.get_or_init(|| [YMM, ZMM, HIGH].map(|component| __cpuid_count(0xd, component).ebx as usize));
        let most = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("aes")
            && is_x86_feature_detected!("pclmulqdq");
        most && catch()
    });
    caught.then(Avx512::assumed)
}

/// Has the fault of an unknown instruction caught.
fn catch() -> bool {
    let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = fault;
    // SAFETY: the structure is valid when it is zero, and the handler has the signature that SA_SIGINFO asks for.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(libc::SIGILL, &raw const action, std::ptr::null_mut()) == 0
    }
}

/// Does the instruction at which the processor stopped, and lets it go on behind it.
extern "C" fn fault(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system hands over a context that it will restore, with the registers in the layout of XSAVE, and the
    // bytes of the instruction and its operand are those that the processor itself would have read.
    unsafe {
        let context = &mut *context.cast::<libc::ucontext_t>();
        let mut state = State::of(context);
        let length = decode(&state).map(|(instruction, length)| {
            let result = instruction.result();
            state.set_register(instruction.destination, result);
            length
        });
        match length {
            Some(length) => context.uc_mcontext.gregs[libc::REG_RIP as usize] += length as i64,
            None => {
                libc::signal(libc::SIGILL, libc::SIG_DFL); // it is none of ours: it faults again and ends the process
            }
        }
    }
}

/// The registers as the system has saved them.
struct State {
    general: *const [i64; 23],
    saved: *mut u8,
}

impl State {
    unsafe fn of(context: &mut libc::ucontext_t) -> Self {
        let saved = context.uc_mcontext.fpregs.cast::<u8>();
        let state = Self { general: &raw const context.uc_mcontext.gregs, saved };
        // A component whose bit is not set is zero, whatever its memory holds.
        let present = unsafe { &mut *saved.add(512).cast::<u64>() };
        for component in [SSE, YMM, ZMM, HIGH] {
            if *present >> component & 1 == 0 {
                for number in 0..16 {
                    let (place, bytes) = state.part(component, number);
                    unsafe { place.write_bytes(0, bytes) };
                }
                *present |= 1 << component;
            }
        }
        state
    }

    /// Returns where a component has its part of a register, and how long that is.
    fn part(&self, component: u32, number: usize) -> (*mut u8, usize) {
        let [ymm, zmm, high] = PLACES.get().copied().unwrap_or_default();
        let (start, bytes) = match component {
            SSE => (160, 16),
            YMM => (ymm, 16),
            ZMM => (zmm, 32),
            _ => (high, 64),
        };
        // SAFETY: the area is as long as its last component asks for.
        (unsafe { self.saved.add(start + bytes * number) }, bytes)
    }

    /// Returns the parts of which a register is put together.
    fn parts(&self, number: usize) -> [Option<(*mut u8, usize)>; 3] {
        if number < 16 {
            [SSE, YMM, ZMM].map(|component| Some(self.part(component, number)))
        } else {
            [Some(self.part(HIGH, number - 16)), None, None]
        }
    }

    unsafe fn register(&self, number: usize) -> Register {
        let (mut register, mut filled) = ([0; 64], 0);
        for (place, bytes) in self.parts(number).into_iter().flatten() {
            unsafe { register.as_mut_ptr().add(filled).copy_from_nonoverlapping(place, bytes) };
            filled += bytes;
        }
        register
    }

    unsafe fn set_register(&mut self, number: usize, register: Register) {
        let mut read = 0;
        for (place, bytes) in self.parts(number).into_iter().flatten() {
            unsafe { place.copy_from_nonoverlapping(register.as_ptr().add(read), bytes) };
            read += bytes;
        }
    }

    unsafe fn general(&self, number: usize) -> i64 {
        unsafe { (*self.general)[GENERAL[number]] }
    }
}

/// An instruction with the values of its operands.
struct Instruction {
    map: u8,
    code: u8,
    bytes: usize,
    destination: usize,
    old: Register,
    first: Register,
    second: Register,
    constant: u8,
}

/// Reads the instruction at hand, and returns it with its length (Intel, volume 2, sections 2.3.5 and 2.7).
unsafe fn decode(state: &State) -> Option<(Instruction, usize)> {
    let start = unsafe { (*state.general)[libc::REG_RIP as usize] } as usize as *const u8;
    let byte = |at: usize| unsafe { *start.add(at) };
    let evex = match byte(0) {
        0x62 => true,
        0xc4 => false,
        _ => return None,
    };
    let (p0, p1, p2) = (byte(1), byte(2), if evex { byte(3) } else { 0 });
    let mut at = if evex { 4 } else { 3 };
    let (code, form) = (byte(at), byte(at + 1));
    at += 2;
    let map = p0 & if evex { 7 } else { 31 };
    let flag = |byte: u8, bit: u8| usize::from(!byte >> bit & 1);
    let (r, x, b) = (flag(p0, 7) << 3, flag(p0, 6) << 3, flag(p0, 5) << 3);
    let masked = evex && (p2 & 7 != 0 || p2 >> 7 != 0);
    if p1 & 3 != 1 || masked {
        return None; // another prefix than 66, or a mask
    }
    let bytes = 16 << if evex { p2 >> 5 & 3 } else { p1 >> 2 & 1 };
    let destination = usize::from(form >> 3 & 7) | r | if evex { flag(p0, 4) << 4 } else { 0 };
    let first = usize::from(!p1 >> 3 & 15) | if evex { flag(p2, 3) << 4 } else { 0 };
    let broadcast = evex && p2 >> 4 & 1 == 1;
    let constants = usize::from(map == 3);

    let (mode, low) = (form >> 6, usize::from(form & 7));
    let second = if mode == 3 {
        let number = low | b | if evex { x << 1 } else { 0 };
        unsafe { state.register(number) }
    } else {
        let mut address = 0;
        let mut distant = mode == 2;
        let mut beside = false;
        if low == 4 {
            let sib = byte(at);
            at += 1;
            let index = usize::from(sib >> 3 & 7) | x;
            if index != 4 {
                address += unsafe { state.general(index) } << (sib >> 6);
            }
            if sib & 7 == 5 && mode == 0 {
                distant = true;
            } else {
                address += unsafe { state.general(usize::from(sib & 7) | b) };
            }
        } else if low == 5 && mode == 0 {
            (distant, beside) = (true, true);
        } else {
            address += unsafe { state.general(low | b) };
        }
        if distant {
            address += i64::from(i32::from_le_bytes([0, 1, 2, 3].map(|i| byte(at + i))));
            at += 4;
        } else if mode == 1 {
            let unit = if !evex {
                1
            } else if broadcast {
                8
            } else {
                bytes as i64
            };
            address += i64::from(byte(at) as i8) * unit;
            at += 1;
        }
        if beside {
            address += (start as usize + at + constants) as i64;
        }
        let memory = address as usize as *const u8;
        let mut read = [0; 64];
        for (place, byte) in read[..bytes].iter_mut().enumerate() {
            *byte = unsafe { *memory.add(if broadcast { place % 8 } else { place }) };
        }
        read
    };
    let constant = if constants == 1 { byte(at) } else { 0 };
    let instruction = unsafe {
        let (old, first) = (state.register(destination), state.register(first));
        Instruction { map, code, bytes, destination, old, first, second, constant }
    };
    instruction.known().then_some((instruction, at + constants))
}

impl Instruction {
    fn known(&self) -> bool {
        matches!((self.map, self.code), (2, 0xdc | 0xdd | 0x75 | 0x7d | 0x8d) | (3, 0x44 | 0xce))
    }

    /// Does it: VAESENC, VAESENCLAST, VPERMI2B, VPERMT2B, VPERMB, VPCLMULQDQ or VGF2P8AFFINEQB.
    #[target_feature(enable = "aes,pclmulqdq")]
    fn result(&self) -> Register {
        let mut result = [0; 64];
        let Self { first, second, old, .. } = self;
        for place in (0..self.bytes).step_by(16) {
            let out = &mut result[place..place + 16];
            // SAFETY: each of the arrays has 16 bytes from `place` on.
            unsafe {
                let load = |register: &Register| _mm_loadu_si128(register[place..].as_ptr().cast());
                let (a, b) = (load(first), load(second));
                let lane: __m128i = match (self.map, self.code, self.constant) {
                    (2, 0xdc, _) => _mm_aesenc_si128(a, b),
                    (2, 0xdd, _) => _mm_aesenclast_si128(a, b),
                    (3, 0x44, 0x00) => _mm_clmulepi64_si128::<0x00>(a, b),
                    (3, 0x44, 0x01) => _mm_clmulepi64_si128::<0x01>(a, b),
                    (3, 0x44, 0x10) => _mm_clmulepi64_si128::<0x10>(a, b),
                    (3, 0x44, _) => _mm_clmulepi64_si128::<0x11>(a, b),
                    (3, _, constant) => {
                        let word = |register: &Register, at: usize| {
                            u64::from_le_bytes(std::array::from_fn(|i| register[place + 8 * at + i]))
                        };
                        let constant = u64::from_le_bytes([constant; 8]);
                        let words = [0_usize, 1].map(|at| affine(word(first, at), word(second, at)) ^ constant);
                        _mm_loadu_si128(words.as_ptr().cast())
                    }
                    _ => {
                        let lane: [u8; 16] = std::array::from_fn(|i| self.permuted(place + i, old));
                        _mm_loadu_si128(lane.as_ptr().cast())
                    }
                };
                _mm_storeu_si128(out.as_mut_ptr().cast(), lane);
            }
        }
        result
    }

    /// Returns a byte of the result of a permutation of bytes.
    fn permuted(&self, place: usize, old: &Register) -> u8 {
        let (indices, low, high) = match self.code {
            0x75 => (old, &self.first, &self.second),
            0x7d => (&self.first, old, &self.second),
            _ => (&self.first, &self.second, &self.second),
        };
        let index = usize::from(indices[place]);
        let table = if index & self.bytes == 0 { low } else { high };
        table[index % self.bytes]
    }
}

#[test]
fn instructions_that_are_done_by_hand_are_those_of_the_manual() {
    if !(is_x86_feature_detected!("aes") && is_x86_feature_detected!("pclmulqdq")) {
        return;
    }
    // The example of FIPS 197, appendix B: the state and the round key of round 1, and the state at the start of round 2.
    let bytes = |block: u128| block.to_be_bytes();
    let instruction = |map, code, first: u128, second: u128, constant| {
        let mut registers = [[0; 64]; 2];
        registers[0][16..32].copy_from_slice(&bytes(first));
        registers[1][16..32].copy_from_slice(&bytes(second));
        let [first, second] = registers;
        let done = Instruction { map, code, bytes: 64, destination: 0, old: [0; 64], first, second, constant };
        // SAFETY: the processor has the instructions.
        let result = unsafe { done.result() };
        u128::from_be_bytes(result[16..32].try_into().unwrap())
    };
    let state = 0x193d_e3be_a0f4_e22b_9ac6_8d2a_e9f8_4808;
    let key = 0xa0fa_fe17_8854_2cb1_23a3_3939_2a6c_7605;
    assert_eq!(instruction(2, 0xdc, state, key, 0), 0xa49c_7ff2_689f_352b_6b5b_ea43_026a_5049);
    // x^63 times x, of the low words.
    let (x63, x) = (0x80_u128 << 64, 2_u128 << 120);
    assert_eq!(instruction(3, 0x44, x63, x, 0), 1_u128 << 56);
    // The identity, and the constant alone.
    let identity = 0x8040_2010_0804_0201_u128 << 64 | 0x8040_2010_0804_0201;
    assert_eq!(instruction(3, 0xce, state, identity, 0), state);
    assert_eq!(instruction(3, 0xce, state, 0, 0x63), u128::from_be_bytes([0x63; 16]));
    // Byte 16 of the table.
    assert_eq!(instruction(2, 0x8d, 16_u128 << 120, 0xab_u128 << 120, 0) >> 120, 0xab);
}
