//! The shipped rules, refused rules, and writes without a rule.

use bedrock_catalog_cache::{Key, Pattern};

use crate::parameters::Parameters;
use crate::rules::{Kind, Rules, service_word};

fn shipped() -> Rules {
    Rules::from_json(include_str!("../rules.json")).unwrap()
}

/// The key of a read that names these.
fn key(service: &str, operation: &str, named: &[&str]) -> Key {
    let parameters = Parameters::given(named.iter().map(|name| ("Name", *name)));
    let ids = parameters.resource_ids(operation, &[]);
    let ids = ids.iter().map(String::as_str);
    let all = named.is_empty().then_some("all");
    let digest = "0".repeat(32);
    let names = [service, operation].into_iter().chain(all).chain(ids);
    Key::from_parts(names.chain([digest.as_str()]))
}

fn invalidates(pattern: &Pattern, key: &Key) -> bool {
    pattern.matches(key)
}

#[test]
fn the_name_of_an_operation_says_its_role() {
    let rules = shipped();
    let all = [
        ("identitystore", "ListUsers", Kind::Read),
        (
            "bedrock",
            "GetModelInvocationLoggingConfiguration",
            Kind::Read,
        ),
        ("ec2", "DescribeInstances", Kind::Read),
        ("sts", "GetCallerIdentity", Kind::Read),
        ("dynamodb", "GetItem", Kind::Neutral),
        ("dynamodb", "PutItem", Kind::Neutral),
        ("dynamodb", "DescribeTable", Kind::Read),
        ("dynamodb", "UpdateTable", Kind::Write),
        ("s3", "ListObjectsV2", Kind::Neutral),
        ("s3", "GetBucketPolicy", Kind::Read),
        ("cloudwatch", "GetMetricData", Kind::Neutral),
        ("secretsmanager", "GetSecretValue", Kind::Neutral),
        ("sts", "GetSessionToken", Kind::Neutral),
        ("sts", "GetFederationToken", Kind::Neutral),
        ("ecr", "GetAuthorizationToken", Kind::Neutral),
        (
            "cognito-identity",
            "GetCredentialsForIdentity",
            Kind::Neutral,
        ),
        ("cognito-identity", "GetOpenIdToken", Kind::Neutral),
        ("sso", "GetRoleCredentials", Kind::Neutral),
        ("redshift", "GetClusterCredentials", Kind::Neutral),
        ("ec2", "GetPasswordData", Kind::Neutral),
        ("kms", "GetPublicKey", Kind::Neutral),
        ("iam", "GetAccessKeyLastUsed", Kind::Neutral),
        ("s3", "GetObject", Kind::Neutral),
        ("lambda", "GetFunction", Kind::Neutral),
        ("bedrock", "GetModelCustomizationJob", Kind::Neutral),
        ("sts", "AssumeRole", Kind::Neutral),
        ("bedrock-runtime", "Converse", Kind::Neutral),
        ("dynamodb", "BatchGetItem", Kind::Neutral),
        ("sqs", "SendMessage", Kind::Neutral),
        ("sqs", "CreateQueue", Kind::Write),
        ("ivs", "GetStreamKey", Kind::Neutral),
        (
            "cognito-identity-provider",
            "DescribeUserPoolClient",
            Kind::Neutral,
        ),
        ("identitystore", "IsMemberInGroups", Kind::Neutral),
        ("identitystore", "CreateUser", Kind::Write),
        ("some", "ProvisionThing", Kind::Write),
        ("some", "UnheardOf", Kind::Write),
        ("some", "Getaway", Kind::Write),
        ("some", "Listen", Kind::Write),
        ("ses", "VerifyEmailIdentity", Kind::Write),
        ("ses", "VerifyDomainIdentity", Kind::Write),
        (
            "cognito-identity-provider",
            "VerifyUserAttribute",
            Kind::Write,
        ),
        ("kms", "Verify", Kind::Neutral),
        ("kms", "VerifyMac", Kind::Neutral),
        ("license-manager", "CheckoutLicense", Kind::Write),
        ("license-manager", "CheckInLicense", Kind::Write),
        ("accessanalyzer", "CheckNoNewAccess", Kind::Neutral),
        ("route-53-domains", "CheckDomainAvailability", Kind::Neutral),
        ("acm-pca", "IssueCertificate", Kind::Write),
        ("some", "Isolate", Kind::Write),
        ("some", "HeaderRewrite", Kind::Write),
        ("some", "LookupsReset", Kind::Write),
        ("lambda", "Invoke", Kind::Neutral),
        ("lambda", "InvokeAsync", Kind::Neutral),
        ("firehose", "PutRecordBatch", Kind::Neutral),
        ("kinesis", "PutRecords", Kind::Neutral),
        ("xray", "PutTraceSegments", Kind::Neutral),
        ("sqs", "DeleteMessageBatch", Kind::Neutral),
    ];
    for (service, operation, kind) in all {
        assert_eq!(
            rules.kind(service, operation),
            kind,
            "{service}:{operation}"
        );
    }
    assert_eq!(service_word("SSO Admin"), "sso-admin");
    assert_eq!(service_word("Bedrock Runtime"), "bedrock-runtime");
}

