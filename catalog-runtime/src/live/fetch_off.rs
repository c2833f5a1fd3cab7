//! The twin of `fetch`, `background` and the later steps of `load`, in builds without AWS.

use std::sync::Arc;

use super::account::Identity;
use super::builder::LiveCatalogBuilder;
use super::deadline::Deadline;
use super::handle::Inner;
use super::load::{Purpose, Renewed, WhenBusy};
use super::session::Session;
use crate::error::CatalogError;

/// The way to AWS: none.
#[derive(Debug, Clone, Default)]
pub(super) struct Aws {}

#[derive(Debug)]
pub(super) enum Clients {}

impl LiveCatalogBuilder {
    #[allow(clippy::unused_async)]
    pub(super) async fn clients(&self, _: Deadline) -> Result<(Identity, Clients), CatalogError> {
        Err(CatalogError::unavailable(match self.offline {
            true => "nothing is fetched offline",
            false => "this build has no feature `aws`",
        }))
    }
}

#[allow(clippy::unused_self, clippy::unused_async)]
impl Inner {
    pub(super) async fn renew(
        self: &Arc<Self>,
        session: &mut Session,
        _: &Purpose,
        _: WhenBusy,
        _: Deadline,
    ) -> Result<Renewed, CatalogError> {
        match &session.clients {
            Err(error) => Err(error.clone()),
            Ok(clients) => match *clients {},
        }
    }

    pub(super) fn schedule(self: &Arc<Self>) {}
}
