//! The rules for the custom models of an account, and for enforced guardrails.

use aws_sdk_bedrock::types::{
    AccountEnforcedGuardrailInferenceInputConfiguration, ModelDataSource, OutputDataConfig,
    S3DataSource, TrainingDataConfig,
};

use crate::stage::World;

const LIST_DEPLOYMENTS: &str = "ListCustomModelDeployments";
const GET_DEPLOYMENT: &str = "GetCustomModelDeployment";

fn model_data() -> ModelDataSource {
    let source = S3DataSource::builder().s3_uri("s3://bucket/model");
    ModelDataSource::S3DataSource(source.build().unwrap())
}

impl World {
    async fn customize(&self, name: &str) -> String {
        let output = OutputDataConfig::builder().s3_uri("s3://bucket/output");
        let write = self.bedrock.create_model_customization_job();
        let write = write.job_name("job").custom_model_name(name).role_arn("r");
        let write = write.base_model_identifier("m");
        let write = write.training_data_config(TrainingDataConfig::builder().build());
        let write = write.output_data_config(output.build().unwrap());
        write.send().await.unwrap().job_arn
    }

    async fn stop(&self, job: &str) {
        let write = self.bedrock.stop_model_customization_job();
        write.job_identifier(job).send().await.unwrap();
    }

    async fn copy(&self, name: &str) {
        let write = self.bedrock.create_model_copy_job().source_model_arn("arn");
        write.target_model_name(name).send().await.unwrap();
    }

    async fn customized(&self) -> usize {
        let read = self.bedrock.list_custom_models().send().await.unwrap();
        read.model_summaries.unwrap_or_default().len()
    }

    async fn customized_model(&self, id: &str) -> Option<String> {
        let read = self.bedrock.get_custom_model().model_identifier(id);
        read.send().await.ok().map(|model| model.model_arn)
    }

    async fn deploy(&self, name: &str) -> String {
        let write = self.bedrock.create_custom_model_deployment();
        let write = write.model_deployment_name(name).model_arn("arn:model/1");
        write.send().await.unwrap().custom_model_deployment_arn
    }

    async fn deploy_another(&self, id: &str, model: &str) {
        let write = self.bedrock.update_custom_model_deployment();
        let write = write.custom_model_deployment_identifier(id);
        write.model_arn(model).send().await.unwrap();
    }

    async fn withdraw_deployment(&self, id: &str) {
        let write = self.bedrock.delete_custom_model_deployment();
        let write = write.custom_model_deployment_identifier(id);
        write.send().await.unwrap();
    }

    async fn deployed(&self) -> Vec<String> {
        let read = self.bedrock.list_custom_model_deployments();
        let found = read.send().await.unwrap().model_deployment_summaries;
        let found = found.unwrap_or_default().into_iter();
        found.map(|deployment| deployment.model_arn).collect()
    }

    async fn deployment(&self, id: &str) -> Option<String> {
        let read = self.bedrock.get_custom_model_deployment();
        let read = read.custom_model_deployment_identifier(id);
        read.send().await.ok().map(|found| found.model_arn)
    }

    async fn import(&self, name: &str) {
        let write = self.bedrock.create_model_import_job();
        let write = write.job_name("job").imported_model_name(name);
        let write = write.role_arn("r").model_data_source(model_data());
        write.send().await.unwrap();
    }

    async fn delete_imported(&self, id: &str) {
        let write = self.bedrock.delete_imported_model();
        write.model_identifier(id).send().await.unwrap();
    }

    async fn imported(&self) -> usize {
        let read = self.bedrock.list_imported_models().send().await.unwrap();
        read.model_summaries.unwrap_or_default().len()
    }

    async fn imported_model(&self, id: &str) -> Option<String> {
        let read = self.bedrock.get_imported_model().model_identifier(id);
        read.send().await.ok()?.model_arn
    }

