//! Every relation of the rules for Identity Store.

use aws_sdk_identitystore::types::{AlternateIdentifier, MemberId, UniqueAttribute};
use aws_sdk_ssoadmin::types::PrincipalType;
use bedrock_catalog_tests::fake_aws::IDENTITY_STORE;

use crate::stage::{OTHER_ACCOUNT, World, change};

/// The lists and lookups that the relations are about; a lookup that finds nothing is `None`.
impl World {
    pub async fn groups(&self) -> Vec<Option<String>> {
        let listed = self.store.list_groups().identity_store_id(IDENTITY_STORE);
        let listed = listed.send().await.unwrap().groups;
        listed
            .into_iter()
            .map(|group| group.description.or(group.display_name))
            .collect()
    }

    pub async fn described_group(&self, group: &str) -> Option<String> {
        let group = self
            .store
            .describe_group()
            .identity_store_id(IDENTITY_STORE)
            .group_id(group);
        group
            .send()
            .await
            .ok()
            .and_then(|group| group.description.or(group.display_name))
    }

    pub async fn user_named(&self, name: &str) -> Option<String> {
        let attribute = UniqueAttribute::builder().attribute_path("userName");
        let attribute = attribute.attribute_value(aws_smithy_types::Document::String(name.into()));
        let by = AlternateIdentifier::UniqueAttribute(attribute.build().unwrap());
        let found = self
            .store
            .get_user_id()
            .identity_store_id(IDENTITY_STORE)
            .alternate_identifier(by);
        found.send().await.ok().map(|found| found.user_id)
    }

    pub async fn members(&self, group: &str) -> Vec<String> {
        let listed = self
            .store
            .list_group_memberships()
            .identity_store_id(IDENTITY_STORE);
        let listed = listed
            .group_id(group)
            .send()
            .await
            .unwrap()
            .group_memberships;
        listed
            .into_iter()
            .map(|membership| membership.membership_id)
            .collect()
    }

    pub async fn groups_of(&self, user: &str) -> Vec<Option<String>> {
        let listed = self.store.list_group_memberships_for_member();
        let listed = listed
            .identity_store_id(IDENTITY_STORE)
            .member_id(MemberId::UserId(user.into()));
        let listed = listed.send().await.unwrap().group_memberships;
        listed
            .into_iter()
            .map(|membership| membership.group_id)
            .collect()
    }

    pub async fn membership(&self, id: &str) -> bool {
        let found = self
            .store
            .describe_group_membership()
            .identity_store_id(IDENTITY_STORE);
        found.membership_id(id).send().await.is_ok()
    }

    pub async fn delete_user(&self, user: &str) {
        let write = self
            .store
            .delete_user()
            .identity_store_id(IDENTITY_STORE)
            .user_id(user);
        write.send().await.unwrap();
    }

    pub async fn describe_as(&self, group: &str, text: &str) {
        let write = self
            .store
            .update_group()
            .identity_store_id(IDENTITY_STORE)
            .group_id(group);
        write
            .operations(change("description", text))
            .send()
            .await
            .unwrap();
    }

    pub async fn delete_group(&self, group: &str) {
        let write = self
            .store
            .delete_group()
            .identity_store_id(IDENTITY_STORE)
            .group_id(group);
        write.send().await.unwrap();
    }

    pub async fn leave(&self, membership: &str) {
        let write = self
            .store
            .delete_group_membership()
            .identity_store_id(IDENTITY_STORE);
        write.membership_id(membership).send().await.unwrap();
    }
}

#[tokio::test]
async fn a_user() {
    let w = World::new();
    let (ann, bob) = (w.user("ann").await, w.user("bob").await);
    w.is_invalidated_by("ListUsers", true, async || w.users().await, w.user("eve"))
        .await;
    w.is_invalidated_by(
        "ListUsers",
        true,
        async || w.users().await,
        w.rename(&ann, "Ann"),
    )
    .await;
    w.is_invalidated_by(
        "DescribeUser",
        true,
        async || w.described(&ann).await,
        w.rename(&ann, "Anna"),
    )
    .await;
    w.survives(
        "DescribeUser",
        async || w.described(&bob).await,
        w.rename(&ann, "Ann"),
    )
    .await;
    w.is_invalidated_by(
        "GetUserId",
        false,
        async || w.user_named("ann").await,
        w.rename(&ann, "A"),
    )
    .await;
    w.is_invalidated_by(
        "ListUsers",
        true,
        async || w.users().await,
        w.delete_user(&ann),
    )
    .await;
    assert_eq!(w.described(&ann).await, None, "gone");
    assert_eq!(w.described(&ann).await, None);
    assert_eq!(w.aws.requests("DescribeUser"), 5, "an error is not stored");
}

