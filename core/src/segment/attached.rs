//! A segment as this process is attached to it.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64 as LocalU64, Ordering as LocalOrdering};

use super::directory::{self, Described, Entry, Phase};
use super::file::SegmentFile;
use super::header::{self, word};
use super::liveness::{self, lives};
use super::processes::{self, Processes, Row};
use crate::state::arena::{Arena, Region};
use crate::state::held::{Held, Taken};
use crate::state::layout::{Layout, Shape};
use crate::state::memory::Memory;
use crate::state::seat::{Holder, ROWS_MAX, Seat};
use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::fork;
use crate::vocabulary::lock::{Mutex, RwLock, Turn};
use crate::vocabulary::time::{NANOS_PER_MS, NANOS_PER_SEC, now_ns};

/// Pools begin at multiples of this, which is one of every size of pages.
const ALIGNMENT: u64 = 64 << 10;
/// How often a process looks for others that are gone, at most.
const REAP_PERIOD_NS: u64 = 100 * NANOS_PER_MS;

/// A process that reaps although it has no row: a claim that nobody is given.
const STANDING: Holder = Holder::new(0xFFFF_FFFF, ROWS_MAX);
/// The lock of whoever does so, behind those of all rows.
const STANDING_LOCK: usize = ROWS_MAX;

/// How a pool's shape is laid out, and which health states its hints tell of: of the rooms above this one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ways {
    pub(crate) layout_of: fn(&Shape) -> Layout,
    pub(crate) hinted: u64,
}

/// An attached segment. Dropped, the process leaves it: its row is given back.
pub(crate) struct Segment {
    file: Arc<SegmentFile>,
    ways: Ways,
    head: Region,
    processes: Region,
    directory: Region,
    is_writer: bool,
    seat: Seat,
    /// The incarnation that the seat is of.
    incarnation: LocalU64,
    seating: Mutex<()>,
    /// Of process ids; of the process that sits here.
    namespace: LocalU64,
    mapped: RwLock<Vec<Mapped>>,
    next_reap: LocalU64,
    /// One thread reaps at a time: a row that one of them has freed may be somebody's while another one is still at it.
    reaping: Turn,
    /// Rows that are being claimed, by which claim, and since when this process knows.
    claiming: Mutex<Vec<(usize, u64, u64)>>,
    /// When this process looks for a seat again, after it found none.
    next_seating: LocalU64,
    /// Last, so that it outlives the regions.
    _control: Arena,
}

/// A pool that this process has mapped.
struct Mapped {
    entry: usize,
    life: u64,
    memory: Arc<Memory>,
}

/// A pool of the segment.
pub(crate) struct Found {
    pub(crate) entry: usize,
    pub(crate) life: u64,
    pub(crate) described: Described,
}

/// Writes what changes of a head, into a file that nobody else knows yet.
pub(crate) fn begin_head(file: &SegmentFile) -> io::Result<()> {
    let control = file.map(0, file.fixed.control_words(), true)?;
    let head = control.region(0..header::WORDS);
    header::at(head.words(), word::BOOT).store(boot_id(), Ordering::SeqCst);
    header::at(head.words(), word::VERSION).store(1, Ordering::SeqCst);
    Ok(())
}

/// Why this process cannot sit down.
#[derive(Debug)]
pub(crate) struct NoSeat;

/// A pool that is being made; dropped before it is [done](Making::done), it is taken back.
pub(crate) struct Making<'s> {
    segment: &'s Segment,
    pub(crate) entry: usize,
    pub(crate) life: u64,
    pub(crate) memory: Arc<Memory>,
    is_done: bool,
}

