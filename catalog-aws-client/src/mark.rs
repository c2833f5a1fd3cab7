//! What the interceptors write on a request for the layer below them to read: what the SDK knows and the
//! request does not say. They may not know what becomes of it.

use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::client::{Plan, Shared};
use super::identity::credentials;
use super::rules::Kind;

/// On a request that is a read or a write: how it is treated, and who asks, where the SDK says so.
#[derive(Debug, Clone)]
pub(super) struct Marked {
    pub(super) plan: Arc<Plan>,
    pub(super) credentials: Option<Credentials>,
}

/// On a request: the caller wants it asked.
#[derive(Debug, Clone)]
pub(super) struct Unanswered;

/// Marks each attempt: what is written on a request before the retry loop is lost with the first one.
#[derive(Debug)]
pub(super) struct Mark(pub(super) Arc<Shared>);

#[dyn_dispatch_hint]
impl Intercept for Mark {
    fn name(&self) -> &'static str {
        "CachedClient"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(metadata) = config.load::<Metadata>() {
            let plan = self.0.plan(metadata.service(), metadata.name());
            if plan.kind != Kind::Other {
                let credentials = credentials(config);
                let marked = Marked { plan, credentials };
                context.request_mut().add_extension(marked);
            }
        }
        Ok(())
    }
}

/// An interceptor for a single call that wants the service's own answer: it is neither read from the cache
/// nor kept in it.
///
/// `client.list_users().customize().interceptor(NoCache).send()`, or on the configuration of an
/// `operation.customize().config_override(…)`. A write drops what it changes all the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCache;

#[dyn_dispatch_hint]
impl Intercept for NoCache {
    fn name(&self) -> &'static str {
        "NoCache"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().add_extension(Unanswered);
        Ok(())
    }
}
