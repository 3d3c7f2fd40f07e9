//! Arrays that own what is reserved for them.
//!
//! ```text
//! array ─▶ one of its buffers owns the reservation ─▶ the last part of the array is dropped: returned
//! ```

use crate::statement_memory::ExecutionMemory;
use arrow_schema::ArrowError;
use bytes::Bytes;
use datafusion::arrow::array::ArrayData;
use datafusion::arrow::buffer::Buffer;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};

/// Calls `add` for each buffer of an array and of those inside.
pub(super) fn add_buffers(data: &ArrayData, add: &mut impl FnMut(&Buffer)) {
    data.buffers().iter().for_each(&mut *add);
    for child in data.child_data() {
        add_buffers(child, add);
    }
}

/// Where the memory of a buffer begins.
pub(super) fn address(buffer: &Buffer) -> usize {
    buffer.data_ptr().as_ptr().addr()
}

/// What is reserved for an array, to be owned by it.
pub(super) struct Reserved {
    reservation: MemoryReservation,
    memory: ExecutionMemory,
    /// The addresses of buffers that are known to be counted as long as it is owned.
    known: Vec<usize>,
}

impl Reserved {
    /// `bytes` for what `consumer` made.
    ///
    /// # Errors
    /// The statement has no memory for them.
    pub(super) fn new(memory: &ExecutionMemory, consumer: &str, bytes: usize) -> Result<Self, DataFusionError> {
        let reservation = MemoryConsumer::new(consumer).register(&memory.pool);
        reservation.try_grow(bytes)?;
        Ok(Self { reservation, memory: memory.clone(), known: Vec::new() })
    }

    /// Makes it known that the buffers at these addresses are counted. Nothing but the array that owns this may have them:
    /// who else had one would keep it when this is returned.
    pub(super) fn known_at(self, addresses: Vec<usize>) -> Self {
        Self { known: addresses, ..self }
    }
}

/// `data`, whose buffer at this address owns what is reserved.
pub(super) fn owning(data: ArrayData, place: usize, reserved: &mut Option<Reserved>) -> Result<ArrayData, ArrowError> {
    let mut buffers = data.buffers().to_vec();
    if let Some(buffer) = buffers.iter_mut().find(|buffer| address(buffer) == place)
        && let Some(reserved) = reserved.take()
    {
        *buffer = owned(std::mem::take(buffer), reserved);
        return data.into_builder().buffers(buffers).build();
    }
    let mut children = Vec::with_capacity(data.child_data().len());
    for child in data.child_data() {
        let is_owned = reserved.is_none();
        children.push(if is_owned { child.clone() } else { owning(child.clone(), place, reserved)? });
    }
    data.into_builder().child_data(children).build()
}

fn owned(buffer: Buffer, Reserved { reservation, memory, mut known }: Reserved) -> Buffer {
    if !known.is_empty() {
        // Where it begins from now on.
        known.push(buffer.as_ptr().addr());
        memory.add_counted(&known);
    }
    Buffer::from(Bytes::from_owner(Owned { buffer, known, memory, _reservation: reservation }))
}

/// A buffer with what is reserved for it and for others.
struct Owned {
    buffer: Buffer,
    known: Vec<usize>,
    memory: ExecutionMemory,
    _reservation: MemoryReservation,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        self.buffer.as_slice()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // Before its memory is another's.
        self.memory.remove_counted(&self.known);
    }
}