impl Segment {
    /// Attaches to an open file.
    pub(crate) fn attach(file: SegmentFile, is_writer: bool, ways: Ways) -> io::Result<Self> {
        let fixed = file.fixed;
        let control = file.map(0, fixed.control_words(), is_writer)?;
        let segment = Self {
            ways,
            head: control.region(0..header::WORDS),
            processes: control.region(fixed.processes()),
            directory: control.region(fixed.directory()),
            is_writer,
            seat: Seat::new(Holder::new(1, 0)),
            incarnation: LocalU64::new(0),
            seating: Mutex::default(),
            namespace: LocalU64::new(liveness::own_namespace()),
            mapped: RwLock::default(),
            next_reap: LocalU64::new(0),
            reaping: Turn::default(),
            claiming: Mutex::default(),
            next_seating: LocalU64::new(0),
            file: Arc::new(file),
            _control: control,
        };
        Ok(segment)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.file.path
    }

    pub(crate) fn file(&self) -> &SegmentFile {
        &self.file
    }

    pub(crate) fn is_writer(&self) -> bool {
        self.is_writer
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        header::at(self.head.words(), at)
    }

    /// How often the engine's configuration was replaced.
    pub(crate) fn version(&self) -> &AtomicU64 {
        self.word(word::VERSION)
    }

    /// Changes of the directory, counted.
    pub(crate) fn directory_changes(&self) -> u64 {
        self.word(word::DIRECTORY).load(Ordering::SeqCst)
    }

