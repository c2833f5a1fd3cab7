//! An answer as bytes, and back: what of a response is kept, how it is written down, and how one that is
//! not kept goes on to the caller as if nobody had looked. This file may not know who asks or why.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use super::headers::{self, has};

/// The first bytes of an answer written down; the digit is the format.
const MAGIC: &[u8] = b"reply2";

/// The body begins at a multiple of this, as a body of its own would: text is read faster so.
const ALIGNED: usize = 16;

/// Why an answer is not kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotKept(pub(super) &'static str);

impl fmt::Display for NotKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// How long a body may take to come. After that it goes on to the caller as it comes: the SDK has a
/// protection of its own against streams that stall.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads a response whole, if it is one to keep: a success with a body of at most `bound` bytes that comes
/// in a while. The answer is what it is written down as, and where its body begins in that. Nothing of the
/// response is lost, kept or not.
pub(super) async fn look(
    response: &mut HttpResponse,
    bound: usize,
    sleep: Option<&SharedAsyncSleep>,
) -> Result<(Bytes, usize), NotKept> {
    if !response.status().is_success() {
        return Err(NotKept("it is an error"));
    }
    let kind = headers::first(response.headers(), "content-type").unwrap_or_default();
    let is_json = has(kind, b"json");
    if !is_json && (has(kind, b"eventstream") || has(kind, b"event-stream")) {
        return Err(NotKept("it is a stream"));
    }
    // A body that does not say how long it is may never end; one in a text format does.
    let is_text = is_json || has(kind, b"xml") || has(kind, b"cbor");
    let may_be_a_page = !is_json && has(kind, b"html");
    let announced = Body::size_hint(response.body()).exact().or_else(|| {
        let length = response.headers().get("content-length");
        length.and_then(|length| length.parse().ok())
    });
    match announced {
        Some(length) if length > bound as u64 => {
            return Err(NotKept("it is too large"));
        }
        None if !is_text => return Err(NotKept("it does not say how long it is")),
        _ => {}
    }
    if response.body().bytes().is_none() {
        let taken = std::mem::replace(response.body_mut(), SdkBody::taken());
        // In a box: what waits for this is moved about, and mostly without it.
        match Box::pin(collect(taken, bound, sleep)).await {
            Ok(collected) => *response.body_mut() = SdkBody::from(collected),
            Err(rejoined) => {
                *response.body_mut() = SdkBody::from_body_1_x(*rejoined);
                return Err(NotKept("it is too large, too slow, or broke off"));
            }
        }
    }
    let whole = response.body().bytes().unwrap_or_default();
    let (written, body) = write(response, whole);
    // What stands between here and the service says with 200 that it does not want us through.
    if may_be_a_page && whole.trim_ascii_start().starts_with(b"<") {
        return Err(NotKept("it is a web page"));
    }
    Ok((written, body))
}

/// So much of an error is read to see what it is.
const LARGEST_ERROR: usize = 64 << 10;

/// How services say that they are asked too much: the SDK's list. Many say it as a fault of their own (503).
const THROTTLED: [&str; 14] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];

fn says_timeout(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"Timeout").is_some()
}

/// Whether a text is such a code or has one as a value of its own, in JSON, XML or CBOR, where a namespace
/// may stand before it. A sentence with the word says nothing.
fn says_throttled(text: &[u8]) -> bool {
    THROTTLED.iter().any(|code| {
        memchr::memmem::find_iter(text, code).any(|at| {
            let before = at.checked_sub(1).and_then(|before| text.get(before));
            let after = text.get(at + code.len());
            match before {
                Some(b'#') => true,
                None | Some(b'"' | b'>') => matches!(after, None | Some(b'"' | b':' | b'<')),
                _ => false,
            }
        })
    })
}

/// Whether an answer says that nothing was done: any error of the caller's (4xx) that is no timeout, and of
/// the service's own (5xx) one that throttles. That is in the status, in the type in the header, or
/// anywhere in the body, as each protocol writes the type elsewhere. A body that cannot be read says
/// nothing for sure. Nothing of the response is lost.
pub(super) async fn is_refusal(
    response: &mut HttpResponse,
    sleep: Option<&SharedAsyncSleep>,
) -> bool {
    let is_its_own = match response.status().as_u16() {
        429 => return true,
        408 => return false,
        400..=499 => false,
        500..=599 => true,
        _ => return false,
    };
    let says = match is_its_own {
        true => says_throttled,
        false => says_timeout,
    };
    let kind = response.headers().get("x-amzn-errortype");
    if kind.is_some_and(|kind| says(kind.as_bytes())) {
        return is_its_own;
    }
    let taken = std::mem::replace(response.body_mut(), SdkBody::taken());
    match collect(taken, LARGEST_ERROR, sleep).await {
        Ok(whole) => {
            let is_said = says(&whole);
            *response.body_mut() = SdkBody::from(whole);
            is_said == is_its_own
        }
        Err(rejoined) => {
            *response.body_mut() = SdkBody::from_body_1_x(*rejoined);
            false
        }
    }
}