/// People put secrets into free pairs of names and values, where the name is a value itself.
#[test]
fn answers_with_free_pairs_of_names_and_values_are_not_cached() {
    let rules = shipped();
    for (service, operations) in [
        ("ecs", "DescribeTaskDefinition DescribeTasks"),
        (
            "lambda",
            "GetFunction GetFunctionConfiguration ListFunctions ListVersionsByFunction",
        ),
        (
            "cloudformation",
            "DescribeStacks DescribeStackSet DescribeStackEvents DescribeChangeSet GetTemplate \
             GetTemplateSummary",
        ),
        ("codebuild", "BatchGetProjects BatchGetBuilds"),
        ("batch", "DescribeJobs DescribeJobDefinitions"),
        (
            "glue",
            "GetConnection GetConnections GetJob GetJobs GetTrigger GetDevEndpoints",
        ),
        (
            "ssm",
            "GetParameter GetParameters GetParametersByPath GetParameterHistory",
        ),
        (
            "ec2",
            "DescribeInstanceAttribute DescribeLaunchTemplateVersions GetLaunchTemplateData",
        ),
        ("auto-scaling", "DescribeLaunchConfigurations"),
        ("elastic-beanstalk", "DescribeConfigurationSettings"),
        ("amplify", "GetApp ListApps GetBranch ListBranches"),
        ("apprunner", "DescribeService"),
        ("sagemaker", "DescribeModel"),
        ("bedrock-agentcore-control", "GetAgentRuntime"),
    ] {
        for operation in operations.split_whitespace() {
            let kind = rules.kind(service, operation);
            assert_eq!(kind, Kind::Neutral, "{service}:{operation}");
        }
    }
}

/// Operations of the data plane change nothing that is cached.
#[test]
fn the_data_plane_is_neutral() {
    let rules = shipped();
    let neither = [
        (
            "bedrock-runtime",
            "ApplyGuardrail Converse ConverseStream CountTokens InvokeGuardrailChecks InvokeModel \
             InvokeModelWithResponseStream InvokeModelWithBidirectionalStream",
        ),
        (
            "bedrock-agent-runtime",
            "GenerateQuery InvokeFlow InvokeInlineAgent OptimizePrompt Rerank Retrieve RetrieveAndGenerate \
             RetrieveAndGenerateStream",
        ),
        (
            "sagemaker-runtime",
            "InvokeEndpoint InvokeEndpointWithResponseStream",
        ),
        (
            "cloudwatch-logs",
            "FilterLogEvents StartQuery StopQuery StartLiveTail TestMetricFilter",
        ),
        ("cloudtrail", "LookupEvents StartQuery CancelQuery"),
        ("timestream-query", "Query PrepareQuery CancelQuery"),
        (
            "kms",
            "Encrypt Decrypt GenerateDataKey GenerateRandom ReEncrypt Sign Verify",
        ),
        (
            "comprehend",
            "DetectSentiment BatchDetectEntities ClassifyDocument ContainsPiiEntities",
        ),
        (
            "rekognition",
            "DetectLabels CompareFaces RecognizeCelebrities",
        ),
        ("textract", "AnalyzeDocument DetectDocumentText"),
        ("translate", "TranslateText"),
        ("polly", "SynthesizeSpeech"),
        ("kendra", "Query Retrieve"),
        (
            "sts",
            "AssumeRoleWithWebIdentity DecodeAuthorizationMessage",
        ),
        ("sso-oidc", "CreateToken StartDeviceAuthorization"),
    ];
    for (service, operations) in neither {
        for operation in operations.split_ascii_whitespace() {
            assert_eq!(
                rules.kind(service, operation),
                Kind::Neutral,
                "{service}:{operation}"
            );
        }
    }
    // Their names are similar, and they are writes.
    let writes = [
        ("bedrock-runtime", "StartAsyncInvoke"),
        ("bedrock-agent-runtime", "InvokeAgent"),
        ("bedrock-agent-runtime", "DeleteAgentMemory"),
        ("cloudwatch-logs", "PutQueryDefinition"),
        ("cloudformation", "DetectStackDrift"),
        ("kms", "ScheduleKeyDeletion"),
        ("rekognition", "IndexFaces"),
        ("translate", "ImportTerminology"),
        ("acm-pca", "IssueCertificate"),
        ("license-manager", "CheckoutLicense"),
        ("ses", "VerifyEmailIdentity"),
    ];
    for (service, operation) in writes {
        assert_eq!(
            rules.kind(service, operation),
            Kind::Write,
            "{service}:{operation}"
        );
    }
    // They invalidate no more than they change.
    let pattern = rules.invalidated_by("bedrock-runtime", "StartAsyncInvoke", []);
    assert!(invalidates(
        &pattern,
        &key("bedrock-runtime", "ListAsyncInvokes", &[])
    ));
    assert!(!invalidates(
        &pattern,
        &key("bedrock-runtime", "GetAsyncInvoke", &["one"])
    ));
    let pattern = rules.invalidated_by("bedrock-agent-runtime", "InvokeAgent", [("agentId", "a")]);
    assert!(invalidates(
        &pattern,
        &key("bedrock-agent-runtime", "GetAgentMemory", &["a"])
    ));
    assert!(!invalidates(
        &pattern,
        &key("bedrock-agent-runtime", "ListSessions", &[])
    ));
}