#[tokio::test]
async fn a_user_and_the_memberships_and_assignments() {
    let w = World::new();
    let (ann, bob, staff) = (
        w.user("ann").await,
        w.user("bob").await,
        w.group("staff").await,
    );
    let joined = w.join(&ann, &staff).await;
    let set = w.permission_set("reader").await;
    w.assign(&set, &ann, false, OTHER_ACCOUNT).await;
    let user = || PrincipalType::User;
    let renamed = || w.rename(&ann, "Ann");
    w.is_invalidated_by(
        "ListGroupMemberships",
        false,
        async || w.members(&staff).await,
        renamed(),
    )
    .await;
    w.is_invalidated_by(
        "ListGroupMembershipsForMember",
        false,
        async || w.groups_of(&ann).await,
        renamed(),
    )
    .await;
    w.is_invalidated_by(
        "DescribeGroupMembership",
        false,
        async || w.membership(&joined).await,
        renamed(),
    )
    .await;
    w.is_invalidated_by(
        "ListAccountAssignments",
        false,
        async || w.assignments(OTHER_ACCOUNT, &set).await,
        renamed(),
    )
    .await;
    w.is_invalidated_by(
        "ListAccountAssignmentsForPrincipal",
        false,
        async || w.assignments_of(&ann, user()).await,
        renamed(),
    )
    .await;
    w.survives(
        "ListAccountAssignmentsForPrincipal",
        async || w.assignments_of(&bob, user()).await,
        renamed(),
    )
    .await;
    w.survives(
        "ListGroupMembershipsForMember",
        async || w.groups_of(&bob).await,
        renamed(),
    )
    .await;
    // Deleted: both services say so at once.
    assert_eq!(w.assignments_of(&ann, user()).await, 1);
    assert_eq!(w.assignments(OTHER_ACCOUNT, &set).await, 1);
    assert_eq!(w.members(&staff).await.len(), 1);
    w.delete_user(&ann).await;
    assert_eq!(w.assignments_of(&ann, user()).await, 0);
    assert_eq!(w.assignments(OTHER_ACCOUNT, &set).await, 0);
    assert_eq!(w.members(&staff).await.len(), 0);
}

#[tokio::test]
async fn a_group() {
    let w = World::new();
    let (ann, staff, guests) = (
        w.user("ann").await,
        w.group("staff").await,
        w.group("guests").await,
    );
    let joined = w.join(&ann, &staff).await;
    let set = w.permission_set("reader").await;
    w.assign(&set, &staff, true, OTHER_ACCOUNT).await;
    let said = || w.describe_as(&staff, "said");
    w.is_invalidated_by(
        "ListGroups",
        true,
        async || w.groups().await,
        w.group("new"),
    )
    .await;
    w.is_invalidated_by("ListGroups", true, async || w.groups().await, said())
        .await;
    w.is_invalidated_by(
        "DescribeGroup",
        true,
        async || w.described_group(&staff).await,
        w.describe_as(&staff, "more"),
    )
    .await;
    w.survives(
        "DescribeGroup",
        async || w.described_group(&guests).await,
        said(),
    )
    .await;
    w.is_invalidated_by(
        "DescribeGroupMembership",
        false,
        async || w.membership(&joined).await,
        said(),
    )
    .await;
    w.is_invalidated_by(
        "ListAccountAssignments",
        false,
        async || w.assignments(OTHER_ACCOUNT, &set).await,
        said(),
    )
    .await;
    let group = || PrincipalType::Group;
    w.is_invalidated_by(
        "ListAccountAssignmentsForPrincipal",
        false,
        async || w.assignments_of(&staff, group()).await,
        said(),
    )
    .await;
    // Through the group, a user has them too.
    w.is_invalidated_by(
        "ListAccountAssignmentsForPrincipal",
        true,
        async || w.assignments_of(&ann, PrincipalType::User).await,
        w.delete_group(&staff),
    )
    .await;
    assert!(w.groups_of(&ann).await.is_empty());
    assert_eq!(w.described_group(&staff).await, None);
}

#[tokio::test]
async fn a_membership() {
    let w = World::new();
    let (ann, bob, staff, guests) = (
        w.user("ann").await,
        w.user("bob").await,
        w.group("staff").await,
        w.group("guests").await,
    );
    let set = w.permission_set("reader").await;
    w.assign(&set, &staff, true, OTHER_ACCOUNT).await;
    w.is_invalidated_by(
        "ListGroupMemberships",
        true,
        async || w.members(&staff).await,
        w.join(&ann, &staff),
    )
    .await;
    w.survives(
        "ListGroupMemberships",
        async || w.members(&guests).await,
        w.join(&bob, &staff),
    )
    .await;
    w.is_invalidated_by(
        "ListGroupMembershipsForMember",
        true,
        async || w.groups_of(&ann).await,
        w.join(&ann, &guests),
    )
    .await;
    w.survives(
        "ListGroupMembershipsForMember",
        async || w.groups_of(&ann).await,
        w.join(&bob, &guests),
    )
    .await;
    let eve = w.user("eve").await;
    w.is_invalidated_by(
        "ListAccountAssignmentsForPrincipal",
        true,
        async || w.assignments_of(&eve, PrincipalType::User).await,
        w.join(&eve, &staff),
    )
    .await;
    let joined = w.join(&eve, &guests).await;
    assert!(w.membership(&joined).await);
    w.leave(&joined).await;
    assert!(!w.membership(&joined).await);
    let joined = w.join(&eve, &guests).await;
    w.is_invalidated_by(
        "ListGroupMemberships",
        true,
        async || w.members(&guests).await,
        w.leave(&joined),
    )
    .await;
    let joined = w.join(&eve, &guests).await;
    w.is_invalidated_by(
        "ListGroupMembershipsForMember",
        true,
        async || w.groups_of(&eve).await,
        w.leave(&joined),
    )
    .await;
    // A list of users has nothing to do with it.
    w.survives("ListUsers", async || w.users().await, w.join(&bob, &guests))
        .await;
}

#[tokio::test]
async fn invalidated_entries_are_counted() {
    let w = World::new();
    let (ann, bob) = (w.user("ann").await, w.user("bob").await);
    w.users().await;
    w.described(&ann).await;
    w.described(&bob).await;
    let before = w.cached.statistics();
    w.rename(&ann, "Ann").await;
    let after = w.cached.statistics();
    assert_eq!(
        after.invalidated - before.invalidated,
        2,
        "the list and the user, not the other user"
    );
    assert_eq!(after.writes - before.writes, 1);
    w.users().await;
    let dropped = w
        .cached
        .invalidate("identitystore", "DeleteUser", [("UserId", bob.as_str())]);
    assert_eq!(dropped.await, 2);
}
