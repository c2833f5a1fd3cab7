//! SSO Admin: permission sets, and who has which in what account.

use serde_json::{Value, json};

use super::state::{IDENTITY_STORE, INSTANCE, MISSING, Outcome, State, part, text, with};

impl State {
    pub(super) fn sso_admin(&mut self, operation: &str, input: &Value) -> Outcome {
        if operation == "ListInstances" {
            let instance = json!({ "InstanceArn": INSTANCE, "IdentityStoreId": IDENTITY_STORE });
            return Ok(json!({ "Instances": [instance] }));
        }
        if text(input, "/InstanceArn") != INSTANCE {
            return Err(MISSING);
        }
        let set = text(input, "/PermissionSetArn");
        match operation {
            "CreatePermissionSet" => {
                let id = self.id("ps-");
                let instance = INSTANCE.rsplit('/').next().unwrap_or_default();
                let arn = format!("arn:aws:sso:::permissionSet/{instance}/{id}");
                let thing = with(input, "PermissionSetArn", &arn);
                self.permission_sets.put(&arn, thing.clone());
                Ok(json!({ "PermissionSet": thing }))
            }
            "DescribePermissionSet" => {
                Ok(json!({ "PermissionSet": self.permission_sets.get(set)? }))
            }
            "UpdatePermissionSet" => {
                let description = part(input, "Description");
                self.permission_sets
                    .change(set, "Description", description)?;
                Ok(json!({}))
            }
            "DeletePermissionSet" => {
                self.assignments
                    .retain(|a| text(a, "/PermissionSetArn") != set);
                self.permission_sets.remove(set)
            }
            "ListPermissionSets" => {
                let all = self.permission_sets.all();
                let arns: Vec<_> = all
                    .iter()
                    .map(|set| part(set, "PermissionSetArn"))
                    .collect();
                Ok(json!({ "PermissionSets": arns }))
            }
            "PutInlinePolicyToPermissionSet" => {
                let policy = part(input, "InlinePolicy");
                self.permission_sets.change(set, "InlinePolicy", policy)?;
                Ok(json!({}))
            }
            "DeleteInlinePolicyFromPermissionSet" => {
                self.permission_sets
                    .change(set, "InlinePolicy", json!(""))?;
                Ok(json!({}))
            }
            "GetInlinePolicyForPermissionSet" => {
                Ok(json!({ "InlinePolicy": part(&self.permission_sets.get(set)?, "InlinePolicy") }))
            }
            "ProvisionPermissionSet" => {
                let status =
                    json!({ "Status": "SUCCEEDED", "PermissionSetArn": set, "RequestId": "r" });
                Ok(json!({ "PermissionSetProvisioningStatus": status }))
            }
            "CreateAccountAssignment" => {
                self.permission_sets.get(set)?;
                self.assignments.push(json!({
                    "AccountId": part(input, "TargetId"),
                    "PermissionSetArn": set,
                    "PrincipalType": part(input, "PrincipalType"),
                    "PrincipalId": part(input, "PrincipalId"),
                }));
                let status = json!({ "Status": "SUCCEEDED", "RequestId": "r" });
                Ok(json!({ "AccountAssignmentCreationStatus": status }))
            }
            "DeleteAccountAssignment" => {
                let is = |a: &Value| {
                    part(a, "AccountId") == part(input, "TargetId")
                        && part(a, "PermissionSetArn") == set
                        && part(a, "PrincipalId") == part(input, "PrincipalId")
                };
                self.assignments.retain(|a| !is(a));
                let status = json!({ "Status": "SUCCEEDED", "RequestId": "r" });
                Ok(json!({ "AccountAssignmentDeletionStatus": status }))
            }
            "ListAccountAssignments" => {
                let of = |a: &&Value| {
                    part(a, "AccountId") == part(input, "AccountId")
                        && part(a, "PermissionSetArn") == set
                };
                let found: Vec<_> = self.assignments.iter().filter(of).collect();
                Ok(json!({ "AccountAssignments": found }))
            }
            "ListAccountAssignmentsForPrincipal" => {
                let principal = text(input, "/PrincipalId");
                let groups = self
                    .memberships
                    .like(|m| text(m, "/MemberId/UserId") == principal);
                let of = |a: &&Value| {
                    let who = text(a, "/PrincipalId");
                    who == principal || groups.iter().any(|m| text(m, "/GroupId") == who)
                };
                let found: Vec<_> = self.assignments.iter().filter(of).collect();
                Ok(json!({ "AccountAssignments": found }))
            }
            "ListPermissionSetsProvisionedToAccount" => {
                let of = |a: &&Value| part(a, "AccountId") == part(input, "AccountId");
                let found = self.assignments.iter().filter(of);
                let arns: Vec<_> = found.map(|a| part(a, "PermissionSetArn")).collect();
                Ok(json!({ "PermissionSets": arns }))
            }
            "ListAccountsForProvisionedPermissionSet" => {
                let of = |a: &&Value| text(a, "/PermissionSetArn") == set;
                let found = self.assignments.iter().filter(of);
                let accounts: Vec<_> = found.map(|a| part(a, "AccountId")).collect();
                Ok(json!({ "AccountIds": accounts }))
            }
            _ => Err((400, "UnknownOperationException")),
        }
    }
}
