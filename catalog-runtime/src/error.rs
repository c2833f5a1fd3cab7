//! The one opaque error of this crate.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bedrock_catalog_recording::{RecordingError, RecordingErrorKind};

/// Why something of this crate could not be done: a kind, a message that says what to do, and the
/// cause as its source. One word in size.
///
/// Questions asked of a catalog fail with [`QueryError`](crate::QueryError) instead.
#[derive(Clone)]
pub struct CatalogError {
    inner: Box<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    kind: CatalogErrorKind,
    message: String,
    advice: Option<String>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CatalogErrorKind {
    /// A file could not be read or written.
    Io,
    /// A recording is incomplete or not what the API answers.
    InvalidRecording,
    /// A text is no catalog.
    InvalidCatalog,
    /// A setting has a value that is not allowed.
    InvalidConfiguration,
    /// Nothing could be had from AWS.
    Unavailable,
    /// There were no AWS credentials to ask with, or none in time.
    NoCredentials,
}

impl CatalogErrorKind {
    /// The kind's word, as the command line prints it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::InvalidRecording => "invalid_recording",
            Self::InvalidCatalog => "invalid_catalog",
            Self::InvalidConfiguration => "invalid_configuration",
            Self::Unavailable => "unavailable",
            Self::NoCredentials => "no_credentials",
        }
    }
}

impl CatalogError {
    pub(crate) fn new(kind: CatalogErrorKind, message: impl Into<String>) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                message: message.into(),
                advice: None,
                source: None,
            }),
        }
    }

    /// What could not be done with a file, and why.
    pub(crate) fn io(doing: &str, path: &Path, source: std::io::Error) -> Self {
        Self::new(
            CatalogErrorKind::Io,
            format!("cannot {doing} {}", path.display()),
        )
        .because(source)
    }

    pub(crate) fn because(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.inner.source = Some(source.into().into());
        self
    }

    /// Says at the end of the message what would help.
    pub(crate) fn advising(mut self, advice: impl Into<String>) -> Self {
        self.inner.advice = Some(advice.into());
        self
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> CatalogErrorKind {
        self.inner.kind
    }

    /// What would help, where that is known: the end of the message.
    ///
    /// ```
    /// let error = bedrock_catalog::LiveCatalog::builder().partition("AWS").build().unwrap_err();
    /// assert_eq!(error.suggestions(), ["allowed: lower-case letters, digits and `-`"]);
    /// ```
    pub fn suggestions(&self) -> &[String] {
        self.inner.advice.as_slice()
    }
}

/// With the same kind and text.
impl From<RecordingError> for CatalogError {
    fn from(error: RecordingError) -> Self {
        let kind = match error.kind() {
            RecordingErrorKind::Io => CatalogErrorKind::Io,
            RecordingErrorKind::InvalidRecording => CatalogErrorKind::InvalidRecording,
            // Of a recording that is no other kind.
            _ => CatalogErrorKind::InvalidCatalog,
        };
        Self::new(kind, error.to_string())
    }
}

/// The message, after a colon each cause's, and after a semicolon what would help.
impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)?;
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        match &self.inner.advice {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

impl std::error::Error for CatalogError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}
