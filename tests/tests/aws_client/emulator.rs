//! Against an emulator of another project: `BEDROCK_CATALOG_EMULATOR` is its URL. It counts no requests, so
//! these tests read the client's own statistics.

use aws_sdk_bedrock::types::{LoggingConfig, OutputDataConfig, S3Config, Tag, TrainingDataConfig};
use aws_sdk_identitystore::types::{MemberId, Name};
use aws_sdk_ssoadmin::types::{PrincipalType, TargetType};

use crate::stage::{ACCOUNT, bedrock, cached, config, credentials, sso, store};

fn emulator(test: &str) -> Option<String> {
    let url = std::env::var("BEDROCK_CATALOG_EMULATOR").ok();
    if url.is_none() {
        bedrock_catalog_test_support::leave_out(test, "BEDROCK_CATALOG_EMULATOR is not set");
    }
    url
}

#[tokio::test]
async fn people_and_permissions_at_an_emulator() {
    let Some(url) = emulator("people_and_permissions_at_an_emulator") else {
        return;
    };
    let cached = cached(|builder| builder);
    let config = config(&url, credentials("AKIDEMULATOR", Some(ACCOUNT)));
    let (store, sso) = (store(&config, &cached), sso(&config, &cached));
    let asked = || cached.statistics().misses;
    let identities = "d-9067028cf5";
    let instances = sso.list_instances().send().await.unwrap();
    let instance = instances.instances.unwrap_or_default().into_iter().next();
    let instance = instance.and_then(|instance| instance.instance_arn);
    let instance = instance
        .as_deref()
        .unwrap_or("arn:aws:sso:::instance/ssoins-9067028cf5");

    let name = Name::builder()
        .given_name("Ann")
        .family_name("Example")
        .build();
    let made = store
        .create_user()
        .identity_store_id(identities)
        .user_name(format!("ann-{}", std::process::id()));
    let user = made
        .name(name.clone())
        .display_name("ann")
        .send()
        .await
        .unwrap()
        .user_id;
    let users = async || {
        let listed = store
            .list_users()
            .identity_store_id(identities)
            .send()
            .await
            .unwrap()
            .users;
        listed.into_iter().find(|listed| listed.user_id == user)
    };
    let described = async || {
        let described = store
            .describe_user()
            .identity_store_id(identities)
            .user_id(&user)
            .send()
            .await;
        described.unwrap().display_name
    };
    assert_eq!(
        users().await.and_then(|user| user.display_name).as_deref(),
        Some("ann")
    );
    assert_eq!(described().await.as_deref(), Some("ann"));
    let before = asked();
    assert!(users().await.is_some() && described().await.is_some());
    assert_eq!(asked(), before, "no request");
    let other = store.create_user().identity_store_id(identities);
    let other = other
        .user_name(format!("bob-{}", std::process::id()))
        .name(name);
    let other = other.display_name("bob").send().await.unwrap().user_id;
    let listed = store.list_users().identity_store_id(identities);
    let listed = listed.send().await.unwrap().users;
    assert!(listed.iter().any(|user| user.user_id == other), "new data");
    assert_eq!(described().await.as_deref(), Some("ann"));
    assert_eq!(asked(), before + 1, "the list, and not the user");

    let made = store.create_group().identity_store_id(identities);
    let made = made.display_name(format!("staff-{}", std::process::id()));
    let group = made.send().await.unwrap().group_id;
    let members = async || {
        let listed = store
            .list_group_memberships()
            .identity_store_id(identities)
            .group_id(&group);
        listed.send().await.unwrap().group_memberships.len()
    };
    assert_eq!((members().await, members().await), (0, 0));
    let joined = store
        .create_group_membership()
        .identity_store_id(identities)
        .group_id(&group);
    let joined = joined
        .member_id(MemberId::UserId(user.clone()))
        .send()
        .await
        .unwrap()
        .membership_id;
    assert_eq!(members().await, 1);
    let left = store
        .delete_group_membership()
        .identity_store_id(identities);
    left.membership_id(joined).send().await.unwrap();
    assert_eq!(members().await, 0);

    let made = sso.create_permission_set().instance_arn(instance);
    let made = made
        .name(format!("set{}", std::process::id()))
        .session_duration("PT1H")
        .send()
        .await
        .unwrap();
    let set = made.permission_set.unwrap().permission_set_arn.unwrap();
    let description = async || {
        let described = sso
            .describe_permission_set()
            .instance_arn(instance)
            .permission_set_arn(&set);
        described
            .send()
            .await
            .unwrap()
            .permission_set
            .unwrap()
            .description
    };
    description().await;
    let write = sso
        .update_permission_set()
        .instance_arn(instance)
        .permission_set_arn(&set);
    write
        .description("new")
        .session_duration("PT1H")
        .send()
        .await
        .unwrap();
    assert_eq!(description().await.as_deref(), Some("new"));
    let assignments = async || {
        let listed = sso
            .list_account_assignments()
            .instance_arn(instance)
            .account_id(ACCOUNT);
        let listed = listed.permission_set_arn(&set).send().await.unwrap();
        listed.account_assignments.unwrap_or_default().len()
    };
    assert_eq!((assignments().await, assignments().await), (0, 0));
    let write = sso
        .create_account_assignment()
        .instance_arn(instance)
        .permission_set_arn(&set);
    let write = write
        .principal_id(&user)
        .principal_type(PrincipalType::User);
    write
        .target_id(ACCOUNT)
        .target_type(TargetType::AwsAccount)
        .send()
        .await
        .unwrap();
    assert_eq!(assignments().await, 1);
    let write = sso
        .delete_account_assignment()
        .instance_arn(instance)
        .permission_set_arn(&set);
    let write = write
        .principal_id(&user)
        .principal_type(PrincipalType::User);
    write
        .target_id(ACCOUNT)
        .target_type(TargetType::AwsAccount)
        .send()
        .await
        .unwrap();
    assert_eq!(assignments().await, 0);

    store
        .delete_user()
        .identity_store_id(identities)
        .user_id(&user)
        .send()
        .await
        .unwrap();
    assert!(users().await.is_none());
}

