//! A web service that answers how its catalog stands, and which id to send for a model from a region.
//!
//! `GET /health` is 200 as long as the service answers; `degraded` in it is for dashboards.
//! `GET /route/REGION/MODEL` is 200 with the route, or 404 with the catalog's error.
//! Run it as `docs/examples.md` says.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use bedrock_catalog::fetch::sdk_config_from_env;
use bedrock_catalog::{LiveCatalog, Policy, StatusReport};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = sdk_config_from_env().await;
    let live = LiveCatalog::builder()
        .sdk_config(&config)
        .from_env()?
        .build()?;
    // From here on it renews itself.
    live.load().await?;
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, app(live)).await?;
    Ok(())
}

/// The service around a catalog.
pub(crate) fn app(live: LiveCatalog) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/route/{region}/{model}", get(route))
        .with_state(live)
}

async fn health(State(live): State<LiveCatalog>) -> Json<StatusReport> {
    Json(live.status())
}

async fn route(
    State(live): State<LiveCatalog>,
    Path((region, model)): Path<(String, String)>,
) -> (StatusCode, Json<Value>) {
    match live
        .snapshot()
        .route(model.as_str(), region.as_str(), Policy::Geography)
    {
        Ok(route) => {
            let answer = json!({
                "inference_id": route.inference_id(),
                "kind": route.kind().as_str(),
                "destinations": route.destinations().to_string(),
            });
            (StatusCode::OK, Json(answer))
        }
        Err(error) => {
            let answer = json!({ "error": {
                "kind": error.kind().as_str(),
                "message": error.to_string(),
                "suggestions": error.suggestions(),
            } });
            (StatusCode::NOT_FOUND, Json(answer))
        }
    }
}
