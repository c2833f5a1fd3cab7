//! Identity Store: users, groups and memberships.

use serde_json::{Value, json};

use super::state::{IDENTITY_STORE, MISSING, Outcome, State, part, text, with};

impl State {
    pub(super) fn identity_store(&mut self, operation: &str, input: &Value) -> Outcome {
        if text(input, "/IdentityStoreId") != IDENTITY_STORE {
            return Err(MISSING);
        }
        let user = text(input, "/UserId");
        let group = text(input, "/GroupId");
        let member = text(input, "/MemberId/UserId");
        let membership = text(input, "/MembershipId");
        match operation {
            "CreateUser" | "CreateGroup" => {
                let (kind, shelf) = match operation {
                    "CreateUser" => ("UserId", "user-"),
                    _ => ("GroupId", "group-"),
                };
                let id = self.id(shelf);
                let thing = with(input, kind, &id);
                let answer = json!({ "IdentityStoreId": IDENTITY_STORE, kind: id });
                match operation {
                    "CreateUser" => self.users.put(&id, thing),
                    _ => self.groups.put(&id, thing),
                }
                Ok(answer)
            }
            "DescribeUser" => self.users.get(user),
            "DescribeGroup" => self.groups.get(group),
            "UpdateUser" | "UpdateGroup" => {
                let changes = part(input, "Operations")
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                for change in changes {
                    let path = text(&change, "/AttributePath");
                    let mut letters = path.chars();
                    let first = letters.next().map(|c| c.to_ascii_uppercase());
                    let member: String = first.into_iter().chain(letters).collect();
                    let value = part(&change, "AttributeValue");
                    match operation {
                        "UpdateUser" => self.users.change(user, &member, value)?,
                        _ => self.groups.change(group, &member, value)?,
                    }
                }
                Ok(json!({}))
            }
            "DeleteUser" => {
                self.memberships
                    .retain(|m| text(m, "/MemberId/UserId") != user);
                self.unassign(user);
                self.users.remove(user)
            }
            "DeleteGroup" => {
                self.memberships.retain(|m| text(m, "/GroupId") != group);
                self.unassign(group);
                self.groups.remove(group)
            }
            "ListUsers" => Ok(json!({ "Users": self.users.all() })),
            "ListGroups" => Ok(json!({ "Groups": self.groups.all() })),
            "GetUserId" | "GetGroupId" => {
                let value = text(input, "/AlternateIdentifier/UniqueAttribute/AttributeValue");
                let (kind, name, all) = match operation {
                    "GetUserId" => ("UserId", "/UserName", self.users.all()),
                    _ => ("GroupId", "/DisplayName", self.groups.all()),
                };
                let found = all.into_iter().find(|thing| text(thing, name) == value);
                let found = found.ok_or(MISSING)?;
                Ok(json!({ "IdentityStoreId": IDENTITY_STORE, kind: part(&found, kind) }))
            }
            "CreateGroupMembership" => {
                let id = self.id("membership-");
                let thing = with(input, "MembershipId", &id);
                self.memberships.put(&id, thing);
                Ok(json!({ "IdentityStoreId": IDENTITY_STORE, "MembershipId": id }))
            }
            "DeleteGroupMembership" => self.memberships.remove(membership),
            "DescribeGroupMembership" => self.memberships.get(membership),
            "GetGroupMembershipId" => {
                let is = |m: &Value| {
                    text(m, "/GroupId") == group && text(m, "/MemberId/UserId") == member
                };
                let found = self
                    .memberships
                    .like(is)
                    .into_iter()
                    .next()
                    .ok_or(MISSING)?;
                Ok(
                    json!({ "IdentityStoreId": IDENTITY_STORE, "MembershipId": part(&found, "MembershipId") }),
                )
            }
            "ListGroupMemberships" => {
                let of = self.memberships.like(|m| text(m, "/GroupId") == group);
                Ok(json!({ "GroupMemberships": of }))
            }
            "ListGroupMembershipsForMember" => {
                let of = self
                    .memberships
                    .like(|m| text(m, "/MemberId/UserId") == member);
                Ok(json!({ "GroupMemberships": of }))
            }
            _ => Err((400, "UnknownOperationException")),
        }
    }

    fn unassign(&mut self, principal: &str) {
        let stays = |a: &Value| text(a, "/PrincipalId") != principal;
        self.assignments.retain(stays);
        self.application_assignments.retain(stays);
    }
}