#[tokio::test]
async fn tags_and_logging_at_an_emulator() {
    let Some(url) = emulator("tags_and_logging_at_an_emulator") else {
        return;
    };
    let cached = cached(|builder| builder);
    let config = config(&url, credentials("AKIDEMULATOR", Some(ACCOUNT)));
    let bedrock = bedrock(&config, &cached);
    let asked = || cached.statistics().misses;

    let logged = async || {
        let answer = bedrock.get_model_invocation_logging_configuration().send();
        let logging = answer.await.unwrap().logging_config;
        logging.and_then(|logging| logging.text_data_delivery_enabled)
    };
    let log = async |text: bool| {
        let bucket = S3Config::builder().bucket_name("logs").build().unwrap();
        let logging = LoggingConfig::builder()
            .s3_config(bucket)
            .text_data_delivery_enabled(text)
            .build();
        let write = bedrock.put_model_invocation_logging_configuration();
        write.logging_config(logging).send().await.unwrap();
    };
    log(true).await;
    assert_eq!(logged().await, Some(true));
    let before = asked();
    assert_eq!(logged().await, Some(true));
    assert_eq!(asked(), before, "no request");
    log(false).await;
    assert_eq!(logged().await, Some(false));
    let write = bedrock.delete_model_invocation_logging_configuration();
    write.send().await.unwrap();
    assert_eq!(logged().await, None);

    // The SDK does not read the times in the emulator's list of custom models; tags have no times.
    let out = OutputDataConfig::builder().s3_uri("s3://out").build();
    let made = bedrock
        .create_model_customization_job()
        .job_name(format!("job-{}", std::process::id()))
        .custom_model_name(format!("ours-{}", std::process::id()))
        .role_arn(format!("arn:aws:iam::{ACCOUNT}:role/tuner"))
        .base_model_identifier("anthropic.claude-v2")
        .training_data_config(TrainingDataConfig::builder().s3_uri("s3://in").build())
        .output_data_config(out.unwrap());
    let job = made.send().await.unwrap().job_arn;
    let tags = async || {
        let listed = bedrock.list_tags_for_resource().resource_arn(&job);
        listed.send().await.unwrap().tags.unwrap_or_default().len()
    };
    assert_eq!(tags().await, 0);
    let before = asked();
    assert_eq!(tags().await, 0);
    assert_eq!(asked(), before, "no request");
    let tag = Tag::builder().key("team").value("ours").build().unwrap();
    let write = bedrock.tag_resource().resource_arn(&job).tags(tag);
    write.send().await.unwrap();
    assert_eq!(tags().await, 1);
    let write = bedrock.untag_resource().resource_arn(&job);
    write.tag_keys("team").send().await.unwrap();
    assert_eq!(tags().await, 0);
}