#[test]
fn answers_that_change_by_themselves_or_are_good_once_are_not_cached() {
    let rules = shipped();
    for (service, operation) in [
        // The read takes or creates something.
        ("sfn", "GetActivityTask"),
        ("cognito-identity", "GetId"),
        ("appconfigdata", "GetLatestConfiguration"),
        ("bedrock", "GetAutomatedReasoningPolicyNextScenario"),
        ("bedrock", "ListFoundationModelAgreementOffers"),
        // A later write names the version that was read.
        ("cloudfront", "GetDistributionConfig"),
        ("cloudfront", "GetCachePolicy"),
        // Positions and data.
        ("cloudwatch-logs", "GetLogEvents"),
        ("ebs", "GetSnapshotBlock"),
        ("ec2", "GetConsoleOutput"),
        ("ec2", "GetConsoleScreenshot"),
        ("lex-runtime-v2", "GetSession"),
        ("iot-data-plane", "GetThingShadow"),
        // The state of this moment.
        ("bedrock", "GetAutomatedReasoningPolicyBuildWorkflow"),
        ("glue", "GetWorkflowRun"),
        ("glue", "GetStatement"),
        ("sfn", "ListMapRuns"),
        ("redshift-data", "DescribeStatement"),
        ("cloudwatch-logs", "DescribeQueries"),
        ("emr", "DescribeStep"),
        ("emr", "ListSteps"),
        ("codedeploy", "GetDeployment"),
        ("ec2", "DescribeExportTasks"),
        ("ec2", "DescribeImportImageTasks"),
        ("elastic-load-balancing-v2", "DescribeTargetHealth"),
        ("elastic-load-balancing", "DescribeInstanceHealth"),
        ("elastic-beanstalk", "DescribeEnvironmentHealth"),
        ("route-53", "GetHealthCheckStatus"),
        ("ec2", "DescribeInstanceStatus"),
        ("ssm", "GetConnectionStatus"),
        ("ssm", "GetCalendarState"),
        ("sqs", "GetQueueAttributes"),
        // Links and keys.
        ("datazone", "GetIamPortalLoginUrl"),
        ("api-gateway", "GetApiKey"),
        ("api-gateway", "GetApiKeys"),
        ("api-gateway", "GetUsagePlanKey"),
        ("api-gateway", "GetUsagePlanKeys"),
        ("location", "DescribeKey"),
        ("location", "ListKeys"),
        // Reads with another verb.
        ("cloudwatch-logs", "FilterLogEvents"),
        ("cognito-identity-provider", "AdminGetUser"),
        ("cognito-identity-provider", "AdminListGroupsForUser"),
        ("dynamodb", "TransactGetItems"),
        ("kms", "Decrypt"),
        ("kms", "GenerateDataKeyWithoutPlaintext"),
        ("rds", "DownloadDBLogFilePortion"),
        ("s3", "CreateSession"),
        ("bedrock-runtime", "InvokeGuardrailChecks"),
        ("bedrock-agent-runtime", "RetrieveAndGenerate"),
    ] {
        let kind = rules.kind(service, operation);
        assert_eq!(kind, Kind::Neutral, "{service}:{operation}");
    }
    for (service, operation) in [
        ("sqs", "GetQueueUrl"),
        ("codedeploy", "GetDeploymentGroup"),
        ("ecs", "DescribeServices"),
        ("ec2", "DescribeInstances"),
        ("route-53", "GetHealthCheck"),
        ("cloudfront", "ListDistributions"),
        ("cloudwatch-logs", "DescribeLogGroups"),
        ("lambda", "ListAliases"),
        ("cloudformation", "ListStackResources"),
        ("glue", "GetTable"),
        ("lambda", "GetRuntimeManagementConfig"),
        ("emr", "DescribeCluster"),
        ("bedrock", "ListFoundationModels"),
    ] {
        let kind = rules.kind(service, operation);
        assert_eq!(kind, Kind::Read, "{service}:{operation}");
    }
    for (service, operation) in [
        ("cognito-identity-provider", "AdminDeleteUser"),
        ("cloudwatch-logs", "PutRetentionPolicy"),
        ("kms", "CreateKey"),
        ("s3", "CreateBucket"),
        ("storage-gateway", "RetrieveTapeArchive"),
    ] {
        let kind = rules.kind(service, operation);
        assert_eq!(kind, Kind::Write, "{service}:{operation}");
    }
}

