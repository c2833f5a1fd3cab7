//! Every relation of the rules for Identity Store and SSO Admin.

use aws_sdk_identitystore::types::{AlternateIdentifier, MemberId, UniqueAttribute};
use aws_sdk_ssoadmin::types::{PrincipalType, TargetType};
use bedrock_catalog_tests::fake_aws::{IDENTITY_STORE, INSTANCE};

use crate::stage::{World, change};

const OTHER_ACCOUNT: &str = "222222222222";

/// The lists and lookups that the relations are about; a lookup that finds nothing is `None`.
impl World {
    async fn groups(&self) -> Vec<Option<String>> {
        let listed = self.store.list_groups().identity_store_id(IDENTITY_STORE);
        let listed = listed.send().await.unwrap().groups;
        listed
            .into_iter()
            .map(|group| group.description.or(group.display_name))
            .collect()
    }

    async fn described_group(&self, group: &str) -> Option<String> {
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

    async fn user_named(&self, name: &str) -> Option<String> {
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

    async fn members(&self, group: &str) -> Vec<String> {
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

    async fn groups_of(&self, user: &str) -> Vec<Option<String>> {
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

    async fn membership(&self, id: &str) -> bool {
        let found = self
            .store
            .describe_group_membership()
            .identity_store_id(IDENTITY_STORE);
        found.membership_id(id).send().await.is_ok()
    }

    async fn permission_sets(&self) -> Vec<String> {
        let listed = self
            .sso
            .list_permission_sets()
            .instance_arn(INSTANCE)
            .send()
            .await;
        listed.unwrap().permission_sets.unwrap_or_default()
    }

    async fn described_set(&self, set: &str) -> Option<String> {
        let set = self
            .sso
            .describe_permission_set()
            .instance_arn(INSTANCE)
            .permission_set_arn(set);
        set.send().await.ok()?.permission_set?.description
    }

    async fn inline_policy(&self, set: &str) -> Option<String> {
        let read = self.sso.get_inline_policy_for_permission_set();
        let read = read.instance_arn(INSTANCE).permission_set_arn(set);
        read.send().await.unwrap().inline_policy
    }

    async fn assignments(&self, account: &str, set: &str) -> usize {
        let listed = self
            .sso
            .list_account_assignments()
            .instance_arn(INSTANCE)
            .account_id(account);
        let listed = listed.permission_set_arn(set).send().await.unwrap();
        listed.account_assignments.unwrap_or_default().len()
    }

    async fn assignments_of(&self, who: &str, kind: PrincipalType) -> usize {
        let listed = self
            .sso
            .list_account_assignments_for_principal()
            .instance_arn(INSTANCE);
        let listed = listed
            .principal_id(who)
            .principal_type(kind)
            .send()
            .await
            .unwrap();
        listed.account_assignments.unwrap_or_default().len()
    }

    async fn provisioned(&self, account: &str) -> usize {
        let listed = self
            .sso
            .list_permission_sets_provisioned_to_account()
            .instance_arn(INSTANCE);
        listed
            .account_id(account)
            .send()
            .await
            .unwrap()
            .permission_sets
            .unwrap_or_default()
            .len()
    }

    async fn accounts(&self, set: &str) -> usize {
        let listed = self
            .sso
            .list_accounts_for_provisioned_permission_set()
            .instance_arn(INSTANCE);
        listed
            .permission_set_arn(set)
            .send()
            .await
            .unwrap()
            .account_ids
            .unwrap_or_default()
            .len()
    }

    async fn delete_user(&self, user: &str) {
        let write = self
            .store
            .delete_user()
            .identity_store_id(IDENTITY_STORE)
            .user_id(user);
        write.send().await.unwrap();
    }

    async fn describe_as(&self, group: &str, text: &str) {
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

    async fn delete_group(&self, group: &str) {
        let write = self
            .store
            .delete_group()
            .identity_store_id(IDENTITY_STORE)
            .group_id(group);
        write.send().await.unwrap();
    }

    async fn leave(&self, membership: &str) {
        let write = self
            .store
            .delete_group_membership()
            .identity_store_id(IDENTITY_STORE);
        write.membership_id(membership).send().await.unwrap();
    }

    async fn update_set(&self, set: &str, text: &str) {
        let write = self
            .sso
            .update_permission_set()
            .instance_arn(INSTANCE)
            .permission_set_arn(set);
        write.description(text).send().await.unwrap();
    }

    async fn withdraw(&self, set: &str, who: &str, kind: PrincipalType, account: &str) {
        let write = self
            .sso
            .delete_account_assignment()
            .instance_arn(INSTANCE)
            .permission_set_arn(set);
        let write = write.principal_id(who).principal_type(kind);
        write
            .target_id(account)
            .target_type(TargetType::AwsAccount)
            .send()
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_user() {
    let w = World::new();
    let (ann, bob) = (w.user("ann").await, w.user("bob").await);
    w.goes_with("ListUsers", true, async || w.users().await, w.user("eve"))
        .await;
    w.goes_with(
        "ListUsers",
        true,
        async || w.users().await,
        w.rename(&ann, "Ann"),
    )
    .await;
    w.goes_with(
        "DescribeUser",
        true,
        async || w.described(&ann).await,
        w.rename(&ann, "Anna"),
    )
    .await;
    w.stays_with(
        "DescribeUser",
        async || w.described(&bob).await,
        w.rename(&ann, "Ann"),
    )
    .await;
    w.goes_with(
        "GetUserId",
        false,
        async || w.user_named("ann").await,
        w.rename(&ann, "A"),
    )
    .await;
    w.goes_with(
        "ListUsers",
        true,
        async || w.users().await,
        w.delete_user(&ann),
    )
    .await;
    assert_eq!(w.described(&ann).await, None, "gone");
    assert_eq!(w.described(&ann).await, None);
    assert_eq!(
        w.aws.requests("DescribeUser"),
        5,
        "what is not there is asked each time"
    );
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
    w.goes_with(
        "ListGroupMemberships",
        false,
        async || w.members(&staff).await,
        renamed(),
    )
    .await;
    w.goes_with(
        "ListGroupMembershipsForMember",
        false,
        async || w.groups_of(&ann).await,
        renamed(),
    )
    .await;
    w.goes_with(
        "DescribeGroupMembership",
        false,
        async || w.membership(&joined).await,
        renamed(),
    )
    .await;
    w.goes_with(
        "ListAccountAssignments",
        false,
        async || w.assignments(OTHER_ACCOUNT, &set).await,
        renamed(),
    )
    .await;
    w.goes_with(
        "ListAccountAssignmentsForPrincipal",
        false,
        async || w.assignments_of(&ann, user()).await,
        renamed(),
    )
    .await;
    w.stays_with(
        "ListAccountAssignmentsForPrincipal",
        async || w.assignments_of(&bob, user()).await,
        renamed(),
    )
    .await;
    w.stays_with(
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
    w.goes_with(
        "ListGroups",
        true,
        async || w.groups().await,
        w.group("new"),
    )
    .await;
    w.goes_with("ListGroups", true, async || w.groups().await, said())
        .await;
    w.goes_with(
        "DescribeGroup",
        true,
        async || w.described_group(&staff).await,
        w.describe_as(&staff, "more"),
    )
    .await;
    w.stays_with(
        "DescribeGroup",
        async || w.described_group(&guests).await,
        said(),
    )
    .await;
    w.goes_with(
        "DescribeGroupMembership",
        false,
        async || w.membership(&joined).await,
        said(),
    )
    .await;
    w.goes_with(
        "ListAccountAssignments",
        false,
        async || w.assignments(OTHER_ACCOUNT, &set).await,
        said(),
    )
    .await;
    let group = || PrincipalType::Group;
    w.goes_with(
        "ListAccountAssignmentsForPrincipal",
        false,
        async || w.assignments_of(&staff, group()).await,
        said(),
    )
    .await;
    // Through the group, a user has them too.
    w.goes_with(
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
    w.goes_with(
        "ListGroupMemberships",
        true,
        async || w.members(&staff).await,
        w.join(&ann, &staff),
    )
    .await;
    w.stays_with(
        "ListGroupMemberships",
        async || w.members(&guests).await,
        w.join(&bob, &staff),
    )
    .await;
    w.goes_with(
        "ListGroupMembershipsForMember",
        true,
        async || w.groups_of(&ann).await,
        w.join(&ann, &guests),
    )
    .await;
    w.stays_with(
        "ListGroupMembershipsForMember",
        async || w.groups_of(&ann).await,
        w.join(&bob, &guests),
    )
    .await;
    let eve = w.user("eve").await;
    w.goes_with(
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
    w.goes_with(
        "ListGroupMemberships",
        true,
        async || w.members(&guests).await,
        w.leave(&joined),
    )
    .await;
    let joined = w.join(&eve, &guests).await;
    w.goes_with(
        "ListGroupMembershipsForMember",
        true,
        async || w.groups_of(&eve).await,
        w.leave(&joined),
    )
    .await;
    // A list of users has nothing to do with it.
    w.stays_with("ListUsers", async || w.users().await, w.join(&bob, &guests))
        .await;
}

#[tokio::test]
async fn a_permission_set() {
    let w = World::new();
    let ann = w.user("ann").await;
    w.goes_with(
        "ListPermissionSets",
        true,
        async || w.permission_sets().await,
        w.permission_set("a"),
    )
    .await;
    let (reader, writer) = (
        w.permission_set("reader").await,
        w.permission_set("writer").await,
    );
    w.assign(&reader, &ann, false, OTHER_ACCOUNT).await;
    let said = || w.update_set(&reader, "said");
    w.goes_with(
        "DescribePermissionSet",
        true,
        async || w.described_set(&reader).await,
        w.update_set(&reader, "new"),
    )
    .await;
    w.stays_with(
        "DescribePermissionSet",
        async || w.described_set(&writer).await,
        said(),
    )
    .await;
    w.goes_with(
        "ListPermissionSets",
        false,
        async || w.permission_sets().await,
        said(),
    )
    .await;
    w.goes_with(
        "ListAccountAssignments",
        false,
        async || w.assignments(OTHER_ACCOUNT, &reader).await,
        said(),
    )
    .await;
    w.goes_with(
        "ListPermissionSetsProvisionedToAccount",
        false,
        async || w.provisioned(OTHER_ACCOUNT).await,
        said(),
    )
    .await;
    w.goes_with(
        "ListAccountsForProvisionedPermissionSet",
        false,
        async || w.accounts(&reader).await,
        said(),
    )
    .await;
    let put = w
        .sso
        .put_inline_policy_to_permission_set()
        .instance_arn(INSTANCE);
    let put = put.permission_set_arn(&reader).inline_policy("{}").send();
    w.goes_with(
        "GetInlinePolicyForPermissionSet",
        true,
        async || w.inline_policy(&reader).await,
        put,
    )
    .await;
    let removed = w
        .sso
        .delete_inline_policy_from_permission_set()
        .instance_arn(INSTANCE);
    let removed = removed.permission_set_arn(&reader).send();
    w.goes_with(
        "GetInlinePolicyForPermissionSet",
        true,
        async || w.inline_policy(&reader).await,
        removed,
    )
    .await;
    let deleted = w
        .sso
        .delete_permission_set()
        .instance_arn(INSTANCE)
        .permission_set_arn(&reader)
        .send();
    w.goes_with(
        "ListPermissionSets",
        true,
        async || w.permission_sets().await,
        deleted,
    )
    .await;
    assert_eq!(w.assignments(OTHER_ACCOUNT, &reader).await, 0);
    assert_eq!(w.assignments_of(&ann, PrincipalType::User).await, 0);
}

#[tokio::test]
async fn an_assignment() {
    let w = World::new();
    let (ann, bob, staff) = (
        w.user("ann").await,
        w.user("bob").await,
        w.group("staff").await,
    );
    w.join(&ann, &staff).await;
    let set = w.permission_set("reader").await;
    let user = || PrincipalType::User;
    let given = |who| w.assign(&set, who, false, OTHER_ACCOUNT);
    let taken = |who| w.withdraw(&set, who, user(), OTHER_ACCOUNT);
    w.goes_with(
        "ListAccountAssignments",
        true,
        async || w.assignments(OTHER_ACCOUNT, &set).await,
        given(&ann),
    )
    .await;
    w.goes_with(
        "ListAccountAssignments",
        true,
        async || w.assignments(OTHER_ACCOUNT, &set).await,
        taken(&ann),
    )
    .await;
    w.goes_with(
        "ListAccountAssignmentsForPrincipal",
        true,
        async || w.assignments_of(&ann, user()).await,
        given(&ann),
    )
    .await;
    w.goes_with(
        "ListAccountAssignmentsForPrincipal",
        true,
        async || w.assignments_of(&ann, user()).await,
        taken(&ann),
    )
    .await;
    w.goes_with(
        "ListPermissionSetsProvisionedToAccount",
        true,
        async || w.provisioned(OTHER_ACCOUNT).await,
        given(&bob),
    )
    .await;
    w.goes_with(
        "ListAccountsForProvisionedPermissionSet",
        true,
        async || w.accounts(&set).await,
        taken(&bob),
    )
    .await;
    // To a group: its members have it too.
    let to_group = w.assign(&set, &staff, true, OTHER_ACCOUNT);
    w.goes_with(
        "ListAccountAssignmentsForPrincipal",
        true,
        async || w.assignments_of(&ann, user()).await,
        to_group,
    )
    .await;
    // The set itself is as it was, and so is another account.
    w.stays_with(
        "DescribePermissionSet",
        async || w.described_set(&set).await,
        given(&bob),
    )
    .await;
    w.stays_with(
        "ListPermissionSetsProvisionedToAccount",
        async || w.provisioned("333333333333").await,
        taken(&bob),
    )
    .await;
}

#[tokio::test]
async fn what_a_write_dropped_is_counted() {
    let w = World::new();
    let (ann, bob) = (w.user("ann").await, w.user("bob").await);
    w.users().await;
    w.described(&ann).await;
    w.described(&bob).await;
    let before = w.cached.statistics();
    w.rename(&ann, "Ann").await;
    let after = w.cached.statistics();
    assert_eq!(
        after.dropped - before.dropped,
        2,
        "the list and the user, not the other user"
    );
    assert_eq!(after.writes - before.writes, 1);
    w.users().await;
    let dropped = w
        .cached
        .forget("identitystore", "DeleteUser", [("UserId", bob.as_str())]);
    assert_eq!(dropped.await, 2);
}
