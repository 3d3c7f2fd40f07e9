//! A minimal WebM muxer. It writes the elements of a live recording in a browser, and no others.
//!
//! ```text
//! EBML header │ Segment (size unknown) │ Info │ Tracks │ Cluster │ Cluster │ ...
//! └──────────── the start of chunk 0 ────────────────┘  one a chunk
//! ```
//!
//! The Segment's size is unknown, so the file is valid after every cluster: a recording that breaks off can be played up to
//! its last cluster. Times are milliseconds.

/// One coded picture inside a cluster.
pub(crate) struct Frame {
    /// Milliseconds since the cluster's time; fits the 16 bits of a block.
    pub(crate) offset: i16,
    /// Whether it is a key frame.
    pub(crate) key: bool,
    /// The coded bytes.
    pub(crate) data: Vec<u8>,
}

/// Everything before the first cluster.
pub(crate) fn header(width: u16, height: u16, frame_ms: u32) -> Vec<u8> {
    let mut head = Vec::new();
    element(&mut head, &[0x42, 0x86], &[1]); // EBMLVersion
    element(&mut head, &[0x42, 0xf7], &[1]); // EBMLReadVersion
    element(&mut head, &[0x42, 0xf2], &[4]); // EBMLMaxIDLength
    element(&mut head, &[0x42, 0xf3], &[8]); // EBMLMaxSizeLength
    element(&mut head, &[0x42, 0x82], b"webm"); // DocType
    element(&mut head, &[0x42, 0x87], &[4]); // DocTypeVersion
    element(&mut head, &[0x42, 0x85], &[2]); // DocTypeReadVersion

    let mut info = Vec::new();
    element(&mut info, &[0x2a, 0xd7, 0xb1], &1_000_000u32.to_be_bytes()); // TimestampScale: milliseconds
    element(&mut info, &[0x4d, 0x80], b"holdfast-demo"); // MuxingApp
    element(&mut info, &[0x57, 0x41], b"holdfast-demo"); // WritingApp

    let mut video = Vec::new();
    element(&mut video, &[0xb0], &width.to_be_bytes()); // PixelWidth
    element(&mut video, &[0xba], &height.to_be_bytes()); // PixelHeight
    let mut track = Vec::new();
    element(&mut track, &[0xd7], &[1]); // TrackNumber
    element(&mut track, &[0x73, 0xc5], &[1]); // TrackUID
    element(&mut track, &[0x83], &[1]); // TrackType: video
    element(&mut track, &[0x9c], &[0]); // FlagLacing
    element(&mut track, &[0x23, 0xe3, 0x83], &(frame_ms * 1_000_000).to_be_bytes()); // DefaultDuration, ns
    element(&mut track, &[0x86], b"V_VP8"); // CodecID
    element(&mut track, &[0xe0], &video);
    let mut tracks = Vec::new();
    element(&mut tracks, &[0xae], &track);

    let mut out = Vec::new();
    element(&mut out, &[0x1a, 0x45, 0xdf, 0xa3], &head);
    out.extend_from_slice(&[0x18, 0x53, 0x80, 0x67]); // Segment
    out.extend_from_slice(&[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]); // of unknown size
    element(&mut out, &[0x15, 0x49, 0xa9, 0x66], &info);
    element(&mut out, &[0x16, 0x54, 0xae, 0x6b], &tracks);
    out
}

/// Appends one cluster that begins at `time` (milliseconds of the recording).
pub(crate) fn cluster(out: &mut Vec<u8>, time: u32, frames: &[Frame]) {
    let mut body = Vec::with_capacity(frames.iter().map(|frame| frame.data.len() + 16).sum());
    element(&mut body, &[0xe7], &time.to_be_bytes()); // Timestamp
    for frame in frames {
        let mut block = Vec::with_capacity(frame.data.len() + 4);
        block.push(0x81); // track 1
        block.extend_from_slice(&frame.offset.to_be_bytes());
        block.push(if frame.key { 0x80 } else { 0 });
        block.extend_from_slice(&frame.data);
        element(&mut body, &[0xa3], &block); // SimpleBlock
    }
    element(out, &[0x1f, 0x43, 0xb6, 0x75], &body);
}

/// Appends an element: id, size as a variable-length number, body.
fn element(out: &mut Vec<u8>, id: &[u8], body: &[u8]) {
    out.extend_from_slice(id);
    let size = body.len() as u32;
    // A number of n bytes carries 7n bits; all ones mean "unknown", so the last value of each length is not used.
    if size < 0x7f {
        out.push(0x80 | size as u8);
    } else if size < 0x3fff {
        out.extend_from_slice(&(0x4000 | size as u16).to_be_bytes());
    } else {
        out.extend_from_slice(&(0x1000_0000 | size).to_be_bytes());
    }
    out.extend_from_slice(body);
}
