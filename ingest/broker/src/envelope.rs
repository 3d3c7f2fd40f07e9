//! Converts a produced batch into the stored one, and back. Pure.
//!
//! ```text
//! batch of n records ─▶ Kafka encoding ─▶ encrypted ─▶ batch of one record: same producer, sequence, span of offsets
//! ```
//!
//! tansu stores one row per record and advances the partition by the batch's span. So a batch of one record that spans
//! n offsets becomes one row, and the following offsets are the same as for n records.

use bytes::{BufMut as _, Bytes, BytesMut};
use tansu_sans_io::{ErrorCode, record::deflated::Batch};
use tansu_storage::{Error, Topition};

use crate::{SpoolKey, key::OVERHEAD};

/// The largest accepted batch, in bytes as the producer encoded it.
pub(crate) const MAX_BATCH_BYTES: usize = 64 << 20;

/// The latest time that tansu supports: the end of the year 9999, in milliseconds.
const MAX_TIMESTAMP: i64 = 253_402_300_799_999;
const COMPRESSION_BITS: i16 = 0b111;
const MAGIC: i8 = 2;

/// The associated data of an envelope: it decrypts only in the partition that it was stored in.
fn associated_data(topition: &Topition) -> Vec<u8> {
    let mut data = topition.topic().as_bytes().to_vec();
    data.push(0);
    data.extend_from_slice(&topition.partition().to_be_bytes());
    data
}

/// Checks whether a batch can be stored.
///
/// # Errors
/// Transactional and control batches, other than magic 2, empty, too large, or with gaps between its offsets.
pub(crate) fn accept(batch: &Batch) -> Result<(), ErrorCode> {
    if batch.magic != MAGIC || batch.is_transactional() || batch.is_control() {
        return Err(ErrorCode::UnsupportedForMessageFormat);
    }
    if batch.record_data.len() > MAX_BATCH_BYTES {
        return Err(ErrorCode::MessageTooLarge);
    }
    if batch.record_count == 0 || i64::from(batch.record_count) != i64::from(batch.last_offset_delta) + 1 {
        return Err(ErrorCode::InvalidRecord);
    }
    Ok(())
}

/// The batch that is stored in place of `batch`.
pub(crate) fn wrap(key: &SpoolKey, topition: &Topition, batch: Batch) -> Result<Batch, Error> {
    let attributes = batch.attributes & !COMPRESSION_BITS;
    // The row has the latest time of the batch, so that a search by time never skips a record.
    let timestamp = batch.max_timestamp.clamp(0, MAX_TIMESTAMP);
    let (last_offset_delta, partition_leader_epoch) = (batch.last_offset_delta, batch.partition_leader_epoch);
    let (producer_id, producer_epoch, base_sequence) = (batch.producer_id, batch.producer_epoch, batch.base_sequence);

    let envelope = key
        .encrypt(&associated_data(topition), &Bytes::from(batch))
        .map_err(|_| Error::Api(ErrorCode::KafkaStorageError))?;

    Ok(Batch {
        base_offset: 0,
        batch_length: 0,
        partition_leader_epoch,
        magic: MAGIC,
        crc: 0,
        attributes,
        last_offset_delta,
        base_timestamp: timestamp,
        max_timestamp: timestamp,
        producer_id,
        producer_epoch,
        base_sequence,
        record_count: 1,
        record_data: record(&envelope),
    })
}

/// The produced batch, from the stored envelope, with its offset.
pub(crate) fn unwrap(key: &SpoolKey, topition: &Topition, offset: i64, envelope: Vec<u8>) -> Result<Batch, Error> {
    let corrupt = || {
        tracing::error!(
            topic = topition.topic(),
            partition = topition.partition(),
            offset,
            "a stored batch cannot be decrypted: it was altered or moved"
        );
        Error::Api(ErrorCode::CorruptMessage)
    };
    if envelope.len() < OVERHEAD {
        return Err(corrupt());
    }
    let plaintext = key.decrypt(&associated_data(topition), envelope).map_err(|_| corrupt())?;
    // A batch's checksum does not cover its offset, so the producer's checksum stays valid.
    Batch::try_from(plaintext).map(|batch| Batch { base_offset: offset, ..batch }).map_err(|_| corrupt())
}

