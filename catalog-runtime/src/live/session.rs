//! What one load or refresh works with: the credentials are resolved once.

use bedrock_catalog_cache::Cache;

use super::account::Identity;
use super::deadline::Deadline;
use super::fetch::Clients;
use super::handle::Inner;
use crate::error::CatalogError;

/// The cache and the clients of one load or refresh.
pub(super) struct Session {
    /// `None` where the identity is unknown.
    pub(super) cache: Option<Cache>,
    /// Whether the cache answered in time so far. It is not waited for again.
    pub(super) answers: bool,
    /// The way to AWS, or the reason why there is none.
    pub(super) clients: Result<Clients, CatalogError>,
}

impl Session {
    /// The cache, where it answers.
    pub(super) fn readable(&self) -> Option<&Cache> {
        self.cache.as_ref().filter(|_| self.answers)
    }

    /// Notes that the cache does not answer.
    pub(super) fn no_answer(&mut self) {
        tracing::warn!("the cache does not answer; continuing without it");
        self.answers = false;
    }
}

impl Inner {
    /// Resolves the credentials once, for a load or a refresh. An account that was named before stays
    /// when the credentials are gone.
    pub(super) async fn session(&self, deadline: Deadline) -> Session {
        let before = self
            .identity()
            .filter(|known| matches!(known, Identity::Account(_)));
        let (identity, clients) = match self.config.clients(deadline).await {
            Ok((identity, clients)) => (identity, Ok(clients)),
            Err(error) => {
                let fallback = match (before, self.config.configured()) {
                    (Some(known), _) => known,
                    (None, Identity::Unnamed) if error.is_transient() => Identity::Unknown,
                    (None, configured) => configured,
                };
                (fallback, Err(error))
            }
        };
        self.remember(identity.clone());
        Session {
            answers: true,
            cache: (identity != Identity::Unknown).then(|| self.in_namespace_of(&identity)),
            clients,
        }
    }
}
