//! Half-open spans of Kafka offsets. Two spans join only if one ends where the other begins.

/// The offsets `start..end` of one partition. Reading began at `start` and continues at `end`. Offsets in between
/// without an event (transaction markers, compaction) belong to the span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetSpan {
    start: i64,
    end: i64,
}

/// Why spans are not valid or do not join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// The end is before the start.
    #[error("offset span ends at {end}, before its start {start}")]
    Reversed {
        /// First offset.
        start: i64,
        /// Offset after the last.
        end: i64,
    },
    /// The second span does not begin where the first ends.
    #[error("expected offset {expected}, found {found}")]
    Disjoint {
        /// The expected start of the next span.
        expected: i64,
        /// Its actual start.
        found: i64,
    },
}

impl OffsetSpan {
    /// An empty span at `start`.
    pub fn at(start: i64) -> Self {
        Self { start, end: start }
    }

    /// The span `start..end`.
    pub fn new(start: i64, end: i64) -> Result<Self, SpanError> {
        if end < start { Err(SpanError::Reversed { start, end }) } else { Ok(Self { start, end }) }
    }

    /// First offset.
    pub fn start(self) -> i64 {
        self.start
    }

    /// The offset after the last one.
    pub fn end(self) -> i64 {
        self.end
    }

    /// Whether nothing has been read.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Extends the span over `offset`, which must not be in it already.
    pub fn extend_over(&mut self, offset: i64) -> Result<(), SpanError> {
        if offset < self.end {
            return Err(SpanError::Disjoint { expected: self.end, found: offset });
        }
        self.end = offset.saturating_add(1);
        Ok(())
    }

    /// Joins the span `next`, which must begin where this one ends.
    pub fn join(self, next: Self) -> Result<Self, SpanError> {
        if next.start == self.end {
            Ok(Self { start: self.start, end: next.end })
        } else {
            Err(SpanError::Disjoint { expected: self.end, found: next.start })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_join_only_end_to_start() {
        let first = OffsetSpan::new(0, 5).unwrap();
        assert_eq!(first.join(OffsetSpan::new(5, 9).unwrap()), OffsetSpan::new(0, 9));
        assert_eq!(first.join(OffsetSpan::new(4, 9).unwrap()), Err(SpanError::Disjoint { expected: 5, found: 4 }));
        assert_eq!(OffsetSpan::new(5, 4), Err(SpanError::Reversed { start: 5, end: 4 }));
    }

    #[test]
    fn a_gap_belongs_to_the_span_and_a_duplicate_does_not() {
        let mut span = OffsetSpan::at(10);
        assert!(span.is_empty());
        span.extend_over(10).unwrap();
        span.extend_over(13).unwrap();
        assert_eq!((span.start(), span.end()), (10, 14));
        assert_eq!(span.extend_over(13), Err(SpanError::Disjoint { expected: 14, found: 13 }));
    }
}
