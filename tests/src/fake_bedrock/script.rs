//! The script: which request meets which fault.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::protocol::Operation;

/// Something that goes wrong with a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The answer comes later. Adds to the stage's own latency.
    Latency(Duration),
    /// An AWS error: the status, the code of `x-amzn-errortype`, the message.
    Error(u16, String, String),
    /// Any answer at all: status, content type, body.
    Raw(u16, String, Vec<u8>),
    /// The right answer, without what follows after so many bytes, and with a length that fits.
    Truncate(usize),
    /// The right answer until so many bytes, then the connection breaks.
    Reset(usize),
    /// The right answer until so many bytes, then silence.
    Silence(usize),
    /// The right answer, so many bytes at a time, with a pause after each.
    Slow(usize, Duration),
    /// No answer ever.
    Hang,
    /// 200 and an empty list.
    Empty,
    /// Page tokens that make no sense.
    Tokens(Tokens),
    /// Words and fields that no API model knows, in every row.
    UnknownWords,
    /// A valid answer with so many bytes of an unknown field.
    Huge(usize),
}

/// Page tokens that make no sense. Every page is the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {
    /// Always a new one.
    Endless,
    /// Always the same.
    Repeating,
    /// Two, by turns.
    Alternating,
    /// An empty text.
    Empty,
}

impl Fault {
    /// An AWS error.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::Error(status, code.to_owned(), message.to_owned())
    }

    /// As AWS says it where a policy is in the way, with the account's id in it.
    pub fn access_denied() -> Self {
        let message = "User: arn:aws:iam::123456789012:user/someone is not authorized to perform: \
            bedrock:ListFoundationModels with an explicit deny in a service control policy";
        Self::error(403, "AccessDeniedException", message)
    }

    /// As AWS says it in a region that is not enabled, or to credentials that it does not know.
    pub fn unrecognized_client() -> Self {
        let message = "The security token included in the request is invalid.";
        Self::error(403, "UnrecognizedClientException", message)
    }

    /// As AWS says it to temporary credentials after their time.
    pub fn expired_token() -> Self {
        let message = "The security token included in the request is expired";
        Self::error(403, "ExpiredTokenException", message)
    }

    /// As AWS says it to a signature that does not fit.
    pub fn invalid_signature() -> Self {
        let message =
            "The request signature we calculated does not match the signature you provided.";
        Self::error(403, "InvalidSignatureException", message)
    }

    /// As AWS says it to too many requests.
    pub fn throttling() -> Self {
        Self::error(
            429,
            "ThrottlingException",
            "Too many requests, please wait before trying again.",
        )
    }

    /// As AWS says it when it is at fault.
    pub fn server_error() -> Self {
        Self::error(
            500,
            "InternalServerException",
            "The server encountered an internal error.",
        )
    }

    /// A page of a proxy in between, with status 200.
    pub fn html() -> Self {
        let page = b"<!DOCTYPE html><html><body><h1>Sign in to the network</h1></body></html>";
        Self::Raw(200, "text/html".to_owned(), page.to_vec())
    }

    /// A JSON text as the answer.
    pub fn json(body: &str) -> Self {
        Self::Raw(200, "application/json".to_owned(), body.as_bytes().to_vec())
    }
}

/// A fault, and the requests that meet it: all, unless narrowed. Of several rules for a request all
/// latencies count, and otherwise the first rule.
#[derive(Debug, Clone)]
pub struct Rule {
    pub(super) fault: Fault,
    region: Option<String>,
    operation: Option<Operation>,
    requests: RangeInclusive<u64>,
}

impl Rule {
    /// The fault for every request.
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            region: None,
            operation: None,
            requests: 1..=u64::MAX,
        }
    }

    /// Only in this region.
    #[must_use]
    pub fn region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// Only for this operation.
    #[must_use]
    pub fn operation(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Only for these requests, counted from 1 for each region and operation.
    #[must_use]
    pub fn requests(mut self, requests: RangeInclusive<u64>) -> Self {
        self.requests = requests;
        self
    }

    pub(super) fn meets(&self, region: &str, operation: Operation, nth: u64) -> bool {
        self.region.as_deref().is_none_or(|only| only == region)
            && self.operation.is_none_or(|only| only == operation)
            && self.requests.contains(&nth)
    }
}
