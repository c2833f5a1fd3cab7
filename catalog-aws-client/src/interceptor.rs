//! The interceptors. One adds the operation and the caller to a request, and removes stored responses that
//! the SDK cannot deserialize.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use aws_smithy_runtime::client::sdk_feature::SmithySdkFeature;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use bedrock_catalog_cache::{Key, Namespace};

use crate::client::{Plan, Shared};
use crate::identity::Caller;
use crate::rules::Kind;

/// An extension of a request: how it is treated, and the caller if the SDK says so.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) plan: Arc<Plan>,
    pub(crate) caller: Option<Caller>,
}

/// An extension of a request that goes past the cache.
#[derive(Debug, Clone)]
pub(crate) struct Bypass;

/// An extension of the response to a read or a write: the connector has seen it. It names the entry that
/// the response was read from or stored in.
#[derive(Debug, Clone)]
pub(crate) struct Handled(pub(crate) Option<(Namespace, Key)>);

/// The interceptor of a [`CachedClient`](crate::CachedClient).
#[derive(Debug)]
pub(crate) struct Interceptor(pub(crate) Arc<Shared>);

#[dyn_dispatch_hint]
impl Intercept for Interceptor {
    fn name(&self) -> &'static str {
        "CachedClient"
    }

    /// Runs for each attempt: an extension that is set before the retry loop is lost with the first one.
    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(plan) = self.plan(config) else {
            return Ok(());
        };
        let caller = match plan.kind {
            Kind::Neutral => None,
            Kind::Read | Kind::Write => self.0.caller(config),
        };
        let request = context.request_mut();
        request.add_extension(Call { plan, caller });
        // A waiter calls until the answer is another one.
        let mut features = config.load::<SmithySdkFeature>();
        if features.any(|feature| *feature == SmithySdkFeature::Waiter) {
            request.add_extension(Bypass);
        }
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match context.response().extension::<Handled>() {
            Some(Handled(Some((namespace, key)))) if context.output_or_error().is_err() => {
                tracing::debug!(%key, "a stored response is removed: the SDK cannot deserialize it");
                let cache = self.0.cache.in_namespace(*namespace);
                // One poll removes it from local tiers, and starts the removal from others on a thread for
                // blocking work.
                let removal = pin!(cache.remove_async(key));
                let _ = removal.poll(&mut Context::from_waker(Waker::noop()));
            }
            Some(_) => {}
            None if self
                .plan(config)
                .is_some_and(|plan| plan.kind != Kind::Neutral) =>
            {
                self.0
                    .warn("the client has the interceptor, but not the HTTP client");
            }
            None => {}
        }
        Ok(())
    }
}

impl Interceptor {
    fn plan(&self, config: &ConfigBag) -> Option<Arc<Plan>> {
        let metadata = config.load::<Metadata>()?;
        Some(self.0.plan(metadata.service(), metadata.name()))
    }
}

/// An interceptor for a single call that needs the answer of the service: it is neither read from the
/// cache nor stored. A write invalidates all the same.
///
/// ```no_run
/// # async fn example(client: aws_sdk_bedrock::Client) -> Result<(), aws_sdk_bedrock::Error> {
/// use bedrock_catalog_aws_client::NoCache;
///
/// client.list_guardrails().customize().interceptor(NoCache).send().await?;
/// # Ok(())
/// # }
/// ```
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
        context.request_mut().add_extension(Bypass);
        Ok(())
    }
}
