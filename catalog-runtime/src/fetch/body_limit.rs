//! A bound on the bytes that a region may answer with, enforced on each response body.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use aws_sdk_bedrock::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, InterceptorContext,
};
use aws_sdk_bedrock::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_bedrock::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_bedrock::error::BoxError;
use aws_smithy_runtime_api::client::retries::classifiers::RetryClassifierPriority;
use aws_smithy_types::body::SdkBody;
use http_body::{Body, Frame, SizeHint};

use super::fault::caused_by;

/// The region has answered with more bytes than allowed.
#[derive(Debug)]
pub(super) struct TooLarge;

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer is larger than allowed")
    }
}

impl StdError for TooLarge {}

/// Meters the bodies of all answers of one region, retries and pages together.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    left: Arc<AtomicU64>,
}

impl Meter {
    pub(super) fn new(bytes: u64) -> Self {
        Self {
            left: Arc::new(AtomicU64::new(bytes)),
        }
    }
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "ResponseMeter"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        let inner = std::mem::replace(body, SdkBody::taken());
        let left = Arc::clone(&self.left);
        *body = SdkBody::from_body_1_x(Metered {
            inner: Box::pin(inner),
            left,
        });
        Ok(())
    }
}

/// A retry would only fetch the same flood again.
impl ClassifyRetry for Meter {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.output_or_error() {
            Some(Err(error)) if caused_by::<TooLarge>(error) => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "ResponseMeter"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

struct Metered {
    inner: Pin<Box<SdkBody>>,
    left: Arc<AtomicU64>,
}

impl Body for Metered {
    type Data = <SdkBody as Body>::Data;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, BoxError>>> {
        let polled = self.inner.as_mut().poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            let length = data.len() as u64;
            let take = |left: u64| left.checked_sub(length);
            if self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_err()
            {
                self.left.store(0, Ordering::Relaxed);
                return Poll::Ready(Some(Err(TooLarge.into())));
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&*self.inner)
    }
}
