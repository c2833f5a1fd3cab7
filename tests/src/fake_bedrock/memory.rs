//! The stage behind the SDK's own HTTP interface, without a socket: for tests on a paused clock, and
//! for thousands of fetches.

use std::future::pending;
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

use super::body::{Delivery, ReplyBody};
use super::protocol::{Ask, Reply};
use super::stage::Stage;

/// A stage as an HTTP client of the SDK.
#[derive(Debug, Clone)]
pub struct Memory {
    stage: Arc<Stage>,
}

impl Memory {
    /// Puts a stage behind the SDK.
    pub fn new(stage: Stage) -> Self {
        Self {
            stage: Arc::new(stage),
        }
    }

    /// The stage.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// An SDK configuration that sends everything here.
    pub fn sdk_config(&self) -> SdkConfig {
        sdk_config()
            .into_builder()
            .http_client(self.clone())
            .build()
    }
}

/// An SDK configuration with made-up credentials and nothing from the environment.
pub fn sdk_config() -> SdkConfig {
    let credentials =
        Credentials::new("AKIDEXAMPLE", "secret", None, None, "bedrock-catalog-tests");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

impl HttpClient for Memory {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// Leaves the gauge also where the request is given up.
struct InFlight(Arc<Stage>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.gauge().leave();
    }
}

impl HttpConnector for Memory {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let uri = request.uri();
        let target = uri
            .find("://")
            .and_then(|at| uri.get(at + 3..))
            .unwrap_or(uri);
        let target = target
            .find('/')
            .and_then(|at| target.get(at..))
            .unwrap_or("/");
        let ask = Ask::new(
            request.method(),
            target,
            request.headers().get("authorization"),
        );
        let stage = Arc::clone(&self.stage);
        HttpConnectorFuture::new(async move {
            stage.gauge().enter();
            let _in_flight = InFlight(Arc::clone(&stage));
            let reply = stage.answer(&ask);
            if !reply.delay.is_zero() {
                tokio::time::sleep(reply.delay).await;
            }
            if reply.delivery == Delivery::Never {
                pending::<()>().await;
            }
            respond(reply)
        })
    }
}

fn respond(reply: Reply) -> Result<HttpResponse, ConnectorError> {
    let status = reply.status.try_into();
    let status = status.map_err(|error| ConnectorError::other(Box::new(error), None))?;
    let body = match reply.delivery {
        Delivery::Whole => SdkBody::from(reply.body.clone()),
        delivery => SdkBody::from_body_1_x(ReplyBody::new(reply.body.clone(), delivery)),
    };
    let mut response = HttpResponse::new(status, body);
    for (name, value) in reply.headers() {
        response.headers_mut().insert(name, value.to_owned());
    }
    Ok(response)
}
