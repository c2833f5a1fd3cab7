//! How an answer's bytes come: whole, slowly, in part. One body type serves the socket and the
//! in-memory wire, on whatever clock the runtime has.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// How an answer is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// At once.
    Whole,
    /// So many bytes at a time, with a pause after each.
    Slow(usize, Duration),
    /// So many bytes, then the connection breaks.
    Reset(usize),
    /// So many bytes, then nothing.
    Silence(usize),
    /// Not even a status line.
    Never,
}

/// A body that delivers as told.
pub struct ReplyBody {
    rest: Bytes,
    delivery: Delivery,
    pause: Option<Pin<Box<Sleep>>>,
}

impl fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyBody")
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}

impl ReplyBody {
    /// These bytes, so delivered.
    pub fn new(bytes: Bytes, delivery: Delivery) -> Self {
        Self {
            rest: bytes,
            delivery,
            pause: None,
        }
    }

    fn take(&mut self, bytes: usize) -> Bytes {
        self.rest.split_to(bytes.min(self.rest.len()))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let chunk = match self.delivery {
            Delivery::Whole => self.take(usize::MAX),
            Delivery::Slow(bytes, every) => {
                if let Some(pause) = &mut self.pause {
                    ready!(pause.as_mut().poll(context));
                }
                self.pause = Some(Box::pin(tokio::time::sleep(every)));
                self.take(bytes)
            }
            Delivery::Reset(0) => {
                return Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())));
            }
            Delivery::Reset(bytes) => {
                self.delivery = Delivery::Reset(0);
                self.take(bytes)
            }
            Delivery::Silence(0) | Delivery::Never => return Poll::Pending,
            Delivery::Silence(bytes) => {
                self.delivery = Delivery::Silence(0);
                self.take(bytes)
            }
        };
        if chunk.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.delivery == Delivery::Whole
    }
}
