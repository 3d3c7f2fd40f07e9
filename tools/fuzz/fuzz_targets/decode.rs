//! Any bytes are either decoded as an event that survives encoding and decoding, or refused. JSON that is accepted here is also
//! valid for serde_json.

#![no_main]

use holdfast_events::{
    BYTE_ORDER_MARK, EventBatchBuilder, Position, Timestamp, canonical_bytes, canonical_bytes_of_row,
    decode_structured, split_batch,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let json = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    if let Ok(events) = split_batch(bytes) {
        assert!(
            serde_json::from_slice::<Vec<&serde_json::value::RawValue>>(json)
                .is_ok_and(|theirs| theirs.len() == events.len())
        );
    }
    let Ok(event) = decode_structured(bytes) else { return };
    assert!(serde_json::from_slice::<&serde_json::value::RawValue>(json).is_ok());
    let canonical = canonical_bytes(&event);
    let json = event.to_structured_json();
    let again = decode_structured(&json).expect("an encoded event can be decoded");
    assert_eq!(canonical_bytes(&again), canonical);
    let mut builder = EventBatchBuilder::new();
    builder.append(&event, Position { topic: "t", partition: 0, offset: 0 }, Timestamp(0), false, None);
    assert_eq!(canonical_bytes_of_row(&builder.finish(), 0), Some(canonical));
});