    pub(crate) fn processes(&self) -> Processes<'_> {
        Processes(self.processes.words())
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        directory::entries(self.directory.words())
    }

    /// Where this process sits, which is found out anew after a fork.
    pub(crate) fn seat(&self) -> Result<Holder, NoSeat> {
        if !self.is_writer {
            return Ok(self.nobody());
        }
        let incarnation = fork::incarnation();
        if self.incarnation.load(LocalOrdering::Acquire) != incarnation {
            let _seating = self.seating.lock();
            if self.incarnation.load(LocalOrdering::Acquire) != incarnation {
                self.sit_down()?;
                self.incarnation.store(incarnation, LocalOrdering::Release);
            }
        }
        Ok(self.seat.holder())
    }

    /// Whether this process sits in this place, as it has known since its last use of the segment.
    pub(crate) fn is_seated(&self, holder: Holder) -> bool {
        let is_known = self.incarnation.load(LocalOrdering::Acquire) == fork::incarnation();
        self.is_writer
            && is_known
            && self.seat.holder() == holder
            && self.own_row().is_some_and(|row| row.is_of(holder))
    }

    fn sit_down(&self) -> Result<(), NoSeat> {
        let now = now_ns();
        // Every pick of a process without a seat comes here.
        if now < self.next_seating.load(LocalOrdering::Relaxed) {
            return Err(NoSeat);
        }
        let seated = self.sit_down_at(now);
        let next = if seated.is_ok() { 0 } else { now.saturating_add(REAP_PERIOD_NS) };
        self.next_seating.store(next, LocalOrdering::Relaxed);
        seated
    }

    fn sit_down_at(&self, now: u64) -> Result<(), NoSeat> {
        let identity = liveness::own_identity();
        self.namespace.store(identity.namespace, LocalOrdering::Relaxed);
        let claimed = self.processes().claim(&identity, now).or_else(|| {
            // Some may be of processes that are gone, and nobody who lives has looked since.
            self.reap_standing(now);
            self.processes().claim(&identity, now)
        });
        let holder = claimed.ok_or(NoSeat)?;
        self.seat.take(holder);
        if self.file.lock(holder.row()) {
            if let Some(row) = self.processes().row(holder.row()) {
                row.set_locked();
            }
        }
        let seated = self.mapped.read().iter().try_for_each(|mapped| self.sit_down_in(mapped.entry, &mapped.memory));
        seated.map_err(|_| {
            // Nothing is counted in it yet.
            self.processes().row(holder.row()).into_iter().for_each(|row| row.leave(holder));
            self.file.unlock(holder.row());
            self.seat.take(self.nobody());
            NoSeat
        })
    }

    /// Has this process's row of a pool summed up.
    fn sit_down_in(&self, entry: usize, memory: &Memory) -> io::Result<()> {
        if !self.is_writer {
            return Ok(());
        }
        // First, since from then on all others sum it up: what is not there would end them where no memory is left. And
        // again, for nodes that came in between.
        memory.commit_row(self.seat.row())?;
        if let Some(row) = self.own_row() {
            row.set_mapped(entry, true);
        }
        memory.rows_used().sit_down(self.seat.row());
        memory.commit_row(self.seat.row())
    }

    /// Attempts of this process's picks that were made again.
    pub(crate) fn repeats(&self) -> Option<&AtomicU64> {
        self.own_row().map(Row::repeats)
    }

    /// What somebody is who only looks: a row that no memory has.
    pub(crate) fn nobody(&self) -> Holder {
        Holder::new(1, ROWS_MAX)
    }

    /// Whether a namespace of process ids is the caller's.
    pub(crate) fn is_own_namespace(&self, namespace: u64) -> bool {
        namespace == self.namespace.load(LocalOrdering::Relaxed)
    }

    pub(crate) fn own_row(&self) -> Option<Row<'_>> {
        self.processes().row(self.seat.row())
    }

    /// Whether nobody holds anything in this name any more.
    pub(crate) fn is_gone(&self, holder: Holder) -> bool {
        if holder == STANDING {
            return !self.file.is_locked_by_another(STANDING_LOCK);
        }
        holder != self.seat.holder() && self.processes().is_gone(holder, |row, state| self.lives(row, state, now_ns()))
    }

    pub(crate) fn lives(&self, row: Row<'_>, state: processes::State, now: u64) -> bool {
        if state.phase() == processes::Phase::Claiming {
            // It is about to say who it is, and what the row says is of another one.
            return self.is_still_claiming(row.index, state.claim(), now);
        }
        let identity = row.identity();
        let heartbeat = row.heartbeat_ns();
        // One that is ahead is of a clock before this boot of the machine.
        let is_ahead = heartbeat > now.saturating_add(NANOS_PER_SEC);
        let age = if is_ahead { u64::MAX } else { now.saturating_sub(heartbeat) };
        let namespace = self.namespace.load(LocalOrdering::Relaxed);
        lives(&identity, namespace, age, || self.file.is_locked_by_another(row.index))
    }

    /// Whether a claim that was not ended yet may still be: this process has not known it for long.
    fn is_still_claiming(&self, row: usize, claim: u64, now: u64) -> bool {
        let mut claiming = self.claiming.lock();
        let since = match claiming.iter().find(|known| (known.0, known.1) == (row, claim)) {
            Some(known) => known.2,
            None => {
                claiming.retain(|known| known.0 != row);
                claiming.push((row, claim, now));
                now
            }
        };
        now.saturating_sub(since) < CLAIMING_NS
    }

    /// Whether the segment's times are of an earlier boot of the machine. For the holder of the segment's lease.
    pub(crate) fn is_of_earlier_boot(&self) -> bool {
        let (boot, seen) = (boot_id(), self.word(word::BOOT).load(Ordering::SeqCst));
        boot != 0 && seen != 0 && seen != boot
    }

    /// As if the machine had been started anew since.
    #[cfg(test)]
    pub(crate) fn forget_boot(&self) {
        self.word(word::BOOT).fetch_xor(1, Ordering::SeqCst);
    }

    /// From here on, times are of this boot. For the holder of the segment's lease.
    pub(crate) fn begin_boot(&self) {
        self.word(word::BOOT).store(boot_id(), Ordering::SeqCst);
    }

    /// All pools that are there.
    pub(crate) fn pools(&self) -> Vec<Found> {
        let there = self.entries().filter(|entry| entry.state().0 == Phase::There);
        there
            .filter_map(|entry| {
                let (_, life) = entry.state();
                let described = entry.described()?;
                // Another pool in its place meanwhile is found the next time.
                (entry.state() == (Phase::There, life)).then_some(Found { entry: entry.index, life, described })
            })
            .collect()
    }

    /// Whether a pool is still there.
    pub(crate) fn is_there(&self, entry: usize, life: u64) -> bool {
        self.entries().nth(entry).is_some_and(|entry| entry.state() == (Phase::There, life))
    }

    /// The memory of a pool, mapped once.
    pub(crate) fn memory_of(&self, found: &Found) -> io::Result<Arc<Memory>> {
        if let Some(memory) = self.mapped_memory(found.entry, found.life) {
            return Ok(memory);
        }
        let memory = Arc::new(self.map(&found.described)?);
        self.keep(found.entry, found.life, memory.clone())?;
        // From now on the place is not given to another pool; it may have been just before.
        let is_there = |entry: Entry<'_>| matches!(entry.state(), (Phase::There | Phase::Leaving | Phase::Making, life) if life == found.life);
        if self.entries().nth(found.entry).is_some_and(is_there) {
            return Ok(memory);
        }
        self.mapped.write().retain(|one| (one.entry, one.life) != (found.entry, found.life));
        if let Some(row) = self.own_row() {
            row.set_mapped(found.entry, false);
        }
        Err(io::Error::new(io::ErrorKind::NotFound, "the pool has left"))
    }

    fn mapped_memory(&self, entry: usize, life: u64) -> Option<Arc<Memory>> {
        let mapped = self.mapped.read();
        mapped.iter().find(|one| (one.entry, one.life) == (entry, life)).map(|one| one.memory.clone())
    }

    fn keep(&self, entry: usize, life: u64, memory: Arc<Memory>) -> io::Result<()> {
        let mut mapped = self.mapped.write();
        // What was in this place before is not there any more.
        mapped.retain(|other| other.entry != entry);
        self.sit_down_in(entry, &memory)?;
        mapped.push(Mapped { entry, life, memory });
        Ok(())
    }

    fn map(&self, described: &Described) -> io::Result<Memory> {
        let damaged = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("its directory {what}"));
        let shape = &described.shape;
        if !shape.is_possible() || shape.limits.max_processes != self.file.fixed.max_processes {
            return Err(damaged("has impossible bounds"));
        }
        let layout = (self.ways.layout_of)(shape);
        let bytes = layout.size as u64 * 8;
        let begins_after = self.file.fixed.control_words() as u64 * 8;
        if described.offset % ALIGNMENT != 0 || described.offset < begins_after || described.size < bytes {
            return Err(damaged("leads nowhere"));
        }
        let arena = self.file.map(described.offset, layout.size, self.is_writer)?;
        let (file, offset) = (self.file.clone(), described.offset);
        let reserve = move |range: &Range<usize>| file.commit(offset + range.start as u64 * 8, range.len() as u64 * 8);
        Ok(Memory::over(arena, layout, self.is_writer.then_some(Box::new(reserve))))
    }

    /// Makes a pool that is known to others once it is [done](Making::done). For the holder of the segment's lease.
    pub(crate) fn make_pool(&self, name: &str, shape: &Shape) -> io::Result<Option<Making<'_>>> {
        self.free_left();
        let size = ((self.ways.layout_of)(shape).size as u64 * 8).next_multiple_of(ALIGNMENT);
        let Some(entry) = self.entries().find(|entry| entry.state().0 == Phase::Free) else { return Ok(None) };
        let offset = self.place_for(size);
        let described = Described { name: name.to_owned(), shape: *shape, offset, size };
        // Described before it is one that is being made: whoever ends that for one who was killed clears what is described.
        entry.describe(&described);
        entry.set_phase(Phase::Making);
        let made = self.file.grow(offset + size).and_then(|()| {
            // Whoever was killed while making a pool here has left something.
            self.file.clear(offset, size)?;
            let memory = self.map(&described)?;
            memory.commit_base()?;
            let memory = Arc::new(memory);
            self.keep(entry.index, entry.state().1, memory.clone())?;
            Ok(memory)
        });
        match made {
            Ok(memory) => {
                let life = entry.state().1;
                Ok(Some(Making { segment: self, entry: entry.index, life, memory, is_done: false }))
            }
            Err(error) => {
                let _ = self.file.clear(offset, size);
                entry.set_phase(Phase::Free);
                Err(error)
            }
        }
    }

    /// The first place of so many bytes between those that are taken.
    fn place_for(&self, size: u64) -> u64 {
        let mut taken: Vec<(u64, u64)> = self
            .entries()
            .filter(|entry| entry.state().0 != Phase::Free)
            .filter_map(|entry| entry.described())
            .map(|described| (described.offset, described.size))
            .collect();
        taken.sort_unstable();
        let mut at = (self.file.fixed.control_words() as u64 * 8).next_multiple_of(ALIGNMENT);
        for (offset, other) in taken {
            if offset.saturating_sub(at) >= size {
                return at;
            }
            at = at.max(offset.saturating_add(other).next_multiple_of(ALIGNMENT));
        }
        at
    }

    /// Takes a pool out: who has it goes on with it. For the holder of the segment's lease.
    pub(crate) fn remove_pool(&self, entry: usize) {
        if let Some(entry) = self.entries().nth(entry).filter(|entry| entry.state().0 == Phase::There) {
            entry.set_phase(Phase::Leaving);
            self.note_change();
        }
    }

    fn note_change(&self) {
        self.word(word::DIRECTORY).fetch_add(1, Ordering::SeqCst);
    }

    /// Gives up what is mapped of pools that are not there any more and that nobody here has.
    pub(crate) fn unmap_left(&self) {
        let mut mapped = self.mapped.write();
        mapped.retain(|one| {
            let is_used = self.is_there(one.entry, one.life) || Arc::strong_count(&one.memory) > 1;
            if !is_used {
                if let Some(row) = self.own_row() {
                    row.set_mapped(one.entry, false);
                }
            }
            is_used
        });
    }

    /// Frees the places of pools that were taken out and that nobody has mapped any more. For the holder of the segment's
    /// lease.
    fn free_left(&self) {
        self.unmap_left();
        for entry in self.entries().filter(|entry| entry.state().0 == Phase::Leaving) {
            let is_mapped = self
                .processes()
                .rows()
                .any(|row| row.state().phase() != processes::Phase::Free && row.maps(entry.index));
            if !is_mapped {
                if let Some(described) = entry.described() {
                    let _ = self.file.clear(described.offset, described.size);
                }
                entry.set_phase(Phase::Free);
            }
        }
    }

    /// The right to change the directory; `None` if another process has it and lives, and for who only looks.
    pub(crate) fn lock(&self) -> Option<Changing<'_>> {
        if !self.is_writer {
            return None;
        }
        let me = self.seat().ok()?;
        let lease = Held(self.word(word::LEASE));
        for _ in 0..WAITS_MAX {
            match lease.take(me, |holder| self.is_gone(holder)) {
                Taken::Free => return Some(Changing(self, me)),
                Taken::After(_) => {
                    self.end_making();
                    return Some(Changing(self, me));
                }
                Taken::By(_) => std::thread::sleep(std::time::Duration::from_millis(1)),
            }
        }
        None
    }

    /// For whoever took the lease of somebody that is gone.
    fn end_making(&self) {
        for entry in self.entries().filter(|entry| entry.state().0 == Phase::Making) {
            if let Some(described) = entry.described() {
                let _ = self.file.clear(described.offset, described.size);
            }
            entry.set_phase(Phase::Free);
        }
    }

    /// Does what time does to a segment: tells that this process lives, and gives back what those had that do not. By the
    /// clock itself, since that is what all processes share, and not more often than it is worth.
    pub(crate) fn maintain(&self) {
        if !self.is_writer {
            return;
        }
        let Ok(me) = self.seat() else { return };
        let due = self.next_reap.load(LocalOrdering::Relaxed);
        let clock = now_ns();
        if clock < due && due <= clock.saturating_add(REAP_PERIOD_NS) {
            return;
        }
        let Some(_reaping) = self.reaping.try_take() else { return };
        self.next_reap.store(clock.saturating_add(REAP_PERIOD_NS), LocalOrdering::Relaxed);
        if self.own_row().is_none_or(|row| !row.is_of(me)) {
            // It was taken for dead, and goes on as another one.
            let _seating = self.seating.lock();
            let is_elsewhere = self.own_row().is_some_and(|row| row.is_of(self.seat.holder()));
            if !is_elsewhere && self.sit_down().is_err() {
                self.seat.take(self.nobody());
                self.incarnation.store(NEVER, LocalOrdering::Release);
            }
            return;
        }
        if let Some(row) = self.own_row() {
            row.beat(clock);
            // Closing any descriptor of the file took it.
            if self.file.lock(me.row()) {
                row.set_locked();
            }
        }
        self.reap_as(me, clock);
    }

    /// Reaps for a process that has no row yet. One at a time does, which is known by a lock of its own.
    fn reap_standing(&self, now: u64) {
        if self.file.lock(STANDING_LOCK) {
            self.reap_as(STANDING, now);
            self.file.unlock(STANDING_LOCK);
        }
    }

    /// Gives back what processes had that are gone.
    fn reap_as(&self, me: Holder, now: u64) {
        let mut reaped = 0;
        for row in self.processes().rows() {
            if Holder::new(row.state().claim(), row.index) == me {
                continue;
            }
            // What one that panicked has left is this process's own.
            let is_gone = |other: Holder| other == me || self.is_gone(other);
            if row.begin_reaping(me, is_gone, |state| !self.lives(row, state, now)) {
                if self.reclaim(row) {
                    row.end_reaping(me);
                    reaped += 1;
                } else {
                    row.leave_reaping(me, row.state().claim());
                }
            }
        }
        if reaped > 0 {
            self.shrink_rows();
        }
    }

    /// Gives back all that is counted in a row; whether that was possible.
    pub(crate) fn reclaim(&self, row: Row<'_>) -> bool {
        let mut all = true;
        for entry in self.entries().filter(|entry| row.maps(entry.index)) {
            let (phase, life) = entry.state();
            let is_used = matches!(phase, Phase::There | Phase::Leaving);
            let Some(described) = entry.described().filter(|_| is_used) else { continue };
            let memory = match self.mapped_memory(entry.index, life) {
                Some(memory) => Ok(memory),
                // Not kept: a pool that is leaving goes on leaving.
                None => self.map(&described).map(Arc::new),
            };
            match memory {
                Ok(memory) => _ = memory.reclaim(row.index, self.ways.hinted, true),
                // What leads nowhere counts nothing.
                Err(error) => all &= error.kind() == io::ErrorKind::InvalidData,
            }
        }
        all
    }

    fn shrink_rows(&self) {
        for mapped in self.mapped.read().iter() {
            mapped.memory.rows_used().shrink(|| self.processes().needed());
        }
    }
}

