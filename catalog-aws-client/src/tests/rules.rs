//! The rules that are shipped, those that are refused, and what is done where there are none.

use super::super::parameters::Parameters;
use super::super::rules::{Kind, Rules, service_word};
use bedrock_catalog_cache::{Key, Pattern};

fn shipped() -> Rules {
    Rules::from_json(include_str!("../rules.json")).unwrap()
}

/// The key of a read that names these.
fn key(service: &str, operation: &str, named: &[&str]) -> Key {
    let named: Vec<_> = named.iter().map(|name| ("Name", *name)).collect();
    let tags = Parameters::given(named).tags(operation, &[]);
    let mut tags = tags.iter().map(String::as_str);
    let key = Key::new(service, operation, tags.next().unwrap_or("all"));
    tags.fold(key, |key, tag| key.sub(tag)).sub(&"0".repeat(32))
}

fn drops(pattern: &Pattern, key: &Key) -> bool {
    pattern.matches(key)
}

#[test]
fn operations_are_what_their_names_say() {
    let rules = shipped();
    let read = Kind::Read { unless: vec![] };
    let all = [
        ("identitystore", "ListUsers", read.clone()),
        (
            "bedrock",
            "GetModelInvocationLoggingConfiguration",
            read.clone(),
        ),
        ("ec2", "DescribeInstances", read.clone()),
        ("sts", "GetCallerIdentity", read),
        (
            "dynamodb",
            "GetItem",
            Kind::Read {
                unless: vec!["ConsistentRead".into()],
            },
        ),
        ("secretsmanager", "GetSecretValue", Kind::Other),
        ("sts", "GetSessionToken", Kind::Other),
        ("sts", "GetFederationToken", Kind::Other),
        ("ecr", "GetAuthorizationToken", Kind::Other),
        ("cognito-identity", "GetCredentialsForIdentity", Kind::Other),
        ("cognito-identity", "GetOpenIdToken", Kind::Other),
        ("sso", "GetRoleCredentials", Kind::Other),
        ("redshift", "GetClusterCredentials", Kind::Other),
        ("ec2", "GetPasswordData", Kind::Other),
        ("kms", "GetPublicKey", Kind::Other),
        ("iam", "GetAccessKeyLastUsed", Kind::Other),
        ("s3", "GetObject", Kind::Other),
        ("lambda", "GetFunction", Kind::Other),
        ("bedrock", "GetModelCustomizationJob", Kind::Other),
        ("sts", "AssumeRole", Kind::Other),
        ("bedrock-runtime", "Converse", Kind::Other),
        ("dynamodb", "BatchGetItem", Kind::Other),
        ("sqs", "SendMessage", Kind::Other),
        ("sqs", "CreateQueue", Kind::Write),
        ("ivs", "GetStreamKey", Kind::Other),
        (
            "cognito-identity-provider",
            "DescribeUserPoolClient",
            Kind::Other,
        ),
        ("identitystore", "IsMemberInGroups", Kind::Other),
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
        ("kms", "Verify", Kind::Other),
        ("kms", "VerifyMac", Kind::Other),
        ("license-manager", "CheckoutLicense", Kind::Write),
        ("license-manager", "CheckInLicense", Kind::Write),
        ("accessanalyzer", "CheckNoNewAccess", Kind::Other),
        ("route-53-domains", "CheckDomainAvailability", Kind::Other),
        ("acm-pca", "IssueCertificate", Kind::Write),
        ("some", "Isolate", Kind::Write),
        ("some", "HeaderRewrite", Kind::Write),
        ("some", "LookupsReset", Kind::Write),
        ("lambda", "Invoke", Kind::Other),
        ("lambda", "InvokeAsync", Kind::Other),
        ("firehose", "PutRecordBatch", Kind::Other),
        ("kinesis", "PutRecords", Kind::Other),
        ("xray", "PutTraceSegments", Kind::Other),
        ("sqs", "DeleteMessageBatch", Kind::Other),
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

/// People put secrets into what they are free to name: the name is a value there, which no look finds.
#[test]
fn what_is_answered_as_free_pairs_of_names_and_values_is_not_kept() {
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
            assert_eq!(kind, Kind::Other, "{service}:{operation}");
        }
    }
}

