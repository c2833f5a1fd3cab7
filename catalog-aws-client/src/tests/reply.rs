//! Answers written down and read again, and those that pass.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use futures_lite::future::block_on;
use http_body::{Body, Frame};
use proptest::prelude::*;

use super::super::reply::{NotKept, is_refusal, look, read};

/// A body in pieces, of a length that is not announced; it may break off.
struct Pieces(VecDeque<Bytes>, bool);

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let next = self.0.pop_front().map(|piece| Ok(Frame::data(piece)));
        let broken = next.is_none() && std::mem::take(&mut self.1);
        Poll::Ready(next.or_else(|| broken.then(|| Err(std::io::Error::other("broken off")))))
    }
}

fn response(status: u16, kind: &str, body: SdkBody) -> HttpResponse {
    let mut response = HttpResponse::new(status.try_into().unwrap(), body);
    response
        .headers_mut()
        .insert("content-type", kind.to_owned());
    response.headers_mut().insert("x-amzn-requestid", "r-1");
    response
        .headers_mut()
        .insert("date", "Sat, 21 Nov 2026 09:00:00 GMT");
    response
}

/// What a caller reads of a response: its bytes, and whether it broke off.
fn received(mut response: HttpResponse) -> (Vec<u8>, bool) {
    block_on(async {
        let mut bytes = Vec::new();
        loop {
            match poll_fn(|context| Pin::new(&mut *response.body_mut()).poll_frame(context)).await {
                None => return (bytes, false),
                Some(Err(_)) => return (bytes, true),
                Some(Ok(frame)) => bytes.extend_from_slice(frame.data_ref().unwrap()),
            }
        }
    })
}

proptest! {
    #[test]
    fn whatever_is_kept_the_caller_gets_all_of_it(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..6),
        bound in 0..80_usize,
        breaks in any::<bool>(),
    ) {
        let whole = pieces.concat();
        let body = Pieces(pieces.into_iter().map(Bytes::from).collect(), breaks);
        let mut came = response(200, "application/json", SdkBody::from_body_1_x(body));
        match block_on(look(&mut came, bound, None)) {
            Ok((written, body)) => {
                prop_assert!(!breaks && whole.len() <= bound);
                prop_assert_eq!(&written[body..], &whole);
                prop_assert_eq!(received(came), (whole.clone(), false));
                let again = read(&written, Duration::from_secs(7)).unwrap();
                prop_assert_eq!(again.headers().get("age"), Some("7"));
                prop_assert_eq!(again.headers().get("x-amzn-requestid"), Some("r-1"));
                prop_assert_eq!(again.headers().get("date"), None);
                prop_assert_eq!(received(again), (whole, false));
            }
            Err(_) => {
                prop_assert!(breaks || whole.len() > bound);
                prop_assert_eq!(received(came), (whole, breaks));
            }
        }
    }

    #[test]
    fn bytes_of_others_are_no_answer(mut bytes in prop::collection::vec(any::<u8>(), 0..64), ours in any::<bool>()) {
        if ours {
            bytes.splice(0..0, *b"reply2");
        }
        if let Some(response) = read(&Bytes::from(bytes), Duration::ZERO) {
            prop_assert!(ours && response.status().is_success());
        }
    }
}

/// Says nothing more, and does not end.
struct Stalls(Option<Bytes>);

impl Body for Stalls {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        match self.0.take() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None => Poll::Pending,
        }
    }
}

#[test]
fn a_body_that_stalls_goes_on_as_it_comes() {
    #[derive(Debug)]
    struct Soon;
    impl AsyncSleep for Soon {
        fn sleep(&self, _: Duration) -> Sleep {
            Sleep::new(async {})
        }
    }
    let body = SdkBody::from_body_1_x(Stalls(Some(Bytes::from_static(b"{"))));
    let mut came = response(200, "application/json", body);
    let soon = SharedAsyncSleep::new(Soon);
    assert!(block_on(look(&mut came, 10, Some(&soon))).is_err());
    let mut body = Pin::new(came.body_mut());
    let first = block_on(poll_fn(|context| body.as_mut().poll_frame(context)));
    assert_eq!(first.unwrap().unwrap().into_data().unwrap(), "{");
    let next = poll_fn(|context| Poll::Ready(body.as_mut().poll_frame(context).is_pending()));
    assert!(block_on(next));
}

