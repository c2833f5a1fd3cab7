//! From an SDK error to a region's outcome and a reason that people can act on.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_bedrock::config::http::HttpResponse;
use aws_sdk_bedrock::error::{ProvideErrorMetadata, SdkError};

use super::body_limit::TooLarge;
use super::outcome::Outcome;
use bedrock_catalog_recording::one_line;

/// The reason why a region gave no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) outcome: Outcome,
    pub(super) reason: String,
    pub(super) cause: Cause,
}

/// What an error says about the credentials, to be judged together with the other regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// AWS checked the signature and then did not answer: the credentials are good.
    CredentialsAccepted,
    /// The region does not know the credentials: they are wrong, or the region is not enabled.
    CredentialsUnknown,
    /// AWS says that the account has to opt in.
    OptInRequired,
    /// There were no credentials to send.
    NoCredentials,
    /// Says nothing about the credentials.
    Other,
}

impl Fault {
    pub(super) fn new(outcome: Outcome, reason: impl AsRef<str>) -> Self {
        Self {
            outcome,
            reason: one_line(reason.as_ref()),
            cause: Cause::Other,
        }
    }

    fn with_cause(mut self, cause: Cause) -> Self {
        self.cause = cause;
        self
    }

    /// The fault that an SDK call of `operation` ended with.
    pub(super) fn of<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let fault = |outcome, text: String| Self::new(outcome, format!("{operation}: {text}"));
        if caused_by::<TooLarge>(error) {
            return fault(Outcome::Failed, TooLarge.to_string());
        }
        if caused_by::<CredentialsError>(error) {
            return fault(Outcome::Failed, "no AWS credentials".into())
                .with_cause(Cause::NoCredentials);
        }
        match error {
            SdkError::TimeoutError(_) => fault(Outcome::TimedOut, "no answer in time".into()),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                fault(Outcome::TimedOut, "no connection in time".into())
            }
            SdkError::DispatchFailure(_) => {
                fault(Outcome::Failed, format!("no connection: {}", root(error)))
            }
            SdkError::ResponseError(_) => fault(
                Outcome::Failed,
                format!("the answer broke off: {}", root(error)),
            ),
            SdkError::ServiceError(answer) => {
                let status = answer.raw().status().as_u16();
                let (code, message) = (answer.err().code(), answer.err().message());
                match code {
                    Some(code) => {
                        let (outcome, cause) = verdict(code, status);
                        let message =
                            message.map_or(String::new(), |message| format!(": {message}"));
                        fault(outcome, format!("{code} ({status}){message}")).with_cause(cause)
                    }
                    None if (200..300).contains(&status) => fault(
                        Outcome::Failed,
                        format!("the answer cannot be read: {}", root(answer.err())),
                    ),
                    None => {
                        let (outcome, cause) = verdict("", status);
                        fault(
                            outcome,
                            format!("status {status} without an AWS error code"),
                        )
                        .with_cause(cause)
                    }
                }
            }
            _ => fault(Outcome::Failed, root(error)),
        }
    }
}

/// What an AWS error code and status mean for a region.
fn verdict(code: &str, status: u16) -> (Outcome, Cause) {
    // Some services put a namespace before, or a documentation address behind the code.
    let code = code.rsplit('#').next().unwrap_or(code);
    let code = code.split(':').next().unwrap_or(code);
    match code {
        "OptInRequired" => (Outcome::Denied, Cause::OptInRequired),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "AuthFailure" => (Outcome::Denied, Cause::CredentialsUnknown),
        "AccessDenied" | "AccessDeniedException" | "NotAuthorized" | "UnauthorizedOperation" => {
            (Outcome::Denied, Cause::CredentialsAccepted)
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => (Outcome::Denied, Cause::Other),
        _ if aws_throttles(code) || status == 429 => {
            (Outcome::Throttled, Cause::CredentialsAccepted)
        }
        _ if status == 401 || status == 403 => (Outcome::Denied, Cause::Other),
        _ => (Outcome::Failed, Cause::Other),
    }
}

fn aws_throttles(code: &str) -> bool {
    let codes = [
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "SlowDown",
    ];
    codes.contains(&code)
}

fn chain<'e>(
    error: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Whether an error, or a cause of it, is a `T`.
pub(super) fn caused_by<T: StdError + 'static>(error: &(dyn StdError + 'static)) -> bool {
    chain(error).any(|error| error.is::<T>())
}

/// The innermost cause, which is the specific one.
fn root(error: &(dyn StdError + 'static)) -> String {
    chain(error)
        .last()
        .map_or(String::new(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_judged_with_and_without_their_trimmings() {
        for (code, status, outcome) in [
            ("AccessDeniedException", 403, Outcome::Denied),
            (
                "com.amazon.coral.service#AccessDeniedException",
                403,
                Outcome::Denied,
            ),
            (
                "ThrottlingException:http://internal.amazon.com/",
                429,
                Outcome::Throttled,
            ),
            ("SomethingNew", 429, Outcome::Throttled),
            ("SomethingNew", 403, Outcome::Denied),
            ("SomethingNew", 400, Outcome::Failed),
            ("InternalServerException", 500, Outcome::Failed),
            ("", 503, Outcome::Failed),
        ] {
            assert_eq!(verdict(code, status).0, outcome, "{code}");
        }
    }
}
