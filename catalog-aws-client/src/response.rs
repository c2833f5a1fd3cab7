//! A response: read whole, judged by the rules, and as the bytes that the cache stores.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use foldhash::quality::RandomState;
use futures_lite::{FutureExt, StreamExt, stream};
use http_body::Body;
use http_body_util::{BodyExt, BodyStream, StreamBody};

use crate::document::{Format, NotWhole, walk};
use crate::rules::Rules;

/// The first line of a stored response.
const MAGIC: &str = "aws-response/1\n";

/// The time a body has to arrive. After it the body is passed on as it arrives: the SDK has a protection
/// of its own against streams that stall.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest body of an error that is read for its code.
const LARGEST_ERROR: usize = 64 << 10;

/// The reason why a response is not stored.
pub(crate) type NotStored = &'static str;

/// The stored form of a response, if it may be stored: a 200 with a whole JSON, XML or CBOR body of at most
/// `bound` bytes, neither encoded nor forbidden to store, that the rules do not refuse. Only then other
/// callers may have it too.
pub(crate) async fn storable(
    response: &mut HttpResponse,
    rules: &Rules,
    bound: usize,
    sleep: Option<&SharedAsyncSleep>,
) -> Result<Result<Bytes, NotStored>, ConnectorError> {
    if response.status().as_u16() != 200 {
        return Ok(Err("its status is not 200"));
    }
    let header = |name| response.headers().get(name).unwrap_or_default();
    if !matches!(header("content-encoding"), "" | "identity") {
        return Ok(Err("it has a content encoding"));
    }
    if header("cache-control")
        .to_ascii_lowercase()
        .contains("no-store")
    {
        return Ok(Err("it says no-store"));
    }
    let content_type = header("content-type");
    let format = Format::of(content_type).filter(|_| !content_type.contains("event"));
    let Some(format) = format else {
        return Ok(Err("it is not JSON, XML or CBOR"));
    };
    let announced = response.body().size_hint().lower();
    if announced > bound as u64 || !buffer(response, bound, sleep).await? {
        return Ok(Err("its body is too large or too slow"));
    }
    let body = response.body().bytes().unwrap_or_default();
    Ok(match unfit(rules, format, body) {
        Some(reason) => Err(reason),
        None => Ok(encode(response)),
    })
}

/// The reason in a body not to store it. A body that cannot be read to its end is not whole.
pub(crate) fn unfit<'a>(rules: &Rules, format: Format, body: &'a [u8]) -> Option<NotStored> {
    #[derive(Clone, Copy)]
    struct Member {
        is_secret: bool,
        has_state: bool,
    }
    // The items of a list repeat their names.
    let mut members: HashMap<Cow<'a, str>, Member, RandomState> = HashMap::default();
    let member = |outer: Option<&Member>, name: Cow<'a, str>| {
        let known = members.get(&*name).copied();
        let named = known.unwrap_or_else(|| {
            let new = Member {
                is_secret: rules.is_secret_member(&name),
                has_state: Rules::is_state_member(&name),
            };
            members.insert(name, new);
            new
        });
        Member {
            is_secret: named.is_secret || outer.is_some_and(|outer| outer.is_secret),
            has_state: named.has_state || outer.is_some_and(|outer| outer.has_state),
        }
    };
    let mut reason = None;
    let visit = |path: &[Member], text: Option<&str>| {
        let member = path.last();
        let is_secret = member.is_some_and(|member| member.is_secret);
        let has_state = member.is_some_and(|member| member.has_state);
        if is_secret || text.is_some_and(|text| is_secret_text(rules, text)) {
            reason = Some("it has a secret");
        } else if has_state && text.is_some_and(|text| rules.is_in_motion(text)) {
            reason = Some("it has a resource that is changing");
        }
    };
    match walk(format, body, member, visit) {
        Ok(()) => reason,
        Err(NotWhole) => Some("its body is not whole"),
    }
}

/// Whether a text has a secret in it: a link, or a document within the document, that names one.
fn is_secret_text(rules: &Rules, text: &str) -> bool {
    if rules.is_secret_text(text) {
        return true;
    }
    let is_separator = |byte| matches!(byte, b':' | b'=' | b'>');
    // Most texts have none. Without a branch the look at all bytes takes a few instructions.
    if !text
        .bytes()
        .fold(false, |has, byte| has | is_separator(byte))
    {
        return false;
    }
    let mut separators = text
        .bytes()
        .enumerate()
        .filter(|(_, byte)| is_separator(*byte));
    separators.any(|(at, separator)| {
        let before = text.get(..at).unwrap_or_default();
        let name = match separator {
            b':' => unquoted(before),
            _ => before,
        };
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let length = name.bytes().rev().take_while(is_part).count();
        let name = name.get(name.len() - length..).unwrap_or_default();
        !name.is_empty()
            && (rules.is_secret_member(name)
                || (separator == b'=' && text.contains("://") && rules.is_secret_in_link(name)))
    })
}

/// A name before a colon, without the end of its quotes; empty if it has none. A document within a text
/// of a document within a text has more backslashes.
fn unquoted(text: &str) -> &str {
    const QUOTES: [&str; 3] = ["\"", "&quot;", "\\u0022"];
    let text = text.trim_end();
    let mut names = QUOTES.iter().filter_map(|quote| text.strip_suffix(quote));
    names.next().unwrap_or_default().trim_end_matches('\\')
}

/// The outcome of a write that failed with this response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The service refused it: nothing has changed.
    Refused,
    /// The service did not take it, because it has too much to do: nothing has changed.
    Throttled,
    /// The service may have done it, or may do it yet.
    Uncertain,
}