/// One record without key and headers, encoded.
fn record(value: &[u8]) -> Bytes {
    let mut body = BytesMut::with_capacity(value.len() + 16);
    body.put_u8(0); // attributes
    varint(&mut body, 0); // milliseconds since the batch's time
    varint(&mut body, 0); // offset since the batch's
    varint(&mut body, -1); // no key
    varint(&mut body, value.len() as i64);
    body.put_slice(value);
    varint(&mut body, 0); // headers

    let mut record = BytesMut::with_capacity(body.len() + 5);
    varint(&mut record, body.len() as i64);
    record.unsplit(body);
    record.freeze()
}

/// Kafka's variable-length integer: zigzag, then seven bits a byte, lowest first.
fn varint(buffer: &mut BytesMut, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        buffer.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    buffer.put_u8(rest as u8);
}

#[cfg(test)]
mod tests {
    use tansu_sans_io::record::{Header, Record, inflated};

    use super::*;

    fn batch(attributes: i16) -> Batch {
        let mut builder = inflated::Batch::builder()
            .attributes(attributes)
            .base_timestamp(1_000)
            .max_timestamp(1_005)
            .producer_id(7)
            .producer_epoch(1)
            .base_sequence(40)
            .last_offset_delta(2);
        for delta in 0..3 {
            builder = builder.record(
                Record::builder()
                    .offset_delta(delta)
                    .key(Some(Bytes::from_static(b"key")))
                    .value(Some(Bytes::from(vec![b'v'; 300])))
                    .header(Header::builder().key(Bytes::from_static(b"h")).value(Bytes::from_static(b"x"))),
            );
        }
        Batch::try_from(builder.build().unwrap()).unwrap()
    }

    #[test]
    fn a_batch_is_unwrapped_byte_for_byte() {
        let key = SpoolKey::generate().unwrap();
        let topition = Topition::new("events", 3);
        for compression in [0, 1, 3, 4] {
            let produced = batch(compression);
            accept(&produced).unwrap();
            let stored = wrap(&key, &topition, produced.clone()).unwrap();
            assert_eq!((stored.last_offset_delta, stored.record_count), (2, 1));
            assert_eq!((stored.producer_id, stored.producer_epoch, stored.base_sequence), (7, 1, 40));
            assert_eq!((stored.base_timestamp, stored.attributes), (1_005, 0));

            let rows = inflated::Batch::try_from(stored).unwrap();
            assert_eq!(rows.records.len(), 1);
            assert_eq!((rows.records[0].key.clone(), rows.records[0].headers.len()), (None, 0));
            let envelope = rows.records[0].value.clone().unwrap().to_vec();
            let fetched = unwrap(&key, &topition, 55, envelope.clone()).unwrap();
            assert_eq!(fetched, Batch { base_offset: 55, ..produced });
            assert!(unwrap(&key, &Topition::new("events", 4), 55, envelope).is_err());
        }
    }

    #[test]
    fn unsupported_batches_are_rejected() {
        let good = batch(0);
        assert_eq!(accept(&Batch { magic: 1, ..good.clone() }), Err(ErrorCode::UnsupportedForMessageFormat));
        assert_eq!(
            accept(&Batch { attributes: 0b1_0000, ..good.clone() }),
            Err(ErrorCode::UnsupportedForMessageFormat)
        );
        assert_eq!(accept(&Batch { last_offset_delta: 9, ..good.clone() }), Err(ErrorCode::InvalidRecord));
        assert_eq!(accept(&Batch { record_count: 0, last_offset_delta: -1, ..good }), Err(ErrorCode::InvalidRecord));
    }
}
