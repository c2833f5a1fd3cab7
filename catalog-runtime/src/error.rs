//! The one opaque error of this crate.

use std::fmt;
use std::sync::Arc;

use bedrock_catalog_cache::ConfigError;
use bedrock_catalog_recording::{RecordingError, RecordingErrorKind};

/// The reason why no catalog could be fetched, loaded or built: a kind, a message that says what to
/// do, and the cause as its source. One word in size.
///
/// Lookups in a catalog fail with [`QueryError`](crate::QueryError) instead.
#[derive(Clone)]
pub struct CatalogError(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: CatalogErrorKind,
    message: String,
    advice: Option<String>,
    transient: bool,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// The kinds of [`CatalogError`].
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
    /// AWS gave no catalog.
    Unavailable,
    /// No AWS credentials were found in time; the message says what to set.
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
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            advice: None,
            transient: false,
            source: None,
        }))
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(CatalogErrorKind::Unavailable, message)
    }

    /// A setting that is refused, in the words of the cache's own settings.
    pub(crate) fn setting(name: &str, value: &str, allowed: &str) -> Self {
        let message = format!("{name} is {value:?}");
        Self::new(CatalogErrorKind::InvalidConfiguration, message)
            .with_advice(format!("allowed: {allowed}"))
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into().into());
        self
    }

    /// Adds the end of the message: what would help.
    pub(crate) fn with_advice(mut self, advice: impl Into<String>) -> Self {
        self.0.advice = Some(advice.into());
        self
    }

    #[cfg(feature = "aws")]
    pub(crate) fn transient(mut self) -> Self {
        self.0.transient = true;
        self
    }

    /// The kind, for a program.
    pub fn kind(&self) -> CatalogErrorKind {
        self.0.kind
    }

    /// Whether no AWS credentials were found.
    pub fn is_no_credentials(&self) -> bool {
        self.0.kind == CatalogErrorKind::NoCredentials
    }

    /// Whether the same call may succeed later with nothing changed.
    pub fn is_transient(&self) -> bool {
        self.0.transient
    }

    /// What would help, where that is known: the end of the message.
    ///
    /// ```
    /// let error = bedrock_catalog::LiveCatalog::builder().partition("AWS").build().unwrap_err();
    /// assert_eq!(error.suggestions(), ["allowed: lower-case letters, digits and `-`"]);
    /// ```
    pub fn suggestions(&self) -> &[String] {
        self.0.advice.as_slice()
    }
}

impl From<RecordingError> for CatalogError {
    fn from(error: RecordingError) -> Self {
        let kind = match error.kind() {
            RecordingErrorKind::Io => CatalogErrorKind::Io,
            RecordingErrorKind::InvalidRecording => CatalogErrorKind::InvalidRecording,
            _ => CatalogErrorKind::InvalidCatalog,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<ConfigError> for CatalogError {
    fn from(error: ConfigError) -> Self {
        Self::setting(error.setting(), error.value(), error.allowed())
    }
}

/// The message, each cause after a colon, and after a semicolon what would help.
impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        match &self.0.advice {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

/// The same as its display: the message and its causes.
impl fmt::Debug for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for CatalogError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
