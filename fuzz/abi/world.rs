//! What the program holds, and what is known of it.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, c_char};

use loadwise_ffi::amount::lw_amount;
use loadwise_ffi::engine::lw_engine_free;
use loadwise_ffi::health::lw_health_free;
use loadwise_ffi::nodes::lw_pool_nodes;
use loadwise_ffi::outcome::{LW_OUTCOME_SUCCESS, lw_outcome};
use loadwise_ffi::pick::{lw_pick, lw_pool_release};
use loadwise_ffi::pool::{lw_pool_free, lw_pool_len};
use loadwise_ffi::select::lw_selector_free;
use loadwise_ffi::status::{lw_status, lw_status_name, lw_status_text};
use loadwise_ffi::text::lw_str;

use super::callbacks::HELD;
use super::memory::Block;
use crate::bytes::Bytes;

const PANIC: lw_status = 606;
const BUFFER_TOO_SMALL: lw_status = 604;

unsafe extern "C" {
    fn lw_last_error(buffer: *mut c_char, capacity: usize, len: *mut usize) -> lw_status;
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Pool,
    Health,
    Selector,
    Engine,
}

thread_local! {
    /// Handles that are alive. Callbacks end some, too.
    static LIVE: RefCell<HashMap<u64, Kind>> = RefCell::new(HashMap::new());
}

pub fn live(handle: u64, kind: Kind) -> bool {
    LIVE.with_borrow(|live| live.get(&handle) == Some(&kind))
}

/// Frees a handle, as what it is, or as what it is not.
pub fn free(handle: u64, kind: Kind) {
    let was = live(handle, kind);
    if was {
        // Before the call: what is dropped in it may free something, too.
        LIVE.with_borrow_mut(|live| live.remove(&handle));
    }
    let status = match kind {
        Kind::Pool => lw_pool_free(handle),
        Kind::Health => lw_health_free(handle),
        Kind::Selector => lw_selector_free(handle),
        Kind::Engine => lw_engine_free(handle),
    };
    assert_eq!(checked(status) == 0, was, "{kind:?} {handle:#x}: {status}");
}

pub struct World<'d> {
    pub bytes: Bytes<'d>,
    /// All handles ever given out.
    pub handles: Vec<(u64, Kind)>,
    pub picks: Vec<lw_pick>,
    /// Numbers of those who wait and observe.
    pub numbers: Vec<u64>,
    /// Finished picks, by pool and ticket.
    pub finished: HashSet<(u64, u64)>,
    /// What was passed stays until the end: a program that frees it would break its promise only while a call runs, and
    /// the library must not look at it afterwards.
    blocks: Vec<Block>,
}

impl<'d> World<'d> {
    pub fn new(bytes: Bytes<'d>) -> Self {
        Self {
            bytes,
            handles: Vec::new(),
            picks: Vec::new(),
            numbers: Vec::new(),
            finished: HashSet::new(),
            blocks: Vec::new(),
        }
    }

    pub fn below(&mut self, n: u32) -> u32 {
        u32::from(self.bytes.next()) % n
    }

    pub fn chance(&mut self, one_in: u32) -> bool {
        self.below(one_in) == one_in - 1
    }

