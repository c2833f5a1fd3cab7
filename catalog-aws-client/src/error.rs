//! The one opaque error of this crate.

use std::fmt;
use std::sync::Arc;

/// A setting or a rule that cannot be used: a message that says why, and the cause as its source. One
/// word in size.
#[derive(Clone)]
pub struct ClientError(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    message: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl ClientError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        let (message, source) = (message.into(), None);
        Self(Box::new(Inner { message, source }))
    }

    pub(crate) fn because(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into().into());
        self
    }
}

/// The message, and after a colon each cause's.
impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl fmt::Debug for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
