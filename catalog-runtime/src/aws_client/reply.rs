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

/// The first bytes of an answer written down; the digit is the format.
const MAGIC: &[u8] = b"reply1";

/// Headers that are about the connection or the moment, or that a new body makes anew.
const PASSING: [&str; 9] = [
    "age",
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "set-cookie",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A response that was looked at.
#[derive(Debug)]
pub(super) enum Looked {
    /// All of it is here.
    Whole {
        /// The response as it came, for the one who asked.
        response: HttpResponse,
        /// The same, written down.
        written: Bytes,
        /// Where its body begins.
        body: usize,
    },
    /// It is not to be kept, for this reason; nothing of it is lost.
    NotKept(HttpResponse, &'static str),
}

/// How long a body may take to come. After that it goes on to the caller as it comes: the SDK has a
/// protection of its own against streams that stall.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads a response whole, if it is one to keep: a success with a body of at most `bound` bytes that comes
/// in a while.
pub(super) async fn look(
    mut response: HttpResponse,
    bound: usize,
    sleep: Option<SharedAsyncSleep>,
) -> Looked {
    if !response.status().is_success() {
        return Looked::NotKept(response, "it is an error");
    }
    let kind = response.headers().get("content-type").unwrap_or_default();
    if ["eventstream", "event-stream"]
        .iter()
        .any(|stream| kind.contains(stream))
    {
        return Looked::NotKept(response, "it is a stream");
    }
    // A body that does not say how long it is may never end; one in a text format does.
    let is_text = ["json", "xml", "cbor"]
        .iter()
        .any(|text| kind.contains(text));
    let announced = Body::size_hint(response.body()).exact().or_else(|| {
        let length = response.headers().get("content-length");
        length.and_then(|length| length.parse().ok())
    });
    match announced {
        Some(length) if length > bound as u64 => {
            return Looked::NotKept(response, "it is too large");
        }
        None if !is_text => return Looked::NotKept(response, "it does not say how long it is"),
        _ => {}
    }
    let may_be_a_page = kind.contains("html");
    let taken = std::mem::replace(response.body_mut(), SdkBody::taken());
    let whole = match taken.bytes() {
        Some(bytes) => Ok(Bytes::copy_from_slice(bytes)),
        None => collect(taken, bound, sleep).await,
    };
    match whole {
        // What stands between here and the service says with 200 that it does not want us through.
        Ok(whole) if may_be_a_page && whole.trim_ascii_start().starts_with(b"<") => {
            *response.body_mut() = SdkBody::from(whole);
            Looked::NotKept(response, "it is a web page")
        }
        Ok(whole) => {
            let (written, body) = write(&response, &whole);
            *response.body_mut() = SdkBody::from(written.slice(body..));
            Looked::Whole {
                response,
                written,
                body,
            }
        }
        Err(rejoined) => {
            *response.body_mut() = SdkBody::from_body_1_x(*rejoined);
            Looked::NotKept(response, "it is too large, too slow, or broke off")
        }
    }
}

/// All of a body, or, where it does not end within the bound, a body that says the same once more.
async fn collect(
    mut body: SdkBody,
    bound: usize,
    sleep: Option<SharedAsyncSleep>,
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
            let Some(sleep) = &sleep else {
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

/// Magic, status, number of headers, each header's name and value with their lengths, and the body, which
/// is all the rest. Numbers are little-endian, of two bytes.
fn write(response: &HttpResponse, body: &[u8]) -> (Bytes, usize) {
    let fits = |text: &str| u16::try_from(text.len()).is_ok();
    let headers: Vec<(&str, &str)> = response
        .headers()
        .iter_bytes()
        .filter_map(|(name, value)| Some((name, std::str::from_utf8(value).ok()?)))
        .filter(|(name, value)| !PASSING.contains(name) && fits(name) && fits(value))
        .take(usize::from(u16::MAX))
        .collect();
    let size: usize = headers
        .iter()
        .map(|(name, value)| 4 + name.len() + value.len())
        .sum();
    let mut out = BytesMut::with_capacity(MAGIC.len() + 4 + size + body.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&response.status().as_u16().to_le_bytes());
    out.extend_from_slice(&number(headers.len()));
    for (name, value) in headers {
        for text in [name, value] {
            out.extend_from_slice(&number(text.len()));
            out.extend_from_slice(text.as_bytes());
        }
    }
    let begins = out.len();
    out.extend_from_slice(body);
    (out.freeze(), begins)
}

fn number(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes()
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
    for _ in 0..take_number(&mut rest)? {
        let name = std::str::from_utf8(take(&mut rest)?).ok()?;
        let value = std::str::from_utf8(take(&mut rest)?).ok()?;
        headers.try_append(name.to_owned(), value.to_owned()).ok()?;
    }
    headers.try_insert("age", age.as_secs().to_string()).ok()?;
    let begins = written.len() - rest.len();
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
