//! Every relation of the rules for Bedrock: a REST service, whose things go by id, by name and by ARN.

use aws_sdk_bedrock::types::{
    InferenceProfileModelSource, LoggingConfig, ModelDataSource, S3DataSource,
};

use crate::stage::World;

impl World {
    /// Id and ARN.
    async fn guardrail(&self, name: &str) -> (String, String) {
        let made = self.bedrock.create_guardrail().name(name);
        let made = made
            .blocked_input_messaging("no")
            .blocked_outputs_messaging("no");
        let made = made.send().await.unwrap();
        (made.guardrail_id, made.guardrail_arn)
    }

    async fn guardrails(&self) -> usize {
        self.bedrock
            .list_guardrails()
            .send()
            .await
            .unwrap()
            .guardrails
            .len()
    }

    async fn described_guardrail(&self, id: &str) -> Option<String> {
        let guardrail = self
            .bedrock
            .get_guardrail()
            .guardrail_identifier(id)
            .send()
            .await;
        guardrail
            .ok()
            .and_then(|guardrail| guardrail.description.or(Some(guardrail.version)))
    }

    async fn update_guardrail(&self, id: &str, text: &str) {
        let write = self
            .bedrock
            .update_guardrail()
            .guardrail_identifier(id)
            .name("g");
        let write = write
            .blocked_input_messaging("no")
            .blocked_outputs_messaging("no");
        write.description(text).send().await.unwrap();
    }

    async fn profile(&self, name: &str) -> (String, String) {
        let source = InferenceProfileModelSource::CopyFrom(
            "arn:aws:bedrock:us-east-1::foundation-model/m".into(),
        );
        let made = self
            .bedrock
            .create_inference_profile()
            .inference_profile_name(name)
            .model_source(source);
        let arn = made.send().await.unwrap().inference_profile_arn;
        (arn.rsplit('/').next().unwrap().to_owned(), arn)
    }

    async fn profiles(&self) -> usize {
        let listed = self.bedrock.list_inference_profiles().send().await.unwrap();
        listed.inference_profile_summaries.unwrap_or_default().len()
    }

    async fn has_profile(&self, id: &str) -> bool {
        self.bedrock
            .get_inference_profile()
            .inference_profile_identifier(id)
            .send()
            .await
            .is_ok()
    }

    async fn throughput(&self, name: &str) -> String {
        let made = self
            .bedrock
            .create_provisioned_model_throughput()
            .model_units(1)
            .model_id("m");
        made.provisioned_model_name(name)
            .send()
            .await
            .unwrap()
            .provisioned_model_arn
    }

    async fn throughputs(&self) -> usize {
        let listed = self
            .bedrock
            .list_provisioned_model_throughputs()
            .send()
            .await
            .unwrap();
        listed.provisioned_model_summaries.unwrap_or_default().len()
    }

    async fn throughput_name(&self, id: &str) -> Option<String> {
        let found = self
            .bedrock
            .get_provisioned_model_throughput()
            .provisioned_model_id(id);
        found
            .send()
            .await
            .ok()
            .map(|found| found.provisioned_model_name)
    }

    async fn custom_model(&self, name: &str) -> String {
        let source = S3DataSource::builder().s3_uri("s3://bucket/model").build();
        let made = self.bedrock.create_custom_model().model_name(name);
        let made = made.model_source_config(ModelDataSource::S3DataSource(source.unwrap()));
        made.send().await.unwrap().model_arn
    }

    async fn custom_models(&self) -> usize {
        let listed = self.bedrock.list_custom_models().send().await.unwrap();
        listed.model_summaries.unwrap_or_default().len()
    }

    async fn has_custom_model(&self, id: &str) -> bool {
        self.bedrock
            .get_custom_model()
            .model_identifier(id)
            .send()
            .await
            .is_ok()
    }

    async fn logs_text(&self) -> Option<bool> {
        let config = self
            .bedrock
            .get_model_invocation_logging_configuration()
            .send()
            .await;
        config
            .unwrap()
            .logging_config
            .and_then(|config| config.text_data_delivery_enabled)
    }
}