/// All of a body, or, where it does not end within the bound, a body that says the same once more.
async fn collect(
    mut body: SdkBody,
    bound: usize,
    sleep: Option<&SharedAsyncSleep>,
) -> Result<Bytes, Box<Rejoined>> {
    let mut read = VecDeque::new();
    let mut length = 0usize;
    // Begun when there is something to wait for.
    let mut alarm = None;
    loop {
        let next = poll_fn(|context| {
            if let Poll::Ready(frame) = Pin::new(&mut body).poll_frame(context) {
                return Poll::Ready(Some(frame));
            }
            let Some(sleep) = sleep else {
                return Poll::Pending;
            };
            let alarm = alarm.get_or_insert_with(|| Box::pin(sleep.sleep(PATIENCE)));
            alarm.as_mut().poll(context).map(|()| None)
        });
        let done = match next.await {
            None => true,
            Some(None) => break,
            Some(Some(Ok(frame))) => {
                let data = frame.data_ref().map(Bytes::len);
                length = length.saturating_add(data.unwrap_or(0));
                read.push_back(Ok(frame));
                // Trailers are not written down.
                length > bound || data.is_none()
            }
            Some(Some(Err(error))) => {
                read.push_back(Err(error));
                true
            }
        };
        if done {
            return Err(Box::new(Rejoined { read, rest: body }));
        }
    }
    let mut frames = read
        .into_iter()
        .flatten()
        .filter_map(|frame| frame.into_data().ok());
    let Some(first) = frames.next() else {
        return Ok(Bytes::new());
    };
    let Some(second) = frames.next() else {
        return Ok(first);
    };
    let mut whole = BytesMut::with_capacity(length);
    [first, second]
        .into_iter()
        .chain(frames)
        .for_each(|data| whole.extend_from_slice(&data));
    Ok(whole.freeze())
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What was read of a body, and then the rest of it.
struct Rejoined {
    read: VecDeque<Result<Frame<Bytes>, BoxError>>,
    rest: SdkBody,
}

impl fmt::Debug for Rejoined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejoined")
            .field("frames", &self.read.len())
            .finish_non_exhaustive()
    }
}

impl Body for Rejoined {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.read.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && Body::is_end_stream(&self.rest)
    }

    fn size_hint(&self) -> SizeHint {
        // What was read is not counted by the rest any more.
        let read = self.read.iter().flatten().filter_map(Frame::data_ref);
        let read: u64 = read.map(|data| data.len() as u64).sum();
        let rest = Body::size_hint(&self.rest);
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(read));
        }
        hint
    }
}

/// Whether a header is about the connection or the moment, or made anew by a new body.
fn is_passing(header: &str) -> bool {
    matches!(
        header,
        "age"
            | "connection"
            | "content-length"
            | "date"
            | "keep-alive"
            | "set-cookie"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Magic, status, each header's name and value with their lengths, an empty name, and, aligned, the body,
/// which is all the rest. Numbers are little-endian, of two bytes. A value that is not UTF-8 is left out
/// when it is read, where it has to be looked at in any case.
fn write(response: &HttpResponse, body: &[u8]) -> (Bytes, usize) {
    let headers = response.headers().iter_bytes();
    let size: usize = headers
        .map(|(name, value)| 4 + name.len() + value.len())
        .sum();
    let mut out = Vec::with_capacity(MAGIC.len() + 4 + size + ALIGNED + body.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&response.status().as_u16().to_le_bytes());
    for (name, value) in response.headers().iter_bytes() {
        if !is_passing(name)
            && let (Ok(is), Ok(are)) = (u16::try_from(name.len()), u16::try_from(value.len()))
        {
            for (length, text) in [(is, name.as_bytes()), (are, value)] {
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(text);
            }
        }
    }
    out.extend_from_slice(&[0, 0]);
    out.resize(out.len().next_multiple_of(ALIGNED), 0);
    let begins = out.len();
    out.extend_from_slice(body);
    // Not `into`: its handle is a block of the smallest size, which stays as long as the answer is kept, and
    // among many of those glibc takes longer over the SDK's next call than all of this does.
    (Bytes::from_owner(out), begins)
}

/// A response from what was written down, with its age; `None` where that was not by us.
pub(super) fn read(written: &Bytes, age: Duration) -> Option<HttpResponse> {
    let mut rest: &[u8] = written.strip_prefix(MAGIC)?;
    let status = take_number(&mut rest)?;
    let status = u16::try_from(status).ok()?.try_into().ok()?;
    let mut response = HttpResponse::new(status, SdkBody::taken());
    if !response.status().is_success() {
        return None;
    }
    let headers = response.headers_mut();
    loop {
        let name = std::str::from_utf8(take(&mut rest)?).ok()?;
        if name.is_empty() {
            break;
        }
        // The SDK takes only texts.
        if let Ok(value) = std::str::from_utf8(take(&mut rest)?) {
            headers.try_append(name.to_owned(), value.to_owned()).ok()?;
        }
    }
    headers.try_insert("age", age.as_secs().to_string()).ok()?;
    let begins = (written.len() - rest.len()).next_multiple_of(ALIGNED);
    if begins > written.len() {
        return None;
    }
    *response.body_mut() = SdkBody::from(written.slice(begins..));
    Some(response)
}

fn take_number(rest: &mut &[u8]) -> Option<usize> {
    let (number, after) = rest.split_first_chunk::<2>()?;
    *rest = after;
    Some(u16::from_le_bytes(*number).into())
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_number(rest)?;
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}
