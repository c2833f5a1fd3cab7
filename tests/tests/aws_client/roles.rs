//! A service without rules, in the Query protocol: the parameters of a write are in a form.

use crate::stage::World;

impl World {
    async fn role(&self, name: &str) {
        let write = self.iam.create_role().role_name(name).description("old");
        let write = write.assume_role_policy_document("{}");
        write.send().await.unwrap();
    }

    async fn describe_role(&self, name: &str, text: &str) {
        let write = self.iam.update_role().role_name(name).description(text);
        write.send().await.unwrap();
    }

    async fn roles(&self) -> Vec<Option<String>> {
        let found = self.iam.list_roles().send().await.unwrap().roles;
        found.into_iter().map(|role| role.description).collect()
    }

    async fn described_role(&self, name: &str) -> Option<String> {
        let read = self.iam.get_role().role_name(name).send().await.ok()?;
        read.role?.description
    }

    async fn role_policies(&self, name: &str) -> usize {
        let read = self.iam.list_attached_role_policies().role_name(name);
        let read = read.send().await.unwrap();
        read.attached_policies.unwrap_or_default().len()
    }

    async fn attach_to_role(&self, name: &str) {
        let write = self.iam.attach_role_policy().role_name(name);
        write
            .policy_arn("arn:aws:iam::aws:policy/p")
            .send()
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_write_invalidates_the_lists_and_its_resource() {
    let w = World::new();
    let list = "ListRoles";
    let roles = async || w.roles().await;
    w.is_invalidated_by(list, true, roles, w.role("reader"))
        .await;
    w.is_invalidated_by(list, true, roles, w.role("writer"))
        .await;
    let text = "new & 1 + 1 = <2>";
    w.is_invalidated_by(list, true, roles, w.describe_role("reader", text))
        .await;
    assert!(roles().await.contains(&Some(text.to_owned())));

    let reader = async || w.described_role("reader").await;
    let writer = async || w.described_role("writer").await;
    w.is_invalidated_by("GetRole", true, reader, w.describe_role("reader", "a"))
        .await;
    w.survives("GetRole", writer, w.describe_role("reader", "b"))
        .await;
    assert_eq!(reader().await.as_deref(), Some("b"));
    let policies = async || w.role_policies("reader").await;
    w.is_invalidated_by(
        "ListAttachedRolePolicies",
        true,
        policies,
        w.attach_to_role("reader"),
    )
    .await;

    let delete = w.iam.delete_role().role_name("reader").send();
    w.is_invalidated_by(list, true, roles, delete).await;
    assert_eq!(reader().await, None);
    assert!(writer().await.is_some());
}

#[tokio::test]
async fn a_refused_write_leaves_the_answers_true() {
    let w = World::new();
    w.role("reader").await;
    let roles = async || w.roles().await;
    let refused = async {
        let write = w.iam.update_role().role_name("nobody").send().await;
        assert!(
            write
                .unwrap_err()
                .into_service_error()
                .is_no_such_entity_exception()
        );
    };
    w.is_invalidated_by("ListRoles", false, roles, refused)
        .await;
    // Another service's write is nothing to it.
    w.survives("ListRoles", roles, w.user("ann")).await;
}
