//! The REST-JSON protocol, as far as the control plane's two lists need it: from the parts of an HTTP
//! request to a question, from rows to an answer.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::body::Delivery;

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// `ListFoundationModels`.
    Models,
    /// `ListInferenceProfiles`.
    Profiles,
    /// `Converse`, of the runtime.
    Converse,
    /// Anything else.
    Unknown,
}

/// A request, taken apart.
#[derive(Debug, Clone)]
pub struct Ask {
    /// What is asked.
    pub operation: Operation,
    /// The path, percent-decoded.
    pub path: String,
    /// The query, decoded, in its order.
    pub query: Vec<(String, String)>,
    /// The region of the signature's credential scope; `None` without a signature.
    pub region: Option<String>,
}

impl Ask {
    /// From the parts of an HTTP request.
    pub fn new(method: &str, path_and_query: &str, authorization: Option<&str>) -> Self {
        let (path, query) = path_and_query
            .split_once('?')
            .unwrap_or((path_and_query, ""));
        let path = decode(path, false);
        let operation = match (method, path.as_str()) {
            ("GET", "/foundation-models") => Operation::Models,
            ("GET", "/inference-profiles") => Operation::Profiles,
            ("POST", path) if path.starts_with("/model/") && path.ends_with("/converse") => {
                Operation::Converse
            }
            _ => Operation::Unknown,
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let query = pairs
            .map(|(key, value)| (decode(key, true), decode(value, true)))
            .collect();
        Self {
            operation,
            path,
            query,
            region: authorization.and_then(scope_region),
        }
    }

    /// The first value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/bedrock/aws4_request, …`
fn scope_region(authorization: &str) -> Option<String> {
    let credential = authorization.strip_prefix("AWS4-HMAC-SHA256")?.trim_start();
    let credential = credential
        .split(',')
        .find_map(|part| part.trim().strip_prefix("Credential="))?;
    let mut scope = credential.rsplit('/');
    let (end, service, region) = (scope.next()?, scope.next()?, scope.next()?);
    (end == "aws4_request" && service == "bedrock").then(|| region.to_owned())
}

pub(crate) fn decode(text: &str, plus_is_space: bool) -> String {
    let hex = |digit: u8| char::from(digit).to_digit(16);
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let escaped = match byte {
            b'%' => ahead.next().and_then(hex).zip(ahead.next().and_then(hex)),
            _ => None,
        };
        match escaped.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()) {
            Some(value) => {
                out.push(value);
                bytes = ahead;
            }
            None if byte == b'+' && plus_is_space => out.push(b' '),
            None => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// An answer, and how it is delivered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Passes before the first byte.
    pub delay: Duration,
    /// The HTTP status.
    pub status: u16,
    /// The content type.
    pub content_type: String,
    /// The code of an AWS error.
    pub error: Option<String>,
    /// All of the body.
    pub body: Bytes,
    /// How the body comes.
    pub delivery: Delivery,
}

impl Reply {
    /// Any body at all.
    pub(crate) fn raw(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            delay: Duration::ZERO,
            status,
            content_type: content_type.to_owned(),
            error: None,
            body: body.into(),
            delivery: Delivery::Whole,
        }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::raw(status, "application/json", body.to_string())
    }

    /// An AWS error.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self {
            error: Some(code.to_owned()),
            ..Self::json(status, &json!({ "message": message }))
        }
    }

    /// The headers beside the length and the date.
    pub fn headers(&self) -> Vec<(&'static str, &str)> {
        let mut headers = vec![
            ("content-type", self.content_type.as_str()),
            ("x-amzn-requestid", "00000000-0000-4000-8000-000000000000"),
        ];
        headers.extend(self.error.as_deref().map(|code| ("x-amzn-errortype", code)));
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_apart() {
        let signature = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260822/eu-west-1/bedrock/aws4_request, \
            SignedHeaders=host;x-amz-date, Signature=00";
        let ask = Ask::new(
            "GET",
            "/inference-profiles?maxResults=20&nextToken=a%2Fb%2B%3D&type=",
            Some(signature),
        );
        assert_eq!(ask.operation, Operation::Profiles);
        assert_eq!(ask.region.as_deref(), Some("eu-west-1"));
        assert_eq!(ask.parameter("nextToken"), Some("a/b+="));
        assert_eq!(ask.parameter("type"), Some(""));
        assert_eq!(ask.parameter("other"), None);
        let ask = Ask::new("POST", "/model/maker.model-v1%3A0/converse", None);
        assert_eq!(
            (ask.operation, ask.path.as_str()),
            (Operation::Converse, "/model/maker.model-v1:0/converse")
        );
        assert_eq!(Ask::new("GET", "/%zz%", Some("Bearer x")).region, None);
    }
}
