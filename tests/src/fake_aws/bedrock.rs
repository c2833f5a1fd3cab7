//! Bedrock: the resources of an account.

use serde_json::{Value, json};

use super::state::{MISSING, Outcome, Shelf, State, part, text};

/// The operation of a REST request, as far as there is one.
pub(super) fn operation(method: &str, path: &str) -> Option<&'static str> {
    let path = path.strip_prefix("/model-customization/").unwrap_or(path);
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let (kind, id) = (parts.next()?, parts.next().is_some());
    Some(match (method, kind, id) {
        ("POST", "guardrails", false) => "CreateGuardrail",
        ("GET", "guardrails", false) => "ListGuardrails",
        ("GET", "guardrails", true) => "GetGuardrail",
        ("PUT", "guardrails", true) => "UpdateGuardrail",
        ("POST", "guardrails", true) => "CreateGuardrailVersion",
        ("DELETE", "guardrails", true) => "DeleteGuardrail",
        ("POST", "inference-profiles", false) => "CreateInferenceProfile",
        ("GET", "inference-profiles", false) => "ListInferenceProfiles",
        ("GET", "inference-profiles", true) => "GetInferenceProfile",
        ("DELETE", "inference-profiles", true) => "DeleteInferenceProfile",
        ("POST", "provisioned-model-throughput", false) => "CreateProvisionedModelThroughput",
        ("GET", "provisioned-model-throughputs", false) => "ListProvisionedModelThroughputs",
        ("GET", "provisioned-model-throughput", true) => "GetProvisionedModelThroughput",
        ("PATCH", "provisioned-model-throughput", true) => "UpdateProvisionedModelThroughput",
        ("DELETE", "provisioned-model-throughput", true) => "DeleteProvisionedModelThroughput",
        ("POST", "custom-models", true) => "CreateCustomModel",
        ("GET", "custom-models", false) => "ListCustomModels",
        ("GET", "custom-models", true) => "GetCustomModel",
        ("DELETE", "custom-models", true) => "DeleteCustomModel",
        ("POST", "model-customization-jobs", false) => "CreateModelCustomizationJob",
        ("POST", "model-customization-jobs", true) => "StopModelCustomizationJob",
        ("POST", "model-copy-jobs", false) => "CreateModelCopyJob",
        ("POST", "custom-model-deployments", false) => "CreateCustomModelDeployment",
        ("GET", "custom-model-deployments", false) => "ListCustomModelDeployments",
        ("GET", "custom-model-deployments", true) => "GetCustomModelDeployment",
        ("PATCH", "custom-model-deployments", true) => "UpdateCustomModelDeployment",
        ("DELETE", "custom-model-deployments", true) => "DeleteCustomModelDeployment",
        ("POST", "model-import-jobs", false) => "CreateModelImportJob",
        ("GET", "imported-models", false) => "ListImportedModels",
        ("GET", "imported-models", true) => "GetImportedModel",
        ("DELETE", "imported-models", true) => "DeleteImportedModel",
        ("PUT", "enforcedGuardrailsConfiguration", false) => "PutEnforcedGuardrailConfiguration",
        ("GET", "enforcedGuardrailsConfiguration", false) => "ListEnforcedGuardrailsConfiguration",
        ("DELETE", "enforcedGuardrailsConfiguration", true) => {
            "DeleteEnforcedGuardrailConfiguration"
        }
        ("POST", "async-invoke", false) => "StartAsyncInvoke",
        ("GET", "async-invoke", false) => "ListAsyncInvokes",
        ("PUT", "logging", true) => "PutModelInvocationLoggingConfiguration",
        ("GET", "logging", true) => "GetModelInvocationLoggingConfiguration",
        ("DELETE", "logging", true) => "DeleteModelInvocationLoggingConfiguration",
        _ => return None,
    })
}

