//! Where processes cannot share a state, there is no segment.

use crate::state::seat::Holder;
use crate::sync::AtomicU64;

pub(crate) enum Segment {}

#[derive(Debug)]
pub(crate) struct NoSeat;

impl Segment {
    pub(crate) fn seat(&self) -> Result<Holder, NoSeat> {
        match *self {}
    }

    pub(crate) fn is_seated(&self, _: Holder) -> bool {
        match *self {}
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        match *self {}
    }

    pub(crate) fn is_gone(&self, _: Holder) -> bool {
        match *self {}
    }

    pub(crate) fn maintain(&self) {
        match *self {}
    }

    pub(crate) fn is_writer(&self) -> bool {
        match *self {}
    }

    pub(crate) fn repeats(&self) -> Option<&AtomicU64> {
        match *self {}
    }
}
