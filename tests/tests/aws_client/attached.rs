//! The rules for lookups, policies, provisioning and applications.

use aws_sdk_identitystore::types::{AlternateIdentifier, MemberId, UniqueAttribute};
use aws_sdk_ssoadmin::types::{
    CustomerManagedPolicyReference, PermissionsBoundary, PrincipalType, ProvisionTargetType,
    ProvisioningStatus,
};
use aws_smithy_types::Document;
use bedrock_catalog_tests::fake_aws::{IDENTITY_STORE, INSTANCE};

use crate::stage::{OTHER_ACCOUNT, World, change};

const APPLICATION: &str = "arn:aws:sso::111111111111:application/ssoins-0123456789abcdef/apl-1";

fn called(attribute: &str, name: &str) -> AlternateIdentifier {
    let attribute = UniqueAttribute::builder().attribute_path(attribute);
    let attribute = attribute.attribute_value(Document::String(name.into()));
    AlternateIdentifier::UniqueAttribute(attribute.build().unwrap())
}

fn reference(name: &str) -> CustomerManagedPolicyReference {
    let reference = CustomerManagedPolicyReference::builder().name(name);
    reference.build().unwrap()
}

impl World {
    async fn user_called(&self, name: &str) -> Option<String> {
        let read = self.store.get_user_id().identity_store_id(IDENTITY_STORE);
        let read = read.alternate_identifier(called("userName", name));
        read.send().await.ok().map(|found| found.user_id)
    }

    async fn group_called(&self, name: &str) -> Option<String> {
        let read = self.store.get_group_id().identity_store_id(IDENTITY_STORE);
        let read = read.alternate_identifier(called("displayName", name));
        read.send().await.ok().map(|found| found.group_id)
    }

    async fn membership_of(&self, user: &str, group: &str) -> Option<String> {
        let read = self.store.get_group_membership_id();
        let read = read.identity_store_id(IDENTITY_STORE).group_id(group);
        let read = read.member_id(MemberId::UserId(user.into()));
        read.send().await.ok().map(|found| found.membership_id)
    }

    async fn user_gone(&self, user: &str) {
        let write = self.store.delete_user().identity_store_id(IDENTITY_STORE);
        write.user_id(user).send().await.unwrap();
    }

    async fn group_gone(&self, group: &str) {
        let write = self.store.delete_group().identity_store_id(IDENTITY_STORE);
        write.group_id(group).send().await.unwrap();
    }

    async fn membership_gone(&self, membership: &str) {
        let write = self.store.delete_group_membership();
        let write = write.identity_store_id(IDENTITY_STORE);
        write.membership_id(membership).send().await.unwrap();
    }

    async fn managed(&self, set: &str) -> usize {
        let read = self.sso.list_managed_policies_in_permission_set();
        let read = read.instance_arn(INSTANCE).permission_set_arn(set);
        let read = read.send().await.unwrap();
        read.attached_managed_policies.unwrap_or_default().len()
    }

    async fn attach(&self, set: &str, arn: &str) {
        let write = self.sso.attach_managed_policy_to_permission_set();
        let write = write.instance_arn(INSTANCE).permission_set_arn(set);
        write.managed_policy_arn(arn).send().await.unwrap();
    }

    async fn detach(&self, set: &str, arn: &str) {
        let write = self.sso.detach_managed_policy_from_permission_set();
        let write = write.instance_arn(INSTANCE).permission_set_arn(set);
        write.managed_policy_arn(arn).send().await.unwrap();
    }

    async fn references(&self, set: &str) -> usize {
        let read = self
            .sso
            .list_customer_managed_policy_references_in_permission_set();
        let read = read.instance_arn(INSTANCE).permission_set_arn(set);
        let read = read.send().await.unwrap();
        read.customer_managed_policy_references
            .unwrap_or_default()
            .len()
    }

    async fn boundary(&self, set: &str) -> Option<String> {
        let read = self.sso.get_permissions_boundary_for_permission_set();
        let read = read.instance_arn(INSTANCE).permission_set_arn(set);
        let read = read.send().await.ok()?;
        read.permissions_boundary?.managed_policy_arn
    }

    async fn bound(&self, set: &str, arn: &str) {
        let boundary = PermissionsBoundary::builder().managed_policy_arn(arn);
        let write = self.sso.put_permissions_boundary_to_permission_set();
        let write = write.instance_arn(INSTANCE).permission_set_arn(set);
        let write = write.permissions_boundary(boundary.build());
        write.send().await.unwrap();
    }