impl State {
    pub(super) fn bedrock(&mut self, operation: &str, path: &str, input: &Value) -> Outcome {
        // By id or by ARN, whose last part is the id.
        let id = path.trim_end_matches("/stop").rsplit('/').next();
        let id = id.unwrap_or_default();
        match operation {
            "CreateGuardrail" => {
                let id = self.id("gr");
                let arn = arn("guardrail", &id);
                let thing = json!({ "id": id, "guardrailId": id, "arn": arn, "guardrailArn": arn,
                    "name": part(input, "name"), "description": part(input, "description"), "status": "READY",
                    "version": "DRAFT", "createdAt": TIME, "updatedAt": TIME });
                self.guardrails.put(&id, thing.clone());
                Ok(thing)
            }
            "ListGuardrails" => Ok(json!({ "guardrails": self.guardrails.all() })),
            "GetGuardrail" => self.guardrails.get(id),
            "UpdateGuardrail" => {
                self.guardrails
                    .change(id, "description", part(input, "description"))?;
                self.guardrails.get(id)
            }
            "CreateGuardrailVersion" => {
                self.guardrails.change(id, "version", json!("1"))?;
                Ok(json!({ "guardrailId": id, "version": "1" }))
            }
            "DeleteGuardrail" => self.guardrails.remove(id),
            "CreateInferenceProfile" => {
                let id = self.id("ip");
                let arn = arn("application-inference-profile", &id);
                let thing = json!({ "inferenceProfileId": id, "inferenceProfileArn": arn, "models": [],
                    "inferenceProfileName": part(input, "inferenceProfileName"), "status": "ACTIVE",
                    "type": "APPLICATION" });
                self.inference_profiles.put(&id, thing.clone());
                Ok(thing)
            }
            "ListInferenceProfiles" => {
                Ok(json!({ "inferenceProfileSummaries": self.inference_profiles.all() }))
            }
            "GetInferenceProfile" => self.inference_profiles.get(id),
            "DeleteInferenceProfile" => self.inference_profiles.remove(id),
            "CreateProvisionedModelThroughput" => {
                let id = self.id("pt");
                let thing = json!({ "provisionedModelName": part(input, "provisionedModelName"),
                    "provisionedModelArn": arn("provisioned-model", &id), "modelUnits": 1,
                    "desiredModelUnits": 1, "status": "InService", "creationTime": TIME,
                    "lastModifiedTime": TIME });
                self.throughputs.put(&id, thing.clone());
                Ok(thing)
            }
            "ListProvisionedModelThroughputs" => {
                Ok(json!({ "provisionedModelSummaries": self.throughputs.all() }))
            }
            "GetProvisionedModelThroughput" => self
                .throughputs
                .get(&self.throughputs.by("/provisionedModelName", id)),
            "UpdateProvisionedModelThroughput" => {
                let id = self.throughputs.by("/provisionedModelName", id);
                let name = part(input, "desiredProvisionedModelName");
                self.throughputs.change(&id, "provisionedModelName", name)?;
                Ok(json!({}))
            }
            "DeleteProvisionedModelThroughput" => {
                let id = self.throughputs.by("/provisionedModelName", id);
                self.throughputs.remove(&id)
            }
            // A job is done at once, and has the id of its model.
            "CreateCustomModel" | "CreateModelCopyJob" | "CreateModelCustomizationJob" => {
                let id = self.id("cm");
                let names = ["modelName", "targetModelName", "customModelName"];
                let name = names.iter().find_map(|name| input.get(name));
                let thing = json!({ "modelName": name, "modelArn": arn("custom-model", &id),
                    "jobArn": arn("model-customization-job", &id), "creationTime": TIME,
                    "modelStatus": "Active" });
                self.custom_models.put(&id, thing.clone());
                Ok(thing)
            }
            "StopModelCustomizationJob" => self.custom_models.remove(id),
            "ListCustomModels" => Ok(json!({ "modelSummaries": self.custom_models.all() })),
            "GetCustomModel" => self
                .custom_models
                .get(&self.custom_models.by("/modelName", id)),
            "DeleteCustomModel" => {
                let id = self.custom_models.by("/modelName", id);
                self.custom_models.remove(&id)
            }
            "CreateCustomModelDeployment" => {
                let id = self.id("cd");
                let name = part(input, "modelDeploymentName");
                let thing = json!({ "customModelDeploymentName": name, "modelDeploymentName": name,
                    "customModelDeploymentArn": arn("custom-model-deployment", &id), "createdAt": TIME,
                    "modelArn": part(input, "modelArn"), "status": "Active" });
                self.deployments.put(&id, thing.clone());
                Ok(thing)
            }
            "ListCustomModelDeployments" => {
                Ok(json!({ "modelDeploymentSummaries": self.deployments.all() }))
            }
            "GetCustomModelDeployment" => self
                .deployments
                .get(&self.deployments.by("/modelDeploymentName", id)),
            "UpdateCustomModelDeployment" => {
                let id = self.deployments.by("/modelDeploymentName", id);
                self.deployments
                    .change(&id, "modelArn", part(input, "modelArn"))?;
                self.deployments.get(&id)
            }
            "DeleteCustomModelDeployment" => {
                let id = self.deployments.by("/modelDeploymentName", id);
                self.deployments.remove(&id)
            }
            "CreateModelImportJob" => {
                let id = self.id("im");
                let thing = json!({ "modelName": part(input, "importedModelName"), "creationTime": TIME,
                    "modelArn": arn("imported-model", &id), "jobArn": arn("model-import-job", &id) });
                self.imported_models.put(&id, thing.clone());
                Ok(thing)
            }
            "ListImportedModels" => Ok(json!({ "modelSummaries": self.imported_models.all() })),
            "GetImportedModel" => self
                .imported_models
                .get(&self.imported_models.by("/modelName", id)),
            "DeleteImportedModel" => {
                let id = self.imported_models.by("/modelName", id);
                self.imported_models.remove(&id)
            }
            "PutEnforcedGuardrailConfiguration" => {
                let given = text(input, "/configId").to_owned();
                let id = if given.is_empty() {
                    self.id("eg")
                } else {
                    given
                };
                let of = part(input, "guardrailInferenceConfig");
                let thing = json!({ "configId": id, "updatedAt": TIME, "updatedBy": "u",
                    "guardrailId": part(&of, "guardrailIdentifier"),
                    "guardrailVersion": part(&of, "guardrailVersion") });
                self.enforced.put(&id, thing.clone());
                Ok(thing)
            }
            "ListEnforcedGuardrailsConfiguration" => {
                Ok(json!({ "guardrailsConfig": self.enforced.all() }))
            }
            "DeleteEnforcedGuardrailConfiguration" => self.enforced.remove(id),
            "StartAsyncInvoke" => {
                let id = self.id("ai");
                let thing = json!({ "invocationArn": arn("async-invoke", &id), "submitTime": TIME,
                    "modelArn": part(input, "modelId"), "status": "Completed",
                    "outputDataConfig": part(input, "outputDataConfig") });
                self.async_invokes.put(&id, thing.clone());
                Ok(thing)
            }
            "ListAsyncInvokes" => Ok(json!({ "asyncInvokeSummaries": self.async_invokes.all() })),
            "PutModelInvocationLoggingConfiguration" => {
                self.logging = Some(part(input, "loggingConfig"));
                Ok(json!({}))
            }
            "GetModelInvocationLoggingConfiguration" => {
                let logging = self.logging.clone();
                Ok(logging.map_or(json!({}), |config| json!({ "loggingConfig": config })))
            }
            "DeleteModelInvocationLoggingConfiguration" => {
                self.logging = None;
                Ok(json!({}))
            }
            _ => Err(MISSING),
        }
    }
}

impl Shelf {
    /// The id of the resource with this name, or the name.
    fn by(&self, pointer: &str, name: &str) -> String {
        let named = self.like(|thing| text(thing, pointer) == name);
        let arn = named.first().and_then(|thing| {
            let arns = [
                "/provisionedModelArn",
                "/customModelDeploymentArn",
                "/modelArn",
            ];
            arns.iter()
                .map(|at| text(thing, at))
                .find(|arn| !arn.is_empty())
        });
        let id = arn.and_then(|arn| arn.rsplit('/').next()).unwrap_or(name);
        id.to_owned()
    }
}

const TIME: &str = "2026-01-01T00:00:00Z";

fn arn(kind: &str, id: &str) -> String {
    format!("arn:aws:bedrock:us-east-1::{kind}/{id}")
}
