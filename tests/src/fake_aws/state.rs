//! The state of the fake AWS, and the parts that its services share.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::fake_bedrock::Delivery;

/// The one identity store there is.
pub const IDENTITY_STORE: &str = "d-1234567890";
/// The one instance of SSO there is.
pub const INSTANCE: &str = "arn:aws:sso:::instance/ssoins-0123456789abcdef";

/// A failure of one answer.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status and error code; nothing is done.
    Refused(u16, &'static str),
    /// It is done, and the answer is this status and error code.
    DoneBut(u16, &'static str),
    /// It is done, and the answer is delivered like this: late, in part, never.
    Delivered(Delivery),
    /// It is done, and these bytes are the answer, of this content type.
    Says(&'static str, Bytes),
}

/// A refusal of the service's own: status and code.
pub(super) type Refusal = (u16, &'static str);
pub(super) type Outcome = Result<Value, Refusal>;

/// The state of one account. The caller makes no difference.
#[derive(Debug, Default)]
pub(super) struct State {
    made: u64,
    pub(super) users: Shelf,
    pub(super) groups: Shelf,
    pub(super) memberships: Shelf,
    pub(super) permission_sets: Shelf,
    pub(super) assignments: Vec<Value>,
    pub(super) application_assignments: Vec<Value>,
    pub(super) provisionings: Vec<Value>,
    pub(super) guardrails: Shelf,
    pub(super) enforced: Shelf,
    pub(super) inference_profiles: Shelf,
    pub(super) throughputs: Shelf,
    pub(super) custom_models: Shelf,
    pub(super) deployments: Shelf,
    pub(super) imported_models: Shelf,
    pub(super) async_invokes: Shelf,
    pub(super) logging: Option<Value>,
    pub(super) roles: Shelf,
    pub(super) attached: Vec<Value>,
}

/// Things by id.
#[derive(Debug, Default)]
pub(super) struct Shelf(BTreeMap<String, Map<String, Value>>);

impl State {
    /// An id that no other thing has.
    pub(super) fn id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}{:012x}", self.made)
    }
}

impl Shelf {
    pub(super) fn put(&mut self, id: &str, thing: Value) {
        if let Value::Object(thing) = thing {
            self.0.insert(id.to_owned(), thing);
        }
    }

    pub(super) fn get(&self, id: &str) -> Outcome {
        self.0.get(id).map(|thing| json!(thing)).ok_or(MISSING)
    }

    pub(super) fn change(&mut self, id: &str, member: &str, value: Value) -> Result<(), Refusal> {
        let thing = self.0.get_mut(id).ok_or(MISSING)?;
        thing.insert(member.to_owned(), value);
        Ok(())
    }

    pub(super) fn remove(&mut self, id: &str) -> Outcome {
        self.0.remove(id).map(|_| json!({})).ok_or(MISSING)
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Value) -> bool) {
        self.0.retain(|_, thing| keep(&json!(thing)));
    }

    pub(super) fn all(&self) -> Vec<Value> {
        self.0.values().map(|thing| json!(thing)).collect()
    }

    pub(super) fn like(&self, keep: impl Fn(&Value) -> bool) -> Vec<Value> {
        self.all().into_iter().filter(keep).collect()
    }
}

/// The refusal for a missing resource.
pub(super) const MISSING: Refusal = (404, "ResourceNotFoundException");

/// A text in an input, empty where it is missing.
pub(super) fn text<'a>(input: &'a Value, pointer: &str) -> &'a str {
    input
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A member of an input, null where it is missing.
pub(super) fn part(input: &Value, name: &str) -> Value {
    input.get(name).cloned().unwrap_or_default()
}

/// The same thing with one more member.
pub(super) fn with(thing: &Value, name: &str, value: &str) -> Value {
    let mut thing = thing.as_object().cloned().unwrap_or_default();
    thing.insert(name.to_owned(), json!(value));
    Value::Object(thing)
}