    async fn described_as(&self, set: &str) -> Option<String> {
        let read = self.sso.describe_permission_set().instance_arn(INSTANCE);
        let read = read.permission_set_arn(set).send().await.ok()?;
        read.permission_set?.description
    }

    async fn describe_set(&self, set: &str, text: &str) {
        let write = self.sso.update_permission_set().instance_arn(INSTANCE);
        let write = write.permission_set_arn(set).description(text);
        write.send().await.unwrap();
    }

    async fn provision(&self, set: &str) {
        let write = self.sso.provision_permission_set().instance_arn(INSTANCE);
        let write = write.permission_set_arn(set).target_id(OTHER_ACCOUNT);
        let write = write.target_type(ProvisionTargetType::AwsAccount);
        write.send().await.unwrap();
    }

    async fn provisionings(&self) -> usize {
        let read = self.sso.list_permission_set_provisioning_status();
        let read = read.instance_arn(INSTANCE).send().await.unwrap();
        read.permission_sets_provisioning_status
            .unwrap_or_default()
            .len()
    }

    /// The number of accounts where the set differs from its provisioned version.
    async fn behind(&self, set: &str) -> usize {
        let read = self.sso.list_accounts_for_provisioned_permission_set();
        let read = read.instance_arn(INSTANCE).permission_set_arn(set);
        let read = read.provisioning_status(ProvisioningStatus::LatestPermissionSetNotProvisioned);
        let read = read.send().await.unwrap();
        read.account_ids.unwrap_or_default().len()
    }

    async fn use_by(&self, who: &str, kind: PrincipalType) {
        let write = self.sso.create_application_assignment();
        let write = write.application_arn(APPLICATION).principal_id(who);
        write.principal_type(kind).send().await.unwrap();
    }

    async fn no_use_by(&self, who: &str, kind: PrincipalType) {
        let write = self.sso.delete_application_assignment();
        let write = write.application_arn(APPLICATION).principal_id(who);
        write.principal_type(kind).send().await.unwrap();
    }

    async fn uses(&self) -> usize {
        let read = self.sso.list_application_assignments();
        let read = read.application_arn(APPLICATION).send().await.unwrap();
        read.application_assignments.unwrap_or_default().len()
    }

    async fn is_used_by(&self, group: &str) -> bool {
        let read = self.sso.describe_application_assignment();
        let read = read.application_arn(APPLICATION).principal_id(group);
        let read = read.principal_type(PrincipalType::Group).send().await;
        read.is_ok()
    }

    async fn given(&self, who: &str) -> usize {
        let read = self.sso.list_account_assignments_for_principal();
        let read = read.instance_arn(INSTANCE).principal_id(who);
        let read = read.principal_type(PrincipalType::User).send().await;
        read.unwrap().account_assignments.unwrap_or_default().len()
    }

    async fn in_groups(&self, user: &str) -> usize {
        let read = self.store.list_group_memberships_for_member();
        let read = read.identity_store_id(IDENTITY_STORE);
        let read = read.member_id(MemberId::UserId(user.into()));
        read.send().await.unwrap().group_memberships.len()
    }

    async fn uses_of(&self, who: &str) -> usize {
        let read = self.sso.list_application_assignments_for_principal();
        let read = read.instance_arn(INSTANCE).principal_id(who);
        let read = read.principal_type(PrincipalType::User).send().await;
        let found = read.unwrap().application_assignments;
        found.unwrap_or_default().len()
    }
}

#[tokio::test]
async fn the_id_of_a_user() {
    let w = World::new();
    let ann = w.user("ann").await;
    let read = async || w.user_called("ann").await;
    w.is_invalidated_by("GetUserId", false, read, w.user("bob"))
        .await;
    let another = async {
        w.user_gone(&ann).await;
        w.user("ann").await
    };
    w.is_invalidated_by("GetUserId", true, read, another).await;
    w.survives("GetUserId", read, w.group("staff")).await;
}

