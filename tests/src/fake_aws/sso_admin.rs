//! SSO Admin: permission sets, and their assignments to principals in accounts.

use serde_json::{Value, json};

use super::state::{IDENTITY_STORE, INSTANCE, MISSING, Outcome, Refusal, State, part, text, with};

impl State {
    pub(super) fn sso_admin(&mut self, operation: &str, input: &Value) -> Outcome {
        if operation == "ListInstances" {
            let instance = json!({ "InstanceArn": INSTANCE, "IdentityStoreId": IDENTITY_STORE });
            return Ok(json!({ "Instances": [instance] }));
        }
        // An application says which instance it is of.
        let of_application = input.get("ApplicationArn").is_some();
        if !of_application && text(input, "/InstanceArn") != INSTANCE {
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
                self.change_set(set, "Description", description)
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
                self.change_set(set, "InlinePolicy", part(input, "InlinePolicy"))
            }
            "DeleteInlinePolicyFromPermissionSet" => {
                self.change_set(set, "InlinePolicy", json!(""))
            }
            "GetInlinePolicyForPermissionSet" => {
                Ok(json!({ "InlinePolicy": part(&self.permission_sets.get(set)?, "InlinePolicy") }))
            }
            "PutPermissionsBoundaryToPermissionSet" => {
                self.change_set(set, BOUNDARY, part(input, BOUNDARY))
            }
            "DeletePermissionsBoundaryFromPermissionSet" => {
                self.change_set(set, BOUNDARY, Value::Null)
            }
            "GetPermissionsBoundaryForPermissionSet" => {
                match part(&self.permission_sets.get(set)?, BOUNDARY) {
                    Value::Null => Err(MISSING),
                    boundary => Ok(json!({ BOUNDARY: boundary })),
                }
            }
            "AttachManagedPolicyToPermissionSet" => {
                let arn = part(input, "ManagedPolicyArn");
                self.attach(set, MANAGED, json!({ "Name": "n", "Arn": arn }))
            }
            "DetachManagedPolicyFromPermissionSet" => {
                let arn = part(input, "ManagedPolicyArn");
                self.detach(set, MANAGED, &json!({ "Name": "n", "Arn": arn }))
            }
            "ListManagedPoliciesInPermissionSet" => {
                Ok(json!({ MANAGED: self.attached(set, MANAGED)? }))
            }
            "AttachCustomerManagedPolicyReferenceToPermissionSet" => {
                self.attach(set, CUSTOMER, part(input, "CustomerManagedPolicyReference"))
            }
            "DetachCustomerManagedPolicyReferenceFromPermissionSet" => self.detach(
                set,
                CUSTOMER,
                &part(input, "CustomerManagedPolicyReference"),
            ),
            "ListCustomerManagedPolicyReferencesInPermissionSet" => {
                Ok(json!({ CUSTOMER: self.attached(set, CUSTOMER)? }))
            }
            "ProvisionPermissionSet" => {
                self.permission_sets.change(set, "Changed", json!(false))?;
                let id = self.id("request-");
                let status = json!({ "Status": "SUCCEEDED", "RequestId": id });
                self.provisionings.push(status.clone());
                Ok(json!({ "PermissionSetProvisioningStatus": status }))
            }
            "ListPermissionSetProvisioningStatus" => {
                Ok(json!({ "PermissionSetsProvisioningStatus": self.provisionings }))
            }
            "CreateApplicationAssignment" => {
                self.application_assignments.push(input.clone());
                Ok(json!({}))
            }
            "DeleteApplicationAssignment" => {
                self.application_assignments.retain(|a| a != input);
                Ok(json!({}))
            }
            "DescribeApplicationAssignment" => {
                let mut all = self.application_assignments.iter();
                all.find(|a| *a == input).cloned().ok_or(MISSING)
            }
            "ListApplicationAssignments" => {
                let of = |a: &&Value| part(a, "ApplicationArn") == part(input, "ApplicationArn");
                let found: Vec<_> = self.application_assignments.iter().filter(of).collect();
                Ok(json!({ "ApplicationAssignments": found }))
            }
            "ListApplicationAssignmentsForPrincipal" => {
                let all = self.application_assignments.iter();
                let found: Vec<_> = all.filter(self.is_for(input)).collect();
                Ok(json!({ "ApplicationAssignments": found }))
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
                let found: Vec<_> = self.assignments.iter().filter(self.is_for(input)).collect();
                Ok(json!({ "AccountAssignments": found }))
            }
            "ListPermissionSetsProvisionedToAccount" => {
                let of = |a: &&Value| part(a, "AccountId") == part(input, "AccountId");
                let found = self.assignments.iter().filter(of);
                let arns: Vec<_> = found.map(|a| part(a, "PermissionSetArn")).collect();
                Ok(json!({ "PermissionSets": arns }))
            }
            "ListAccountsForProvisionedPermissionSet" => {
                let stale = text(input, "/ProvisioningStatus").contains("_NOT_");
                let changed = part(&self.permission_sets.get(set)?, "Changed") == json!(true);
                let of = |a: &&Value| text(a, "/PermissionSetArn") == set && (changed || !stale);
                let found = self.assignments.iter().filter(of);
                let accounts: Vec<_> = found.map(|a| part(a, "AccountId")).collect();
                Ok(json!({ "AccountIds": accounts }))
            }
            _ => Err((400, "UnknownOperationException")),
        }
    }

    /// The set is not as it was provisioned any more.
    fn change_set(&mut self, set: &str, member: &str, value: Value) -> Outcome {
        self.permission_sets.change(set, member, value)?;
        self.permission_sets.change(set, "Changed", json!(true))?;
        Ok(json!({}))
    }

    fn attached(&self, set: &str, list: &str) -> Result<Vec<Value>, Refusal> {
        let attached = part(&self.permission_sets.get(set)?, list);
        Ok(attached.as_array().cloned().unwrap_or_default())
    }

    fn attach(&mut self, set: &str, list: &str, policy: Value) -> Outcome {
        let mut attached = self.attached(set, list)?;
        attached.push(policy);
        self.change_set(set, list, json!(attached))
    }

    fn detach(&mut self, set: &str, list: &str, policy: &Value) -> Outcome {
        let mut attached = self.attached(set, list)?;
        attached.retain(|is| is != policy);
        self.change_set(set, list, json!(attached))
    }

    /// Whether an assignment is the principal's, or that of a group it is in.
    fn is_for(&self, input: &Value) -> impl Fn(&&Value) -> bool {
        let principal = text(input, "/PrincipalId").to_owned();
        let groups = self
            .memberships
            .like(|m| text(m, "/MemberId/UserId") == principal);
        move |a| {
            let who = text(a, "/PrincipalId");
            who == principal || groups.iter().any(|m| text(m, "/GroupId") == who)
        }
    }
}

const BOUNDARY: &str = "PermissionsBoundary";
const MANAGED: &str = "AttachedManagedPolicies";
const CUSTOMER: &str = "CustomerManagedPolicyReferences";