/// How long a process may take from its claim of a row to its being there.
const CLAIMING_NS: u64 = 5 * NANOS_PER_SEC;
/// Not an incarnation, and not the zero that a child finds.
const NEVER: u64 = u64::MAX;
/// Looks at a lease that somebody else has, a millisecond apart.
const WAITS_MAX: u32 = 5000;

impl Making<'_> {
    /// Makes the pool known.
    pub(crate) fn done(mut self) {
        self.is_done = true;
        if let Some(entry) = self.segment.entries().nth(self.entry) {
            entry.set_phase(Phase::There);
        }
        self.segment.note_change();
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.segment.end_making();
        }
    }
}

/// The right to change the directory, until it is dropped.
pub(crate) struct Changing<'s>(&'s Segment, Holder);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        Held(self.0.word(word::LEASE)).give_back(self.1);
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let holder = self.seat.holder();
        // What a child inherited and never used is its parent's.
        let Some(row) = self.own_row().filter(|_| self.is_seated(holder)) else { return };
        if self.reclaim(row) {
            row.leave(holder);
        }
        self.file.unlock(holder.row());
        self.shrink_rows();
    }
}

/// The boot of the machine, as far as 64 bits tell; 0 where that is not told.
fn boot_id() -> u64 {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let text = text.trim();
    if text.is_empty() { 0 } else { crate::vocabulary::hash::key_hash(text.as_bytes()).max(1) }
}