#[tokio::test]
async fn the_id_of_a_group() {
    let w = World::new();
    let staff = w.group("staff").await;
    let read = async || w.group_called("staff").await;
    w.is_invalidated_by("GetGroupId", false, read, w.group("guests"))
        .await;
    let another = async {
        w.group_gone(&staff).await;
        w.group("staff").await
    };
    w.is_invalidated_by("GetGroupId", true, read, another).await;
    let (staff, guests) = (
        w.group_called("staff").await,
        w.group_called("guests").await,
    );
    let rename = async |group: Option<String>, name: &str| {
        let write = w.store.update_group().identity_store_id(IDENTITY_STORE);
        let write = write.group_id(group.unwrap());
        let write = write.operations(change("displayName", name));
        write.send().await.unwrap();
    };
    let swapped = async {
        rename(staff, "others").await;
        rename(guests, "staff").await;
    };
    w.is_invalidated_by("GetGroupId", true, read, swapped).await;
    w.survives("GetGroupId", read, w.user("ann")).await;
}

#[tokio::test]
async fn the_id_of_a_membership() {
    let w = World::new();
    let (ann, bob) = (w.user("ann").await, w.user("bob").await);
    let staff = w.group("staff").await;
    let joined = w.join(&ann, &staff).await;
    let read = async || w.membership_of(&ann, &staff).await;
    let again = async {
        w.membership_gone(&joined).await;
        w.join(&ann, &staff).await
    };
    w.is_invalidated_by("GetGroupMembershipId", true, read, again)
        .await;
    w.survives("GetGroupMembershipId", read, w.join(&bob, &staff))
        .await;
    let guests = w.group("guests").await;
    w.is_invalidated_by("GetGroupMembershipId", false, read, w.join(&ann, &guests))
        .await;
    let others = async || w.membership_of(&bob, &staff).await;
    w.survives("GetGroupMembershipId", others, w.join(&ann, &guests))
        .await;
    w.membership_gone(&read().await.unwrap()).await;
    assert_eq!(read().await, None, "by itself");
    w.join(&ann, &staff).await;
    assert!(read().await.is_some());
    w.user_gone(&ann).await;
    assert_eq!(read().await, None, "with its user");
    assert!(others().await.is_some());
    w.group_gone(&staff).await;
    assert_eq!(others().await, None, "with its group");
}

#[tokio::test]
async fn the_policies_of_a_permission_set() {
    let w = World::new();
    let (reader, writer) = (
        w.permission_set("reader").await,
        w.permission_set("writer").await,
    );
    let list = "ListManagedPoliciesInPermissionSet";
    let (managed, others) = (
        async || w.managed(&reader).await,
        async || w.managed(&writer).await,
    );
    w.is_invalidated_by(list, true, managed, w.attach(&reader, "arn:1"))
        .await;
    w.survives(list, others, w.attach(&reader, "arn:2")).await;
    w.is_invalidated_by(list, true, managed, w.detach(&reader, "arn:1"))
        .await;
    w.is_invalidated_by(
        "DescribePermissionSet",
        false,
        async || w.described_as(&reader).await,
        w.detach(&reader, "arn:2"),
    )
    .await;

    let list = "ListCustomerManagedPolicyReferencesInPermissionSet";
    let references = async || w.references(&reader).await;
    let attach = w
        .sso
        .attach_customer_managed_policy_reference_to_permission_set()
        .instance_arn(INSTANCE)
        .permission_set_arn(&reader)
        .customer_managed_policy_reference(reference("own"));
    w.is_invalidated_by(list, true, references, attach.send())
        .await;
    let detach = w
        .sso
        .detach_customer_managed_policy_reference_from_permission_set()
        .instance_arn(INSTANCE)
        .permission_set_arn(&reader)
        .customer_managed_policy_reference(reference("own"));
    w.is_invalidated_by(list, true, references, detach.send())
        .await;
}

#[tokio::test]
async fn the_boundary_of_a_permission_set() {
    let w = World::new();
    let (reader, writer) = (
        w.permission_set("reader").await,
        w.permission_set("writer").await,
    );
    w.bound(&reader, "arn:1").await;
    w.bound(&writer, "arn:1").await;
    let get = "GetPermissionsBoundaryForPermissionSet";
    let (boundary, others) = (
        async || w.boundary(&reader).await,
        async || w.boundary(&writer).await,
    );
    w.is_invalidated_by(get, true, boundary, w.bound(&reader, "arn:2"))
        .await;
    w.survives(get, others, w.bound(&reader, "arn:3")).await;
    assert_eq!(boundary().await.as_deref(), Some("arn:3"));
    let delete = w
        .sso
        .delete_permissions_boundary_from_permission_set()
        .instance_arn(INSTANCE)
        .permission_set_arn(&reader);
    delete.send().await.unwrap();
    assert_eq!(boundary().await, None);
}