#[tokio::test]
async fn a_guardrail() {
    let w = World::new();
    let ((one, arn), (other, _)) = (w.guardrail("one").await, w.guardrail("other").await);
    w.is_invalidated_by(
        "ListGuardrails",
        true,
        async || w.guardrails().await,
        w.guardrail("more"),
    )
    .await;
    w.is_invalidated_by(
        "GetGuardrail",
        true,
        async || w.described_guardrail(&one).await,
        w.update_guardrail(&one, "1"),
    )
    .await;
    w.survives(
        "GetGuardrail",
        async || w.described_guardrail(&other).await,
        w.update_guardrail(&one, "2"),
    )
    .await;
    // Read by ARN, changed by id; and the other way round.
    w.is_invalidated_by(
        "GetGuardrail",
        true,
        async || w.described_guardrail(&arn).await,
        w.update_guardrail(&one, "3"),
    )
    .await;
    w.is_invalidated_by(
        "GetGuardrail",
        true,
        async || w.described_guardrail(&one).await,
        w.update_guardrail(&arn, "4"),
    )
    .await;
    w.is_invalidated_by(
        "ListGuardrails",
        false,
        async || w.guardrails().await,
        w.update_guardrail(&one, "5"),
    )
    .await;
    let version = w
        .bedrock
        .create_guardrail_version()
        .guardrail_identifier(&other)
        .send();
    w.is_invalidated_by(
        "GetGuardrail",
        true,
        async || w.described_guardrail(&other).await,
        version,
    )
    .await;
    let deleted = w
        .bedrock
        .delete_guardrail()
        .guardrail_identifier(&one)
        .send();
    w.is_invalidated_by(
        "ListGuardrails",
        true,
        async || w.guardrails().await,
        deleted,
    )
    .await;
    assert_eq!(w.described_guardrail(&one).await, None);
    assert_eq!(w.described_guardrail(&arn).await, None);
}

#[tokio::test]
async fn an_inference_profile() {
    let w = World::new();
    let ((one, arn), (other, _)) = (w.profile("one").await, w.profile("other").await);
    w.is_invalidated_by(
        "ListInferenceProfiles",
        true,
        async || w.profiles().await,
        w.profile("more"),
    )
    .await;
    assert!(w.has_profile(&one).await && w.has_profile(&arn).await && w.has_profile(&other).await);
    let delete = |id: &str| {
        w.bedrock
            .delete_inference_profile()
            .inference_profile_identifier(id)
            .send()
    };
    w.is_invalidated_by(
        "ListInferenceProfiles",
        true,
        async || w.profiles().await,
        delete(&one),
    )
    .await;
    assert!(!w.has_profile(&one).await && !w.has_profile(&arn).await);
    w.survives(
        "GetInferenceProfile",
        async || w.has_profile(&other).await,
        w.profile("new"),
    )
    .await;
}

#[tokio::test]
async fn a_provisioned_throughput() {
    let w = World::new();
    let arn = w.throughput("one").await;
    w.is_invalidated_by(
        "ListProvisionedModelThroughputs",
        true,
        async || w.throughputs().await,
        w.throughput("two"),
    )
    .await;
    let rename = |id: &str, name: &str| {
        let write = w
            .bedrock
            .update_provisioned_model_throughput()
            .provisioned_model_id(id);
        write.desired_provisioned_model_name(name).send()
    };
    w.is_invalidated_by(
        "GetProvisionedModelThroughput",
        true,
        async || w.throughput_name(&arn).await,
        rename("one", "uno"),
    )
    .await;
    assert_eq!(w.throughput_name("uno").await.as_deref(), Some("uno"));
    rename(&arn, "eins").await.unwrap();
    assert_eq!(
        w.throughput_name("uno").await,
        None,
        "read by name, changed by ARN"
    );
    w.is_invalidated_by(
        "ListProvisionedModelThroughputs",
        false,
        async || w.throughputs().await,
        rename(&arn, "one"),
    )
    .await;
    let delete = w
        .bedrock
        .delete_provisioned_model_throughput()
        .provisioned_model_id(&arn)
        .send();
    w.is_invalidated_by(
        "ListProvisionedModelThroughputs",
        true,
        async || w.throughputs().await,
        delete,
    )
    .await;
    assert_eq!(w.throughput_name(&arn).await, None);
}

#[tokio::test]
async fn a_custom_model() {
    let w = World::new();
    let arn = w.custom_model("one").await;
    w.is_invalidated_by(
        "ListCustomModels",
        true,
        async || w.custom_models().await,
        w.custom_model("two"),
    )
    .await;
    assert!(w.has_custom_model("one").await && w.has_custom_model(&arn).await);
    let delete = w
        .bedrock
        .delete_custom_model()
        .model_identifier("one")
        .send();
    w.is_invalidated_by(
        "ListCustomModels",
        true,
        async || w.custom_models().await,
        delete,
    )
    .await;
    assert!(!w.has_custom_model("one").await && !w.has_custom_model(&arn).await);
}

#[tokio::test]
async fn the_logging_configuration() {
    let w = World::new();
    let config = LoggingConfig::builder()
        .text_data_delivery_enabled(true)
        .build();
    let put = w
        .bedrock
        .put_model_invocation_logging_configuration()
        .logging_config(config)
        .send();
    let read = async || w.logs_text().await;
    w.is_invalidated_by("GetModelInvocationLoggingConfiguration", true, read, put)
        .await;
    let delete = w
        .bedrock
        .delete_model_invocation_logging_configuration()
        .send();
    w.is_invalidated_by("GetModelInvocationLoggingConfiguration", true, read, delete)
        .await;
}