#[test]
fn a_write_without_a_rule_invalidates_the_lists_and_its_resource() {
    let rules = shipped();
    let pattern = rules.invalidated_by(
        "iam",
        "UpdateRole",
        [("RoleName", "reader"), ("Description", "text")],
    );
    for (operation, named, invalidated) in [
        ("ListRoles", vec![], true),
        ("ListAttachedRolePolicies", vec!["another"], true),
        ("GetAccountSummary", vec![], true),
        ("DescribeRoles", vec!["running"], true),
        ("GetRole", vec!["reader"], true),
        ("GetRolePolicy", vec!["policy", "reader"], true),
        ("GetRolePolicy", vec!["reader", "policy"], true),
        (
            "GetRole",
            vec!["arn:aws:iam::111111111111:role/path/reader"],
            true,
        ),
        ("GetRole", vec!["/path/reader"], true),
        ("GetRole", vec!["reader:$LATEST"], true),
        ("GetRole", vec!["https://iam.example:443/path/reader"], true),
        ("GetRole", vec!["writer"], false),
        ("GetRole", vec!["/reader/writer"], false),
        ("GetRole", vec!["a text, and reader: a word"], false),
        ("GetRolePolicy", vec!["writer", "policy"], false),
    ] {
        assert_eq!(
            invalidates(&pattern, &key("iam", operation, &named)),
            invalidated,
            "{operation} {named:?}"
        );
    }
    assert!(
        !invalidates(&pattern, &key("ec2", "ListRoles", &[])),
        "another service"
    );
    // The write names a path or a version; the read named the ARN or the name.
    let parameter = "arn:aws:ssm:us-east-1:111111111111:parameter/app/x";
    for (named, read) in [("/app/x", parameter), (parameter, "/app/x"), ("x:7", "x")] {
        let pattern = rules.invalidated_by("ssm", "PutParameter", [("Name", named)]);
        let of = |read| key("ssm", "GetParameter", &[read]);
        assert!(invalidates(&pattern, &of(read)), "{named} and {read}");
        assert!(!invalidates(&pattern, &of("/app/y")), "{named}");
    }
    // Lists whose plural is not at the end.
    for (service, operation, named) in [
        ("ssm", "GetParametersByPath", "/app/db"),
        ("ssm", "GetMaintenanceWindowsForTarget", "w-1"),
        ("ec2", "DescribeThingsByOwner", "o"),
        ("ssm", "DescribePatchGroupsForPatchBaseline", "b"),
    ] {
        let pattern = rules.invalidated_by(service, "PutParameter", [("Name", "/app/db/host")]);
        let list = key(service, operation, &[named]);
        assert!(invalidates(&pattern, &list), "{operation}");
    }
    // A key with many names is shortened; it is invalidated to be safe.
    let many: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(invalidates(&pattern, &key("iam", "GetRole", &many)));
    // Without a resource, the whole service is invalidated.
    let pattern = rules.invalidated_by("iam", "UpdateAccountPasswordPolicy", []);
    assert!(invalidates(&pattern, &key("iam", "GetRole", &["writer"])));
    assert!(!invalidates(
        &pattern,
        &key("sts", "GetCallerIdentity", &[])
    ));
}

