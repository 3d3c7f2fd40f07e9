//! The body of an answer, which keeps the place of its connection until it is sent, unless the client does not take it:
//! over HTTP/2 it may open no window for it, and the body is asked for nothing.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};

use crate::places::Hold;

/// A body with the hold on its connection's place.
#[derive(Debug)]
pub(super) struct HeldBody {
    body: Body,
    hold: Hold,
}

impl HeldBody {
    pub(super) fn new(body: Body, mut hold: Hold) -> Self {
        hold.set_waiting(true);
        Self { body, hold }
    }
}

impl hyper::body::Body for HeldBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        // After a frame it is for the client to take it. Without one, the server has none yet.
        self.hold.set_waiting(frame.is_ready());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