#[test]
fn a_head_that_is_cut_is_no_answer() {
    let mut came = response(200, "application/json", SdkBody::from("{}"));
    let (written, body) = block_on(look(&mut came, 10, None)).unwrap();
    for cut in 0..body {
        assert!(
            read(&written.slice(..cut), Duration::ZERO).is_none(),
            "{cut}"
        );
    }
    assert!(read(&written, Duration::ZERO).is_some());
}

#[test]
fn a_header_that_is_no_text_is_left_out_and_the_answer_stays() {
    let came = hyper::Response::builder()
        .header("content-type", "application/json")
        .header(
            "x-note",
            hyper::header::HeaderValue::from_bytes(b"caf\xe9").unwrap(),
        )
        .header("x-after", "there");
    let mut came = HttpResponse::try_from(came.body(SdkBody::from("{}")).unwrap()).unwrap();
    let (written, _) = block_on(look(&mut came, 10, None)).unwrap();
    assert_eq!(came.headers().get_bytes("x-note"), Some(&b"caf\xe9"[..]));
    let again = read(&written, Duration::ZERO).unwrap();
    assert!(!again.headers().contains_key("x-note"));
    assert_eq!(again.headers().get("x-after"), Some("there"));
    assert_eq!(received(again), (b"{}".to_vec(), false));
}

#[test]
fn what_is_no_whole_success_passes() {
    let endless =
        || SdkBody::from_body_1_x(Pieces(VecDeque::from([Bytes::from_static(b"live")]), false));
    let passing = [
        (
            response(200, "text/html", SdkBody::from("\n<html>")),
            "it is a web page",
        ),
        (
            response(400, "application/json", SdkBody::from("{}")),
            "it is an error",
        ),
        (
            response(302, "application/json", SdkBody::from("{}")),
            "it is an error",
        ),
        (
            response(200, "application/vnd.amazon.eventstream", SdkBody::from("")),
            "it is a stream",
        ),
        (
            response(200, "text/event-stream", SdkBody::from("")),
            "it is a stream",
        ),
        (
            response(200, "video/mp4", endless()),
            "it does not say how long it is",
        ),
        (
            response(200, "application/json", SdkBody::from("12345678901")),
            "it is too large",
        ),
    ];
    for (mut came, wanted) in passing {
        let looked = block_on(look(&mut came, 10, None));
        assert_eq!(looked, Err(NotKept(wanted)));
    }
    let mut announced = response(200, "image/png", SdkBody::from("png"));
    assert!(block_on(look(&mut announced, 10, None)).is_ok());
}

/// In whatever protocol, and not where the word only stands in a sentence.
#[test]
fn a_service_that_throttles_has_done_nothing_and_one_that_failed_may_have() {
    let refused = |status, header: Option<&'static str>, body: &[u8]| {
        let mut response = response(status, "", SdkBody::from(body));
        if let Some(header) = header {
            response.headers_mut().insert("x-amzn-errortype", header);
        }
        let is_refused = block_on(is_refusal(&mut response, None));
        assert_eq!(received(response).0, body, "nothing is lost");
        is_refused
    };
    let cbor = b"\xbf\x66__type\x78\x1cx.y.z#ThrottlingException\x67message\x61a\xff";
    for body in [
        br#"{"__type":"ThrottlingException","message":"m"}"#.as_slice(),
        br#"{"__type":"com.amazon.coral#ThrottlingException"}"#,
        br#"{"code":"SlowDown:http://internal.amazon.com/"}"#,
        b"<Error><Code>SlowDown</Code><Message>m</Message></Error>",
        b"<Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors>",
        cbor,
    ] {
        assert!(refused(503, None, body), "{}", body.escape_ascii());
    }
    for body in [
        b"".as_slice(),
        br#"{"__type":"InternalServerException","message":"no ThrottlingException"}"#,
        b"<Error><Code>InternalError</Code><Message>Not Throttling</Message></Error>",
        b"<Code>SlowDownloadFailed</Code>",
    ] {
        assert!(!refused(503, None, body), "{}", body.escape_ascii());
    }
    assert!(refused(500, Some("ThrottlingException:http://x/"), b""));
    assert!(!refused(500, Some("InternalServerException"), b""));
    assert!(refused(429, Some("Anything"), b""));
    assert!(refused(400, None, b"{}") && !refused(408, None, b"{}"));
    assert!(!refused(400, Some("OperationTimeoutException"), b"{}"));
    assert!(!refused(302, None, b"{}"));
}
