//! `Converse`, as far as a catalog's user meets it: an id that can be called from the region is
//! answered, and one that cannot gets AWS's own error.

use bedrock_catalog::recording::RegionAnswers;
use serde_json::json;

use super::protocol::Reply;

/// The answer to `POST /model/ID/converse` in a region that answered so.
pub(super) fn answer(path: &str, region: &RegionAnswers) -> Reply {
    let id = path
        .strip_prefix("/model/")
        .and_then(|path| path.strip_suffix("/converse"))
        .unwrap_or_default();
    // An ARN is called by what it names.
    let id = id.rsplit_once("foundation-model/").map_or(id, |(_, id)| id);
    let id = id
        .rsplit_once("inference-profile/")
        .map_or(id, |(_, id)| id);
    let profile = region
        .profiles
        .iter()
        .any(|profile| profile.inference_profile_id == id);
    let row = region.models.iter().find(|model| model.model_id == id);
    let on_demand = row.is_some_and(|row| {
        let ways = row.inference_types_supported.as_deref().unwrap_or_default();
        ways.iter().any(|way| way == "ON_DEMAND")
    });
    if profile || on_demand {
        return Reply::json(
            200,
            &json!({
                "output": { "message": { "role": "assistant", "content": [{ "text": format!("Hello from {id}.") }] } },
                "stopReason": "end_turn",
                "usage": { "inputTokens": 1, "outputTokens": 3, "totalTokens": 4 },
                "metrics": { "latencyMs": 1 },
            }),
        );
    }
    let suffix = format!(".{id}");
    let through_profile = region
        .profiles
        .iter()
        .any(|profile| profile.inference_profile_id.ends_with(&suffix));
    if row.is_some() || through_profile {
        let message = format!(
            "Invocation of model ID {id} with on-demand throughput isn\u{2019}t supported. Retry your request \
             with the ID or ARN of an inference profile that contains this model."
        );
        return Reply::error(400, "ValidationException", &message);
    }
    Reply::error(
        400,
        "ValidationException",
        "The provided model identifier is invalid.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;

    #[test]
    fn ids_are_answered_as_aws_answers_them() {
        let recording = synthetic::recording(&["us-east-1"], 4, 4);
        let region = &recording.regions["us-east-1"];
        let profile_only = "Retry your request with the ID or ARN of an inference profile";
        for (id, status, says) in [
            ("maker.model-2-v1:0", 200, "Hello from maker.model-2-v1:0."),
            ("us.maker.model-1-v1:0", 200, "Hello"),
            (
                "arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.maker.model-1-v1:0",
                200,
                "Hello",
            ),
            ("maker.model-1-v1:0", 400, profile_only),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/maker.model-3-v1:0",
                400,
                profile_only,
            ),
            ("eu.maker.model-1-v1:0", 400, "identifier is invalid"),
            ("", 400, "identifier is invalid"),
        ] {
            let reply = answer(&format!("/model/{id}/converse"), region);
            let body = String::from_utf8_lossy(&reply.body);
            assert_eq!(reply.status, status, "{id}: {body}");
            assert!(body.contains(says), "{id}: {body}");
        }
    }
}