#[test]
fn a_missing_parameter_invalidates_all_entries_of_the_operation() {
    let rules = shipped();
    let named = rules.invalidated_by("identitystore", "UpdateUser", [("UserId", "u-1")]);
    let unnamed = rules.invalidated_by("identitystore", "UpdateUser", []);
    let other = key("identitystore", "DescribeUser", &["u-2"]);
    assert!(!invalidates(&named, &other));
    assert!(invalidates(&unnamed, &other));
    assert!(
        invalidates(
            &named,
            &key("sso-admin", "ListAccountAssignmentsForPrincipal", &["u-1"])
        ),
        "across services"
    );
    assert!(!invalidates(
        &named,
        &key("sso-admin", "ListAccountAssignmentsForPrincipal", &["u-2"])
    ));
}

#[test]
fn invalid_rules_are_refused_with_their_text() {
    let write = |operations: &str, targets: &str| {
        format!(
            r#"{{"format":1,"writes":[{{"service":"s","operations":[{operations}],"invalidates":[{targets}]}}]}}"#
        )
    };
    let bad = [
        ("{}".to_owned(), "format"),
        (r#"{"format":2}"#.to_owned(), "format 2"),
        (r#"{"format":1,"uncashed":[]}"#.to_owned(), "uncashed"),
        (r#"{"format":1,"uncached":[{"why":"w","operations":["GetThing"]}]}"#.to_owned(), "GetThing"),
        (r#"{"format":1,"uncached":[{"why":"w","operations":[":*"]}]}"#.to_owned(), ":*"),
        (r#"{"format":1,"neutral":[""]}"#.to_owned(), "service:Operation"),
        (r#"{"format":1,"neutral":["s:*Thing"]}"#.to_owned(), "*Thing"),
        (r#"{"format":1,"secrets":{"members":["a b"]}}"#.to_owned(), "a b"),
        (r#"{"format":1,"in_motion":{"words":[""]}}"#.to_owned(), "letters"),
        (r#"{"format":1,"scopes":{"s":["a b"]}}"#.to_owned(), "a b"),
        (write("", r#""s:A""#), "empty list"),
        (write(r#""A""#, ""), "empty list"),
        (write(r#""A""#, r#""""#), "service:Operation"),
        (write(r#""A""#, r#""s""#), "service:Operation"),
        (write(r#""A""#, r#""s:""#), "service:Operation"),
        (write(r#""A""#, r#""s:A:""#), "s:A:"),
        (write(r#""A""#, r#""s:A:{}""#), "s:A:{}"),
        (write(r#""A""#, r#""s:A:{X""#), "s:A:{X"),
        (write(r#""A""#, r#""s:A:X}""#), "s:A:X}"),
        (write(r#""A""#, r#""s:A:{X}{Y}""#), "{X}{Y}"),
        (write(r#""A""#, r#""s:A:{X}:{Y}""#), "{X}:{Y}"),
        (write(r#""A b""#, r#""s:A""#), "A b"),
        (r#"{"format":1,"writes":[{"service":"","operations":["A"],"invalidates":["s:A"]}]}"#.to_owned(), "letters"),
        (r#"{"format":1,"writes":[{"service":"s","operations":["A"],"path":"x/{y}","invalidates":["s:A"]}]}"#.to_owned(), "slash"),
    ];
    for (json, named) in bad {
        let error = Rules::from_json(&json).expect_err(&json);
        assert!(error.to_string().contains(named), "{json}: {error}");
    }
    Rules::from_json(&write(r#""A""#, r#""unheard-of:Any*:{X.y_z-1}""#)).unwrap();
}

#[test]
fn rules_add_up() {
    let own =
        r#"{"format":1,"writes":[{"service":"s","operations":["A"],"invalidates":["s:GetA"]}]}"#;
    let more = r#"{"format":1,"writes":[{"service":"s","operations":["A"],"invalidates":["s:GetB"]}],"neutral":["s:B"]}"#;
    let rules = Rules::from_json(own)
        .unwrap()
        .and(Rules::from_json(more).unwrap());
    let pattern = rules.invalidated_by("s", "A", []);
    assert!(
        invalidates(&pattern, &key("s", "GetA", &[]))
            && invalidates(&pattern, &key("s", "GetB", &[]))
    );
    assert_eq!(rules.kind("s", "B"), Kind::Neutral);
    assert_eq!(
        Rules::none().kind("secretsmanager", "GetSecretValue"),
        Kind::Read
    );
}
