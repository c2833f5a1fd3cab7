//! IAM: roles and their policies. The Query protocol: a form in, XML out.

use serde_json::{Map, Value, json};

use super::state::{Outcome, State, part, text, with};
use crate::fake_bedrock::decode;

/// The version in every request of IAM.
pub(super) const VERSION: &str = "2010-05-08";

const MISSING: (u16, &str) = (404, "NoSuchEntity");

impl State {
    pub(super) fn iam(&mut self, operation: &str, input: &Value) -> Outcome {
        let name = text(input, "/RoleName");
        match operation {
            "CreateRole" => {
                let thing = json!({ "Path": "/", "RoleName": name, "RoleId": self.id("AROA"),
                    "Arn": format!("arn:aws:iam::111111111111:role/{name}"),
                    "CreateDate": "2026-01-01T00:00:00Z", "Description": part(input, "Description"),
                    "AssumeRolePolicyDocument": part(input, "AssumeRolePolicyDocument") });
                self.roles.put(name, thing.clone());
                Ok(json!({ "Role": thing }))
            }
            "GetRole" => {
                let role = self.roles.get(name).map_err(|_| MISSING)?;
                Ok(json!({ "Role": role }))
            }
            "ListRoles" => Ok(json!({ "Roles": self.roles.all(), "IsTruncated": "false" })),
            "UpdateRole" => {
                let description = part(input, "Description");
                let changed = self.roles.change(name, "Description", description);
                changed.map(|()| json!({})).map_err(|_| MISSING)
            }
            "DeleteRole" => {
                self.attached.retain(|a| text(a, "/RoleName") != name);
                self.roles.remove(name).map_err(|_| MISSING)
            }
            "AttachRolePolicy" => {
                self.attached.push(with(input, "PolicyName", "policy"));
                Ok(json!({}))
            }
            "ListAttachedRolePolicies" => {
                let of = |a: &&Value| text(a, "/RoleName") == name;
                let found: Vec<_> = self.attached.iter().filter(of).collect();
                Ok(json!({ "AttachedPolicies": found, "IsTruncated": "false" }))
            }
            _ => Err((400, "InvalidAction")),
        }
    }
}

/// The parameters of a form.
pub(super) fn form(body: &str) -> Value {
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    let pairs = pairs.map(|(name, value)| (name.to_owned(), json!(decode(value, true))));
    Value::Object(pairs.collect::<Map<_, _>>())
}

/// An answer of the Query protocol.
pub(super) fn answer(operation: &str, value: &Value) -> String {
    let result = xml(value);
    format!(
        "<{operation}Response xmlns=\"https://iam.amazonaws.com/doc/{VERSION}/\"><{operation}Result>{result}\
        </{operation}Result></{operation}Response>"
    )
}

/// A refusal of the Query protocol.
pub(super) fn refusal(code: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>not so</Message></Error>\
        </ErrorResponse>"
    )
}

fn xml(value: &Value) -> String {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| format!("<{name}>{}</{name}>", xml(value)))
            .collect(),
        Value::Array(members) => members
            .iter()
            .map(|member| format!("<member>{}</member>", xml(member)))
            .collect(),
        Value::String(text) => text.replace('&', "&amp;").replace('<', "&lt;"),
        other => other.to_string(),
    }
}
