//! The router: an interceptor of Bedrock clients that replaces a model id which only an inference
//! profile serves. It looks the id up in a catalog, without I/O.

use std::fmt;
use std::sync::Arc;

use aws_sdk_bedrockruntime::config::interceptors::BeforeSerializationInterceptorContextMut;
use aws_sdk_bedrockruntime::config::{ConfigBag, Intercept, Region, RuntimeComponents};
use aws_sdk_bedrockruntime::error::BoxError;
use aws_sdk_bedrockruntime::operation::converse::ConverseInput;
use aws_sdk_bedrockruntime::operation::converse_stream::ConverseStreamInput;
use aws_sdk_bedrockruntime::operation::invoke_model::InvokeModelInput;
use aws_sdk_bedrockruntime::operation::invoke_model_with_response_stream::InvokeModelWithResponseStreamInput;
use bedrock_catalog_data::{Catalog, Policy, QueryError};

use crate::live::LiveCatalog;
use bedrock_catalog_recording::redact;

/// A holder of a catalog: `&'static Catalog`, `Arc<Catalog>`, [`LiveCatalog`].
pub trait HasCatalog: fmt::Debug + Send + Sync + 'static {
    /// Calls `ask` with the current catalog. Must not block.
    fn with_catalog<R>(&self, ask: impl FnOnce(&Catalog) -> R) -> R;
}

impl HasCatalog for &'static Catalog {
    fn with_catalog<R>(&self, ask: impl FnOnce(&Catalog) -> R) -> R {
        ask(self)
    }
}

impl HasCatalog for Arc<Catalog> {
    fn with_catalog<R>(&self, ask: impl FnOnce(&Catalog) -> R) -> R {
        ask(self)
    }
}

/// The current snapshot; never waits. The router is a handle, and so keeps the catalog renewing.
impl HasCatalog for LiveCatalog {
    fn with_catalog<R>(&self, ask: impl FnOnce(&Catalog) -> R) -> R {
        ask(&self.snapshot())
    }
}

/// An interceptor for `aws-sdk-bedrockruntime` that sends an inference profile's id in place of the
/// id of a model that only profiles serve, as the policy allows.
///
/// - **Which requests:** `Converse`, `ConverseStream`, `InvokeModel`, `InvokeModelWithResponseStream`.
/// - **Which ids:** the exact id of a model of the catalog that the region does not offer on demand.
///   Ids that work as they are, profile ids, ARNs and unknown ids go out unchanged. So the policy picks
///   among profiles; it does not forbid a call on demand.
/// - **Which region:** that of the request's configuration: the client's, or an operation's override.
/// - **How often:** once for each request, before it is serialized; retries repeat the id.
/// - **Without a route:** the id goes out unchanged, and one WARN says what would allow a route. With [`fail_without_route`](Self::fail_without_route) the request fails before it is sent.
///
/// ```
/// # #[cfg(feature = "bundle")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use aws_sdk_bedrockruntime::config::{BehaviorVersion, Region};
/// use bedrock_catalog::{Catalog, Policy, RouterInterceptor};
///
/// let router = RouterInterceptor::new(Catalog::bundled(), Policy::Geography);
/// let routed = router.route("anthropic.claude-sonnet-4-6", "eu-central-1")?;
/// assert_eq!(routed.as_deref(), Some("eu.anthropic.claude-sonnet-4-6"));
/// assert_eq!(router.route("amazon.nova-pro-v1:0", "eu-west-2")?, None, "works as it is");
///
/// let config = aws_sdk_bedrockruntime::Config::builder()
///     .behavior_version(BehaviorVersion::latest())
///     .region(Region::new("eu-central-1"))
///     .interceptor(router)
///     .build();
/// let client = aws_sdk_bedrockruntime::Client::from_conf(config);
/// # drop(client);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "bundle"))]
/// # fn main() {}
/// ```
#[derive(Debug, Clone)]
pub struct RouterInterceptor<C> {
    catalog: C,
    policy: Policy<'static>,
    /// In place of the policy, where there are any.
    within: Option<Vec<String>>,
    fail_without_route: bool,
}