    pub fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u32) as usize]
    }

    /// Frees what was passed to the calls so far: nothing may look at it later.
    pub fn forget_arguments(&mut self) {
        self.blocks.clear();
    }

    pub fn keep(&mut self, handle: u64, kind: Kind) {
        assert!(handle != 0 && !self.handles.iter().any(|(h, _)| *h == handle), "{handle:#x} was given out twice");
        self.handles.push((handle, kind));
        LIVE.with_borrow_mut(|live| live.insert(handle, kind));
    }

    /// A handle: mostly the last of its kind, or one that is freed, of another kind, or none at all.
    pub fn handle(&mut self, kind: Kind) -> u64 {
        match self.below(16) {
            0 => self.of(&[0, 1, u64::MAX, 1 << 32, 0xFFFF]),
            1 => self.any().map_or(0, |(handle, _)| handle),
            2 => self.any().map_or(0, |(handle, _)| handle ^ (1 << (self.bytes.next() % 64))),
            _ => self.handles.iter().rev().find(|(h, k)| *k == kind && live(*h, kind)).map_or(7, |(handle, _)| *handle),
        }
    }

    pub fn any(&mut self) -> Option<(u64, Kind)> {
        let at = self.bytes.next() as usize;
        (!self.handles.is_empty()).then(|| self.handles[at % self.handles.len()])
    }

    /// A struct for a call: mostly as it should be. Whether it can be taken.
    pub fn structure<T: Copy>(&mut self, value: T) -> (*mut T, bool) {
        let known = size_of::<T>() as u32;
        let (block, good) = match self.below(32) {
            0 => return (std::ptr::null_mut(), false),
            1 => (Block::misaligned(value), false),
            2 => (Block::of_struct(value, 0, 0), false),
            // Odd: no version ever had that size.
            3 => (Block::of_struct(value, u32::from(self.bytes.next()) % known | 1, 0), false),
            4 => (Block::of_struct(value, known + 8, 0), true),
            5 => (Block::of_struct(value, 1024, 0), true),
            6 => (Block::of_struct(value, known + 1 + u32::from(self.bytes.next()), 1), false),
            7 => (Block::of_struct(value, u32::MAX, 0), false),
            _ => (Block::of_struct(value, known, 0), true),
        };
        (self.lend(block), good)
    }

    /// What a call wrote into a struct, if that is large enough to be read.
    pub fn written<T: Copy>(&self, pointer: *mut T) -> Option<T> {
        self.blocks.iter().find(|b| b.pointer::<T>() == pointer)?.read()
    }

    pub fn lend<T>(&mut self, block: Block) -> *mut T {
        let pointer = block.pointer();
        self.blocks.push(block);
        pointer
    }

    /// A number to be written; NULL now and then.
    pub fn out<T>(&mut self) -> *mut T {
        if self.chance(24) { std::ptr::null_mut() } else { self.lend(Block::new(size_of::<T>())) }
    }

    /// A text. Whether it is one.
    pub fn text(&mut self, text: &str) -> (lw_str, bool) {
        match self.below(32) {
            0 => (lw_str { data: std::ptr::null(), len: 1 }, false),
            1 => (self.str(b"\xff\xfe"), false),
            2 => (lw_str { data: std::ptr::without_provenance(8), len: usize::MAX }, false),
            3 => (lw_str { data: std::ptr::null(), len: 0 }, true),
            _ => (self.str(text.as_bytes()), true),
        }
    }

    pub fn str(&mut self, bytes: &[u8]) -> lw_str {
        lw_str { data: self.lend(Block::of_bytes(bytes)), len: bytes.len() }
    }

    pub fn id(&mut self) -> String {
        match self.below(24) {
            0 => "x".repeat(256),
            n => format!("n{}", n % 8),
        }
    }

    /// Amounts of quotas, and whether they can be.
    pub fn amounts(&mut self) -> (*const lw_amount, usize, bool) {
        let (mut amounts, mut good) = (Vec::new(), true);
        for _ in 0..self.of(&[0, 0, 0, 1, 2, 40]) {
            let dimension = self.of(&["tokens", "requests", "unknown", ""]);
            let (dimension, is_text) = self.text(dimension);
            good &= is_text;
            amounts.push(lw_amount { dimension, amount: self.of(&[0, 1, 5, 200, u64::MAX]) });
        }
        match amounts.len() {
            0 => (std::ptr::null(), 0, true),
            len if self.chance(24) => (std::ptr::null(), len, false),
            len => (self.lend(Block::of_array(&amounts)), len, good),
        }
    }

    /// Calls something that copies a text out, with a buffer of any size; the text.
    pub fn copied(&mut self, copy: impl Fn(*mut c_char, usize, *mut usize) -> lw_status) -> Option<String> {
        let capacity = self.of(&[0, 1, 2, 3, 16, 256, 1024, 1 << 18]);
        let buffer = Block::new(capacity);
        let len = self.out::<usize>();
        let no_buffer = self.chance(16);
        let status = checked(if no_buffer {
            copy(std::ptr::null_mut(), capacity, len)
        } else {
            copy(buffer.pointer(), capacity, len)
        });
        let told = self.written(len);
        match status {
            0 if !no_buffer => {
                let text = CStr::from_bytes_until_nul(buffer.bytes()).expect("it ends in NUL");
                assert!(told.is_none_or(|len| len == text.count_bytes()));
                Some(text.to_str().expect("it is UTF-8").to_owned())
            }
            BUFFER_TOO_SMALL => {
                assert!(told.is_none_or(|len| len >= capacity));
                assert!(buffer.bytes().iter().all(|&b| b == 0), "nothing is written");
                None
            }
            _ => None,
        }
    }

    /// Frees everything, and finds every pick void then.
    pub fn end(mut self) {
        self.forget_arguments();
        let outcome = lw_outcome {
            struct_size: size_of::<lw_outcome>() as u32,
            kind: LW_OUTCOME_SUCCESS,
            failure: 0,
            reserved: 0,
            latency_ns: 1,
            retry_after_ns: 0,
            now_ns: 1,
            usage: std::ptr::null(),
            usage_len: 0,
        };
        let half = self.picks.len() / 2;
        for pick in &self.picks[..half] {
            // SAFETY: a struct as it should be.
            checked(unsafe { lw_pool_release(pick.pool, pick.ticket, &outcome) });
        }
        for &(handle, kind) in &self.handles {
            if live(handle, kind) {
                if kind == Kind::Pool {
                    let mut len = 0;
                    // SAFETY: asks for the length alone.
                    assert_eq!(checked(unsafe { lw_pool_nodes(handle, std::ptr::null_mut(), 0, &mut len) }), 0);
                }
                free(handle, kind);
            }
        }
        for pick in &self.picks {
            // SAFETY: as above.
            let status = checked(unsafe { lw_pool_release(pick.pool, pick.ticket, &outcome) });
            assert_eq!(status, 300, "a ticket is void after its pool is freed");
        }
        // Any call lets go of what is freed.
        let mut len = 0;
        // SAFETY: the number is writable.
        assert_ne!(checked(unsafe { lw_pool_len(0, &mut len) }), 0);
        assert_eq!(HELD.get(), 0, "own strategies that were not dropped");
    }
}

/// A status as it should be: known, explained, and no panic.
pub fn checked(status: lw_status) -> lw_status {
    // SAFETY: the texts live as long as the program.
    let (name, text) = unsafe { (CStr::from_ptr(lw_status_name(status)), CStr::from_ptr(lw_status_text(status))) };
    assert!(name != c"LW_UNKNOWN" && !text.is_empty(), "{status}");
    if status != 0 {
        let mut len = 0;
        let buffer = Block::new(4096);
        // SAFETY: the buffer is of this size.
        let told = unsafe { lw_last_error(buffer.pointer(), 4096, &mut len) };
        let text = String::from_utf8(buffer.bytes()[..len].to_vec()).expect("it is UTF-8");
        assert!(told == 0 && !text.is_empty(), "{status}: {told} {text:?}");
        assert_ne!(status, PANIC, "{text}");
    }
    status
}
