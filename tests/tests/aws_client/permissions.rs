//! Every relation of the rules for SSO Admin.

use aws_sdk_ssoadmin::types::{PrincipalType, TargetType};
use bedrock_catalog_tests::fake_aws::INSTANCE;

use crate::stage::{OTHER_ACCOUNT, World};

/// The lists and lookups that the relations are about; a lookup that finds nothing is `None`.
impl World {
    pub async fn permission_sets(&self) -> Vec<String> {
        let listed = self
            .sso
            .list_permission_sets()
            .instance_arn(INSTANCE)
            .send()
            .await;
        listed.unwrap().permission_sets.unwrap_or_default()
    }

    pub async fn described_set(&self, set: &str) -> Option<String> {
        let set = self
            .sso
            .describe_permission_set()
            .instance_arn(INSTANCE)
            .permission_set_arn(set);
        set.send().await.ok()?.permission_set?.description
    }

    pub async fn inline_policy(&self, set: &str) -> Option<String> {
        let read = self.sso.get_inline_policy_for_permission_set();
        let read = read.instance_arn(INSTANCE).permission_set_arn(set);
        read.send().await.unwrap().inline_policy
    }

    pub async fn assignments(&self, account: &str, set: &str) -> usize {
        let listed = self
            .sso
            .list_account_assignments()
            .instance_arn(INSTANCE)
            .account_id(account);
        let listed = listed.permission_set_arn(set).send().await.unwrap();
        listed.account_assignments.unwrap_or_default().len()
    }

    pub async fn assignments_of(&self, who: &str, kind: PrincipalType) -> usize {
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

    pub async fn provisioned(&self, account: &str) -> usize {
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

    pub async fn accounts(&self, set: &str) -> usize {
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

    pub async fn update_set(&self, set: &str, text: &str) {
        let write = self
            .sso
            .update_permission_set()
            .instance_arn(INSTANCE)
            .permission_set_arn(set);
        write.description(text).send().await.unwrap();
    }

    pub async fn withdraw(&self, set: &str, who: &str, kind: PrincipalType, account: &str) {
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
async fn a_permission_set() {
    let w = World::new();
    let ann = w.user("ann").await;
    w.is_invalidated_by(
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
    w.is_invalidated_by(
        "DescribePermissionSet",
        true,
        async || w.described_set(&reader).await,
        w.update_set(&reader, "new"),
    )
    .await;
    w.survives(
        "DescribePermissionSet",
        async || w.described_set(&writer).await,
        said(),
    )
    .await;
    w.is_invalidated_by(
        "ListPermissionSets",
        false,
        async || w.permission_sets().await,
        said(),
    )
    .await;
    w.is_invalidated_by(
        "ListAccountAssignments",
        false,
        async || w.assignments(OTHER_ACCOUNT, &reader).await,
        said(),
    )
    .await;
    w.is_invalidated_by(
        "ListPermissionSetsProvisionedToAccount",
        false,
        async || w.provisioned(OTHER_ACCOUNT).await,
        said(),
    )
    .await;
    w.is_invalidated_by(
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
    w.is_invalidated_by(
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
    w.is_invalidated_by(
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
    w.is_invalidated_by(
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
    w.is_invalidated_by(
        "ListAccountAssignments",
        true,
        async || w.assignments(OTHER_ACCOUNT, &set).await,
        given(&ann),
    )
    .await;
    w.is_invalidated_by(
        "ListAccountAssignments",
        true,
        async || w.assignments(OTHER_ACCOUNT, &set).await,
        taken(&ann),
    )
    .await;
    w.is_invalidated_by(
        "ListAccountAssignmentsForPrincipal",
        true,
        async || w.assignments_of(&ann, user()).await,
        given(&ann),
    )
    .await;
    w.is_invalidated_by(
        "ListAccountAssignmentsForPrincipal",
        true,
        async || w.assignments_of(&ann, user()).await,
        taken(&ann),
    )
    .await;
    w.is_invalidated_by(
        "ListPermissionSetsProvisionedToAccount",
        true,
        async || w.provisioned(OTHER_ACCOUNT).await,
        given(&bob),
    )
    .await;
    w.is_invalidated_by(
        "ListAccountsForProvisionedPermissionSet",
        true,
        async || w.accounts(&set).await,
        taken(&bob),
    )
    .await;
    // To a group: its members have it too.
    let to_group = w.assign(&set, &staff, true, OTHER_ACCOUNT);
    w.is_invalidated_by(
        "ListAccountAssignmentsForPrincipal",
        true,
        async || w.assignments_of(&ann, user()).await,
        to_group,
    )
    .await;
    // The set itself is as it was, and so is another account.
    w.survives(
        "DescribePermissionSet",
        async || w.described_set(&set).await,
        given(&bob),
    )
    .await;
    w.survives(
        "ListPermissionSetsProvisionedToAccount",
        async || w.provisioned("333333333333").await,
        taken(&bob),
    )
    .await;
}