/// What is computed, sent or looked up by a POST changes nothing that is kept.
#[test]
fn the_data_plane_is_neither_read_nor_written() {
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
                Kind::Other,
                "{service}:{operation}"
            );
        }
    }
    // They sound alike, and change something.
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
    // And no more than they change.
    let pattern = rules.drops("bedrock-runtime", "StartAsyncInvoke", []);
    assert!(drops(
        &pattern,
        &key("bedrock-runtime", "ListAsyncInvokes", &[])
    ));
    assert!(!drops(
        &pattern,
        &key("bedrock-runtime", "GetAsyncInvoke", &["one"])
    ));
    let pattern = rules.drops("bedrock-agent-runtime", "InvokeAgent", [("agentId", "a")]);
    assert!(drops(
        &pattern,
        &key("bedrock-agent-runtime", "GetAgentMemory", &["a"])
    ));
    assert!(!drops(
        &pattern,
        &key("bedrock-agent-runtime", "ListSessions", &[])
    ));
}

#[test]
fn what_changes_by_itself_or_is_good_once_is_asked_each_time() {
    let rules = shipped();
    for (service, operation) in [
        // Asking takes or makes something.
        ("sfn", "GetActivityTask"),
        ("cognito-identity", "GetId"),
        ("appconfigdata", "GetLatestConfiguration"),
        ("bedrock", "GetAutomatedReasoningPolicyNextScenario"),
        ("bedrock", "ListFoundationModelAgreementOffers"),
        // A later write has to name the version that was read.
        ("cloudfront", "GetDistributionConfig"),
        ("cloudfront", "GetCachePolicy"),
        // Positions and data.
        ("cloudwatch-logs", "GetLogEvents"),
        ("ebs", "GetSnapshotBlock"),
        ("ec2", "GetConsoleOutput"),
        ("ec2", "GetConsoleScreenshot"),
        ("lex-runtime-v2", "GetSession"),
        ("iot-data-plane", "GetThingShadow"),
        // Is it done, is it well, how many are there?
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
        // Reads that are not called so.
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
        assert_eq!(kind, Kind::Other, "{service}:{operation}");
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
        assert_eq!(kind, Kind::Read { unless: vec![] }, "{service}:{operation}");
    }
    for (service, operation) in [
        ("cognito-identity-provider", "AdminDeleteUser"),
        ("cloudwatch-logs", "PutRetentionPolicy"),
        ("kms", "CreateKey"),
        ("s3", "CreateBucket"),
        ("storage-gateway", "RetrieveTapeArchive"),
        ("dynamodb", "TransactWriteItems"),
    ] {
        let kind = rules.kind(service, operation);
        assert_eq!(kind, Kind::Write, "{service}:{operation}");
    }
    // What is there now, and not what was there.
    let unless = vec!["ConsistentRead".into()];
    assert_eq!(rules.kind("dynamodb", "GetItem"), Kind::Read { unless });
}

#[test]
fn without_a_rule_lists_and_the_thing_go() {
    let rules = shipped();
    let pattern = rules.drops(
        "iam",
        "UpdateRole",
        [("RoleName", "reader"), ("Description", "text")],
    );
    for (operation, named, dropped) in [
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
            drops(&pattern, &key("iam", operation, &named)),
            dropped,
            "{operation} {named:?}"
        );
    }
    assert!(
        !drops(&pattern, &key("ec2", "ListRoles", &[])),
        "another service"
    );
    // The other way round: by a path, or a name with a version, what was read by the ARN or the name.
    let parameter = "arn:aws:ssm:us-east-1:111111111111:parameter/app/x";
    for (named, read) in [("/app/x", parameter), (parameter, "/app/x"), ("x:7", "x")] {
        let pattern = rules.drops("ssm", "PutParameter", [("Name", named)]);
        let of = |read| key("ssm", "GetParameter", &[read]);
        assert!(drops(&pattern, &of(read)), "{named} and {read}");
        assert!(!drops(&pattern, &of("/app/y")), "{named}");
    }
    // Lists that are not called a plural.
    for (service, operation, named) in [
        ("ssm", "GetParametersByPath", "/app/db"),
        ("ssm", "GetMaintenanceWindowsForTarget", "w-1"),
        ("ec2", "DescribeThingsByOwner", "o"),
        ("ssm", "DescribePatchGroupsForPatchBaseline", "b"),
    ] {
        let pattern = rules.drops(service, "PutParameter", [("Name", "/app/db/host")]);
        let list = key(service, operation, &[named]);
        assert!(drops(&pattern, &list), "{operation}");
    }
    // Many names: the key is cut short, and goes to be safe.
    let many: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(drops(&pattern, &key("iam", "GetRole", &many)));
    // It names nothing: all of the service.
    let pattern = rules.drops("iam", "UpdateAccountPasswordPolicy", []);
    assert!(drops(&pattern, &key("iam", "GetRole", &["writer"])));
    assert!(!drops(&pattern, &key("sts", "GetCallerIdentity", &[])));
}

