//! The one error of a whole fetch. What goes wrong in one region is no error: it is that region's
//! [`Outcome`](super::Outcome).

use std::error::Error as StdError;
use std::fmt;

/// Why no fetch could be made at all. One word in size; the cause, where there is one, is its source.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    /// What would help, at the end of the message.
    advice: Option<String>,
    transient: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was asked for makes no sense; the message says what to change.
    InvalidRequest,
    /// No AWS credentials were found in time; the message says what to set.
    NoCredentials,
}

pub(super) const WHAT_TO_SET: &str = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
    or run where a role gives credentials";

impl Error {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message.into(), false)
    }

    /// A setting that cannot be used: in the words of the cache's own settings.
    pub(super) fn refused(setting: &str, value: &str, allowed: &str) -> Self {
        let mut error = Self::invalid(format!("{setting} is {value:?}"));
        error.0.advice = Some(format!("allowed: {allowed}"));
        error
    }

    pub(super) fn no_credentials(
        why: &str,
        transient: bool,
        source: Option<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        let message = format!("no AWS credentials: {why}");
        let mut error = Self::new(ErrorKind::NoCredentials, message, transient);
        error.0.advice = Some(WHAT_TO_SET.to_owned());
        error.0.source = source;
        error
    }

    fn new(kind: ErrorKind, message: String, transient: bool) -> Self {
        Self(Box::new(Inner {
            kind,
            message,
            advice: None,
            transient,
            source: None,
        }))
    }

    /// The message, and what would help, where that is known.
    pub(crate) fn parts(&self) -> (&str, Option<&str>) {
        (&self.0.message, self.0.advice.as_deref())
    }

    /// What went wrong, for a program.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether there were no credentials to ask with.
    pub fn is_no_credentials(&self) -> bool {
        self.0.kind == ErrorKind::NoCredentials
    }

    /// Whether asking again later, with nothing changed, may succeed.
    pub fn is_transient(&self) -> bool {
        self.0.transient
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (message, Some(advice)) => write!(f, "{message}; {advice}"),
            (message, None) => f.write_str(message),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}