/// The meaning of a response that is not a success. An error of the caller (4xx) is a refusal, unless it
/// is a timeout. An error of the service (5xx) is uncertain, unless its code is one of throttling.
pub(crate) async fn failure(
    response: &mut HttpResponse,
    sleep: Option<&SharedAsyncSleep>,
) -> Result<Failure, ConnectorError> {
    let status = response.status().as_u16();
    match status {
        429 => return Ok(Failure::Throttled),
        400..=407 | 409..=599 => {}
        _ => return Ok(Failure::Uncertain),
    }
    if !buffer(response, LARGEST_ERROR, sleep).await? {
        return Ok(Failure::Uncertain);
    }
    let code = error_code(response);
    Ok(match () {
        () if THROTTLING_ERRORS.contains(&code.as_str()) => Failure::Throttled,
        // Services have names of their own for it, such as `OperationTimeoutException`.
        () if status >= 500 || code.contains("Timeout") => Failure::Uncertain,
        () => Failure::Refused,
    })
}

/// The code of an error: in a header, or in a member of the body, as the protocol has it. Empty if there
/// is none.
fn error_code(response: &HttpResponse) -> String {
    // com.amazon.coral#ThrottlingException:http://internal.amazon.com/
    let plain = |code: &str| {
        let code = code.split(':').next().unwrap_or_default();
        code.rsplit('#').next().unwrap_or_default().to_owned()
    };
    if let Some(code) = response.headers().get("x-amzn-errortype") {
        return plain(code);
    }
    let content_type = response.headers().get("content-type").unwrap_or_default();
    let body = response.body().bytes().unwrap_or_default();
    let by_body = match body.first() {
        Some(b'<') => Format::Xml,
        _ => Format::Json,
    };
    let mut code = String::new();
    let format = Format::of(content_type).unwrap_or(by_body);
    let is_code = |_: Option<&bool>, name: Cow<'_, str>| {
        name == "__type" || name.eq_ignore_ascii_case("code")
    };
    let _ = walk(format, body, is_code, |path, text| {
        if let (Some(true), true, Some(text)) = (path.last(), code.is_empty(), text) {
            code = plain(text);
        }
    });
    code
}

/// Reads the whole body into memory. If it does not end within the bound and the time, the response has a
/// body that goes on from its beginning, and the answer is no.
async fn buffer(
    response: &mut HttpResponse,
    bound: usize,
    sleep: Option<&SharedAsyncSleep>,
) -> Result<bool, ConnectorError> {
    if response.body().bytes().is_some() {
        return Ok(true);
    }
    let mut body = std::mem::replace(response.body_mut(), SdkBody::taken());
    let mut frames = Vec::new();
    let mut length = 0;
    let read = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(ConnectorError::io)?;
            let data = frame.data_ref().map(Bytes::len);
            frames.push(frame);
            length += data.unwrap_or(0);
            // Trailers are not stored.
            if length > bound || data.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    };
    let is_whole = match sleep {
        None => read.await,
        Some(sleep) => {
            let timed_out = async {
                sleep.sleep(BODY_TIMEOUT).await;
                Ok(false)
            };
            read.or(timed_out).await
        }
    }?;
    *response.body_mut() = if is_whole {
        let mut data = frames
            .into_iter()
            .filter_map(|frame| frame.into_data().ok());
        match (data.next(), data.next()) {
            (None, _) => SdkBody::empty(),
            (Some(only), None) => SdkBody::from(only),
            (Some(first), Some(second)) => {
                let mut whole = BytesMut::with_capacity(length);
                [first, second]
                    .into_iter()
                    .chain(data)
                    .for_each(|part| whole.extend_from_slice(&part));
                SdkBody::from(whole.freeze())
            }
        }
    } else {
        let read = stream::iter(frames.into_iter().map(Ok));
        SdkBody::from_body_1_x(StreamBody::new(read.chain(BodyStream::new(body))))
    };
    Ok(is_whole)
}

/// A response as stored: a first line, its headers as lines, an empty line, and its body. Its status is
/// 200. A header that is not text is left out.
fn encode(response: &HttpResponse) -> Bytes {
    let body = response.body().bytes().unwrap_or_default();
    let mut stored = Vec::with_capacity(512 + body.len());
    stored.extend_from_slice(MAGIC.as_bytes());
    for (name, value) in response.headers().iter_bytes() {
        let is_text = std::str::from_utf8(value).is_ok_and(|text| !text.contains('\n'));
        if is_text && !is_unstored_header(name) {
            for part in [name.as_bytes(), b": ", value, b"\n"] {
                stored.extend_from_slice(part);
            }
        }
    }
    stored.push(b'\n');
    stored.extend_from_slice(body);
    stored.into()
}

/// The response that was stored, with its age; `None` if these are not the bytes of one.
pub(crate) fn decode(stored: &Bytes, age: Duration) -> Option<HttpResponse> {
    let mut rest = stored.strip_prefix(MAGIC.as_bytes())?;
    let mut response = HttpResponse::new(200.try_into().ok()?, SdkBody::taken());
    let headers = response.headers_mut();
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, after) = rest.split_at_checked(end)?;
        rest = after.get(1..)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(": ")?;
        headers.try_append(name.to_owned(), value.to_owned()).ok()?;
    }
    headers.try_insert("age", age.as_secs().to_string()).ok()?;
    *response.body_mut() = SdkBody::from(stored.slice(stored.len() - rest.len()..));
    Some(response)
}

/// Whether a header is about the connection or the moment.
fn is_unstored_header(header: &str) -> bool {
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