    async fn enforce(&self, id: Option<&str>, guardrail: &str) -> String {
        let config = AccountEnforcedGuardrailInferenceInputConfiguration::builder();
        let config = config
            .guardrail_identifier(guardrail)
            .guardrail_version("1");
        let write = self.bedrock.put_enforced_guardrail_configuration();
        let write = write.guardrail_inference_config(config.build().unwrap());
        let write = write.set_config_id(id.map(Into::into));
        write.send().await.unwrap().config_id.unwrap()
    }

    async fn enforced(&self) -> Vec<Option<String>> {
        let read = self.bedrock.list_enforced_guardrails_configuration();
        let found = read.send().await.unwrap().guardrails_config.into_iter();
        found.map(|config| config.guardrail_id).collect()
    }
}

#[tokio::test]
async fn a_job_makes_a_custom_model() {
    let w = World::new();
    let list = "ListCustomModels";
    let customized = async || w.customized().await;
    w.is_invalidated_by(list, true, customized, w.customize("one"))
        .await;
    w.is_invalidated_by(list, true, customized, w.copy("two"))
        .await;
    let job = w.customize("three").await;
    assert!(w.customized_model("three").await.is_some());
    w.is_invalidated_by(list, true, customized, w.stop(&job))
        .await;
    assert_eq!(w.customized_model("three").await, None);
    w.survives(list, customized, w.import("four")).await;
}

#[tokio::test]
async fn a_deployment() {
    let w = World::new();
    let arn = w.deploy("one").await;
    let deployed = async || w.deployed().await;
    let (by_arn, by_name) = (
        async || w.deployment(&arn).await,
        async || w.deployment("one").await,
    );
    w.is_invalidated_by(LIST_DEPLOYMENTS, true, deployed, w.deploy("two"))
        .await;
    // By ARN and by name, whichever of them the change names.
    for (id, model) in [("one", "arn:model/2"), (arn.as_str(), "arn:model/3")] {
        let another = async |model: &str| w.deploy_another(id, model).await;
        w.is_invalidated_by(GET_DEPLOYMENT, true, by_arn, another(model))
            .await;
        w.is_invalidated_by(GET_DEPLOYMENT, true, by_name, another("arn:model/4"))
            .await;
        w.is_invalidated_by(LIST_DEPLOYMENTS, true, deployed, another(model))
            .await;
    }
    let gone = w.withdraw_deployment("one");
    w.is_invalidated_by(LIST_DEPLOYMENTS, true, deployed, gone)
        .await;
    assert_eq!((by_arn().await, by_name().await), (None, None));
    w.survives(LIST_DEPLOYMENTS, deployed, w.import("m")).await;
}

#[tokio::test]
async fn an_imported_model() {
    let w = World::new();
    let imported = async || w.imported().await;
    w.is_invalidated_by("ListImportedModels", true, imported, w.import("one"))
        .await;
    let arn = w.imported_model("one").await.unwrap();
    assert!(w.imported_model(&arn).await.is_some());
    let gone = w.delete_imported("one");
    w.is_invalidated_by("ListImportedModels", true, imported, gone)
        .await;
    assert_eq!(w.imported_model("one").await, None);
    assert_eq!(w.imported_model(&arn).await, None);
    w.survives("ListImportedModels", imported, w.copy("two"))
        .await;
}

#[tokio::test]
async fn an_enforced_guardrail() {
    let w = World::new();
    let list = "ListEnforcedGuardrailsConfiguration";
    let enforced = async || w.enforced().await;
    w.is_invalidated_by(list, true, enforced, w.enforce(None, "one"))
        .await;
    let id = w.enforce(None, "two").await;
    w.is_invalidated_by(list, true, enforced, w.enforce(Some(&id), "three"))
        .await;
    let update = w.bedrock.update_guardrail().guardrail_identifier("three");
    let update = update.name("g").blocked_input_messaging("no");
    let update = update.blocked_outputs_messaging("no").send();
    w.is_invalidated_by(list, false, enforced, update).await;
    let delete = w.bedrock.delete_enforced_guardrail_configuration();
    let delete = delete.config_id(&id).send();
    w.is_invalidated_by(list, true, enforced, delete).await;
    w.survives(list, enforced, w.copy("two")).await;
}