impl<C: HasCatalog> RouterInterceptor<C> {
    /// A router with a policy. For regions known only at run time see [`within`](Self::within).
    #[must_use]
    pub fn new(catalog: C, policy: Policy<'static>) -> Self {
        Self {
            catalog,
            policy,
            within: None,
            fail_without_route: false,
        }
    }

    /// A router with [`Policy::Within`] and owned regions.
    ///
    /// ```
    /// # #[cfg(feature = "bundle")] {
    /// use bedrock_catalog::{Catalog, RouterInterceptor};
    ///
    /// let allowed: Vec<String> = ["eu-*", "il-central-1"].map(String::from).into();
    /// let router = RouterInterceptor::within(Catalog::bundled(), allowed);
    /// let routed = router.route("anthropic.claude-sonnet-4-6", "eu-west-1")?;
    /// assert_eq!(routed.as_deref(), Some("eu.anthropic.claude-sonnet-4-6"));
    /// # }
    /// # Ok::<(), bedrock_catalog::QueryError>(())
    /// ```
    #[must_use]
    pub fn within<R: Into<String>>(catalog: C, regions: impl IntoIterator<Item = R>) -> Self {
        Self {
            within: Some(regions.into_iter().map(Into::into).collect()),
            ..Self::new(catalog, Policy::Within(&[]))
        }
    }

    /// Fails a request for a model without a route before it is sent, with the catalog's error as a
    /// source of the SDK's.
    #[must_use]
    pub fn fail_without_route(mut self) -> Self {
        self.fail_without_route = true;
        self
    }

    /// The id to send in place of this one from a region; `None` where it stays.
    ///
    /// # Errors
    /// The id is a model's that the region does not offer on demand, and the policy has no route to it.
    pub fn route(&self, id: &str, region: &str) -> Result<Option<String>, QueryError> {
        // An ARN can be called as it is, also where an overlay has a model of that name.
        if id.starts_with("arn:") {
            return Ok(None);
        }
        self.catalog.with_catalog(|catalog| {
            let Some(model) = catalog.model(id).filter(|_| catalog.profile(id).is_none()) else {
                return Ok(None);
            };
            let access = model.access(region);
            if access.and_then(|access| access.on_demand()) == Some(true) {
                return Ok(None);
            }
            let route = match &self.within {
                None => model.route(region, self.policy)?,
                Some(regions) => {
                    let regions: Vec<&str> = regions.iter().map(String::as_str).collect();
                    model.route(region, Policy::Within(&regions))?
                }
            };
            let sent = route.inference_id();
            Ok((sent != id).then(|| sent.to_owned()))
        })
    }
}

impl<C: HasCatalog> Intercept for RouterInterceptor<C> {
    fn name(&self) -> &'static str {
        "BedrockCatalogRouter"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // A request without a region fails with the SDK's own error.
        let (Some(id), Some(region)) = (model_id(context), config.load::<Region>()) else {
            return Ok(());
        };
        let region = region.as_ref();
        match self.route(id, region) {
            Ok(None) => {}
            Ok(Some(sent)) => {
                // Ids of an overlay may name an account.
                tracing::debug!(model = %redact(id), region, sent = %redact(&sent), "routed");
                *id = sent;
            }
            Err(error) if self.fail_without_route => return Err(error.into()),
            Err(error) => {
                let (model, error) = (redact(id), error.to_string());
                let error = redact(&error);
                tracing::warn!(%model, region, %error, "no route: the model id is sent as it is");
            }
        }
        Ok(())
    }
}

/// The model id of a request that can be routed.
fn model_id<'a>(
    context: &'a mut BeforeSerializationInterceptorContextMut<'_>,
) -> Option<&'a mut String> {
    let input = context.input_mut();
    macro_rules! of {
        ($($operation:ty),+) => {
            $(if input.downcast_ref::<$operation>().is_some() {
                return input.downcast_mut::<$operation>()?.model_id.as_mut();
            })+
        };
    }
    of!(
        ConverseInput,
        ConverseStreamInput,
        InvokeModelInput,
        InvokeModelWithResponseStreamInput
    );
    None
}