#[test]
fn what_the_request_leaves_out_is_everything() {
    let rules = shipped();
    let named = rules.drops("identitystore", "UpdateUser", [("UserId", "u-1")]);
    let unnamed = rules.drops("identitystore", "UpdateUser", []);
    let other = key("identitystore", "DescribeUser", &["u-2"]);
    assert!(!drops(&named, &other));
    assert!(drops(&unnamed, &other));
    assert!(
        drops(
            &named,
            &key("sso-admin", "ListAccountAssignmentsForPrincipal", &["u-1"])
        ),
        "across services"
    );
    assert!(!drops(
        &named,
        &key("sso-admin", "ListAccountAssignmentsForPrincipal", &["u-2"])
    ));
}

#[test]
fn rules_that_mean_nothing_are_refused() {
    let write = |operations: &str, drops: &str| {
        format!(
            r#"{{"format":1,"writes":[{{"service":"s","operations":[{operations}],"drops":[{drops}]}}]}}"#
        )
    };
    let bad = [
        ("{}".to_owned(), "format"),
        (r#"{"format":2}"#.to_owned(), "format 2"),
        (r#"{"format":1,"nevre":[]}"#.to_owned(), "nevre"),
        (r#"{"format":1,"never":[{"operations":"GetThing"}]}"#.to_owned(), "GetThing"),
        (r#"{"format":1,"never":[{"operations":":*"}]}"#.to_owned(), ":*"),
        (r#"{"format":1,"harmless":[""]}"#.to_owned(), "service:Operation"),
        (r#"{"format":1,"harmless":["s:*Thing"]}"#.to_owned(), "s:*Thing"),
        (r#"{"format":1,"secrets":["pin"]}"#.to_owned(), "secrets"),
        (r#"{"format":1,"unsettled":[""]}"#.to_owned(), "unsettled"),
        (r#"{"format":1,"scopes":{"s":["a b"]}}"#.to_owned(), "a b"),
        (write("", r#""s:A""#), "no operations"),
        (write(r#""A""#, ""), "drops nothing"),
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
        (r#"{"format":1,"writes":[{"service":"","operations":["A"],"drops":["s:A"]}]}"#.to_owned(), "service"),
        (r#"{"format":1,"writes":[{"service":"s","operations":["A"],"path":"x/{y}","drops":["s:A"]}]}"#.to_owned(), "slash"),
    ];
    for (json, named) in bad {
        let error = Rules::from_json(&json).expect_err(&json);
        assert!(error.to_string().contains(named), "{json}: {error}");
    }
    Rules::from_json(&write(r#""A""#, r#""unheard-of:Any*:{X.y_z-1}""#)).unwrap();
}

#[test]
fn rules_add_up() {
    let own = r#"{"format":1,"writes":[{"service":"s","operations":["A"],"drops":["s:GetA"]}]}"#;
    let more = r#"{"format":1,"writes":[{"service":"s","operations":["A"],"drops":["s:GetB"]}],"harmless":["s:B"]}"#;
    let rules = Rules::from_json(own)
        .unwrap()
        .and(Rules::from_json(more).unwrap());
    let pattern = rules.drops("s", "A", []);
    assert!(drops(&pattern, &key("s", "GetA", &[])) && drops(&pattern, &key("s", "GetB", &[])));
    assert_eq!(rules.kind("s", "B"), Kind::Other);
    assert_eq!(
        Rules::none().kind("secretsmanager", "GetSecretValue"),
        Kind::Read { unless: vec![] }
    );
}

#[test]
fn an_answer_with_a_secret_is_known_by_its_members() {
    let rules = shipped();
    for secret in [
        // STS, IAM, Cognito, EC2 VPN.
        r#"{"Credentials":{"SecretAccessKey":"s"}}"#,
        "<Credentials><SessionToken>s</SessionToken></Credentials>",
        "<SecretAccessKey>s</SecretAccessKey>",
        r#"{"UserPoolClient":{"ClientSecret":"s"}}"#,
        r#"{"provider":{"client_secret":"s"}}"#,
        "<tunnelOption><preSharedKey>s</preSharedKey></tunnelOption>",
        r#"{"password":"s"}"#,
        // Glue, Amplify, Direct Connect.
        r#"{"ConnectionProperties":{"USERNAME":"u","PASSWORD":"s"}}"#,
        r#"{"ConnectionProperties":{"ENCRYPTED_PASSWORD":"s"}}"#,
        r#"{"ConnectionProperties":{"JDBC_CONNECTION_URL":"jdbc:redshift://h/d?user=u&password=s"}}"#,
        r#"{"apps":[{"name":"n","basicAuthCredentials":"dTpw"}]}"#,
        r#"{"bgpPeers":[{"asn":1,"authKey":"s"}]}"#,
        // RDS, Redshift, DMS, MQ, DocumentDB, ElastiCache.
        "<PendingModifiedValues><MasterUserPassword>s</MasterUserPassword></PendingModifiedValues>",
        r#"{"Endpoint":{"MongoDbSettings":{"Password":"s"}}}"#,
        r#"{"Endpoint":{"KafkaSettings":{"SaslPassword":"s","SslClientKeyPassword":"s"}}}"#,
        r#"{"ldapServerMetadata":{"serviceAccountPassword":"s"}}"#,
        "<ReplicationGroup><AuthToken>s</AuthToken></ReplicationGroup>",
        // AppFlow, EventBridge, API Gateway, AppSync, App Runner, CodeBuild, Pinpoint, Lightsail.
        r#"{"oAuthCredentials":{"accessToken":"s","refreshToken":"s"}}"#,
        r#"{"customConnector":{"apiKey":{"apiKey":"s","apiSecretKey":"s"}}}"#,
        r#"{"GCMChannelRequest":{"ApiKey":"s"}}"#,
        r#"{"webhook":{"url":"u","secret":"s"}}"#,
        r#"{"webhooks":[{"authenticationConfiguration":{"SecretToken":"s"}}]}"#,
        r#"{"privateKeyBase64":"s"}"#,
        // IoT, Chime, IVS, Athena, Elemental, SES, Directory Service.
        r#"{"keyPair":{"PublicKey":"p","PrivateKey":"s"}}"#,
        r#"{"AppSKey":"s","NwkSKey":"s"}"#,
        r#"{"OtaaV1_1":{"AppKey":"s","NwkKey":"s"}}"#,
        r#"{"Attendee":{"AttendeeId":"a","JoinToken":"s"}}"#,
        r#"{"Bot":{"SecurityToken":"s"}}"#,
        r#"{"streamKeys":[{"arn":"a"}],"streamKey":{"value":"s"}}"#,
        r#"{"EndpointUrl":"u","AuthToken":"s"}"#,
        r#"{"RadiusSettings":{"SharedSecret":"s"}}"#,
        r#"{"TrustPassword":"s"}"#,
        r#"{"DomainJoinInfo":{"AccountPassword":"s"}}"#,
        // What a write must name, and is good once.
        r#"{"Summary":{"Name":"n","LockToken":"t"}}"#,
        r#"{"UpdateToken":"t","Firewall":{}}"#,
        // A link that lets anybody in, whatever the member is called.
        r#"{"url":"https://b.s3.amazonaws.com/k?X-Amz-Expires=9&X-Amz-Signature=0f"}"#,
        "<Url>https://d.cloudfront.net/k?Expires=9&amp;Signature=s&amp;Key-Pair-Id=K</Url>",
        // Other ways to write it.
        "{ \"Password\" : \"s\" }",
        r#"{"document":"{\"password\":\"s\"}"}"#,
        r#"{"a":"{\"b\":\"{\\\"password\\\":\\\"s\\\"}\"}"}"#,
        "<Configuration>{&quot;ApiKey&quot; : &quot;s&quot;}</Configuration>",
        r#"{"document":"{\u0022password\u0022:\u0022s\u0022}"}"#,
    ] {
        assert!(rules.is_secret(secret.as_bytes()), "{secret}");
    }
    for open in [
        r#"{"PasswordPolicy":{"MinimumLength":8}}"#,
        r#"{"AuthType":"PASSWORD","Kind":"password"}"#,
        "<Type>password</Type>",
        r#"{"passwordLastUsed":"2026-01-01T00:00:00Z"}"#,
        r#"{"NextToken":"t","nextToken":"t","ContinuationToken":"t","PaginationToken":"t"}"#,
        "<NextToken>t</NextToken><Marker>m</Marker>",
        r#"{"MasterUserSecret":{"SecretArn":"a","KmsKeyId":"k"},"secretArn":"a"}"#,
        r#"{"Tags":[{"Key":"k","Value":"v"}],"KeyId":"k","PublicKey":"p","KmsKey":"h"}"#,
        r#"{"url":"https://sqs.us-east-1.amazonaws.com/1/q?a=b"}"#,
        "",
        ":",
        ">",
    ] {
        assert!(!rules.is_secret(open.as_bytes()), "{open}");
    }
    assert!(rules.is_secret(b"\xbf\x6cuserPassword\x61s\xff"), "CBOR");
    assert!(!rules.is_secret(b"\xbf\x69NextToken\x61t\xff"), "CBOR");
    let own = Rules::from_json(r#"{"format":1,"secrets":["PassPhrase"]}"#).unwrap();
    assert!(own.is_secret(br#"{"sshPassphrase":"s"}"#));
    assert!(!own.is_secret(br#"{"Password":"s"}"#));
    assert!(!Rules::none().is_secret(br#"{"Password":"s"}"#));
}

#[test]
fn an_answer_may_say_that_it_will_change() {
    let rules = shipped();
    for unsettled in [
        r#"{"status":"CREATING"}"#,
        r#"{"modelStatus":"Creating"}"#,
        "<State>pending</State>",
        r#"{"States":["a","In_Progress"]}"#,
        r#"{"jobStatus":"in progress"}"#,
        "<StackStatus>CREATE_IN_PROGRESS</StackStatus>",
        r#"{"Status":"PENDING_VALIDATION"}"#,
        r#"{"State":{"Name":"shutting-down"}}"#,
        "\u{feff}<Status>Terminating</Status>",
        r#"{"tasks":[{"lastStatus":"DEACTIVATING"}]}"#,
        r#"{"State":"DEPLOYING"}"#,
        "<attachment><status>attaching</status></attachment>",
        r#"{"status":"RESTORING"}"#,
        r#"{"Clusters":[{"ClusterStatus":"resizing"}]}"#,
        r#"{"tatatus":"creating"}"#,
    ] {
        assert!(rules.is_unsettled(unsettled.as_bytes()), "{unsettled}");
    }
    // CBOR: a text follows its length.
    let long = b"\xa1\x66status\x78\x1aCREATE_CLEANUP_IN_PROGRESS";
    assert!(rules.is_unsettled(b"\xa1\x66status\x68CREATING"));
    assert!(rules.is_unsettled(long));
    assert!(!rules.is_unsettled(b"\xa2\x66status\x66ACTIVE\x64name\x6acreating a"));
    assert!(!rules.is_unsettled(b"\xa1\x66status\x78"));
    for settled in [
        r#"{"status":"READY"}"#,
        r#"{"status":"creating a thing"}"#,
        "\u{feff}<Status>READY</Status>",
        r#"{"status":"READY","title":"creatin"}"#,
        r#"{"title":"creating"}"#,
        "",
        "creatingx",
    ] {
        assert!(!rules.is_unsettled(settled.as_bytes()), "{settled}");
    }
}