#[tokio::test]
async fn provisioning() {
    let w = World::new();
    let ann = w.user("ann").await;
    let (reader, writer) = (
        w.permission_set("reader").await,
        w.permission_set("writer").await,
    );
    w.assign(&reader, &ann, false, OTHER_ACCOUNT).await;
    let behind = async || w.behind(&reader).await;
    let accounts = "ListAccountsForProvisionedPermissionSet";
    w.is_invalidated_by(accounts, true, behind, w.describe_set(&reader, "new"))
        .await;
    w.is_invalidated_by(accounts, true, behind, w.provision(&reader))
        .await;
    w.survives(accounts, behind, w.provision(&writer)).await;
    let list = "ListPermissionSetProvisioningStatus";
    let provisionings = async || w.provisionings().await;
    w.is_invalidated_by(list, true, provisionings, w.provision(&reader))
        .await;
    let assigned = w.assign(&writer, &ann, false, OTHER_ACCOUNT);
    w.is_invalidated_by(list, false, provisionings, assigned)
        .await;
}

#[tokio::test]
async fn an_application() {
    let w = World::new();
    let (ann, bob, eve) = (
        w.user("ann").await,
        w.user("bob").await,
        w.user("eve").await,
    );
    let (user, group) = (|| PrincipalType::User, || PrincipalType::Group);
    let staff = w.group("staff").await;
    let set = w.permission_set("reader").await;
    let (list, of_principal) = (
        "ListApplicationAssignments",
        "ListApplicationAssignmentsForPrincipal",
    );
    let uses = async || w.uses().await;
    let of_ann = async || w.uses_of(&ann).await;
    w.is_invalidated_by(list, true, uses, w.use_by(&ann, user()))
        .await;
    w.is_invalidated_by(list, true, uses, w.no_use_by(&ann, user()))
        .await;
    w.is_invalidated_by(of_principal, true, of_ann, w.use_by(&ann, user()))
        .await;
    w.is_invalidated_by(of_principal, true, of_ann, w.no_use_by(&ann, user()))
        .await;
    // Through a group.
    w.use_by(&staff, group()).await;
    w.is_invalidated_by(of_principal, true, of_ann, w.join(&ann, &staff))
        .await;
    w.survives(of_principal, of_ann, w.join(&bob, &staff)).await;
    w.survives(
        of_principal,
        of_ann,
        w.assign(&set, &ann, false, OTHER_ACCOUNT),
    )
    .await;
    // The people themselves.
    w.use_by(&eve, user()).await;
    w.is_invalidated_by(list, false, uses, w.rename(&ann, "Ann"))
        .await;
    w.is_invalidated_by(of_principal, false, of_ann, w.rename(&ann, "A"))
        .await;
    w.survives(of_principal, of_ann, w.rename(&eve, "E")).await;
    w.is_invalidated_by(list, true, uses, w.user_gone(&eve))
        .await;
    assert_eq!((of_ann().await, uses().await), (1, 1));
    assert!(w.is_used_by(&staff).await);
    w.is_invalidated_by(of_principal, true, of_ann, w.group_gone(&staff))
        .await;
    assert_eq!(uses().await, 0);
    assert!(!w.is_used_by(&staff).await);
}

#[tokio::test]
async fn the_assignments_of_a_group_and_a_permission_set() {
    let w = World::new();
    let (ann, staff) = (w.user("ann").await, w.group("staff").await);
    let joined = w.join(&ann, &staff).await;
    let set = w.permission_set("reader").await;
    w.assign(&set, &staff, true, OTHER_ACCOUNT).await;
    let (list, memberships) = (
        "ListAccountAssignmentsForPrincipal",
        "ListGroupMembershipsForMember",
    );
    let given = async || w.given(&ann).await;
    let groups = async || w.in_groups(&ann).await;
    w.is_invalidated_by(list, true, given, w.membership_gone(&joined))
        .await;
    w.join(&ann, &staff).await;
    let gone = async {
        let delete = w.sso.delete_permission_set().instance_arn(INSTANCE);
        delete.permission_set_arn(&set).send().await.unwrap();
    };
    w.is_invalidated_by(list, true, given, gone).await;
    w.is_invalidated_by(memberships, true, groups, w.group_gone(&staff))
        .await;
}
