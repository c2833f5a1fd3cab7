//! The Lambda function in a process of its own, as Lambda runs it: HOME is read-only, events come from
//! a Runtime API (scripted here), between events the process is frozen.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path as Part, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};

use bedrock_catalog_tests::skip;

use super::lambda::example;
use super::{FakeBedrock, ONE_ASKING, REGIONS, SONNET, bedrock};

/// What the child process runs: the example's own `main`. In the test process, nothing.
#[test]
fn function() {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        let log = tracing_subscriber::fmt().with_writer(std::io::stderr);
        log.with_ansi(false).init();
        example::main().unwrap();
    }
}

/// The Runtime API: the events to come, and what was answered.
struct RuntimeApi {
    events: Mutex<mpsc::UnboundedReceiver<Value>>,
    answers: mpsc::UnboundedSender<Result<Value, Value>>,
}

async fn next(
    State(api): State<Arc<RuntimeApi>>,
) -> ([(&'static str, &'static str); 3], Json<Value>) {
    let Some(event) = api.events.lock().await.recv().await else {
        // The test has ended.
        return std::future::pending().await;
    };
    let headers = [
        ("lambda-runtime-aws-request-id", "the-request"),
        ("lambda-runtime-deadline-ms", "4102444800000"),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-central-1:000000000000:function:f",
        ),
    ];
    (headers, Json(event))
}

async fn answered(
    State(api): State<Arc<RuntimeApi>>,
    Part((_, how)): Part<(String, String)>,
    body: Bytes,
) -> StatusCode {
    let body = serde_json::from_slice(&body).unwrap();
    let answer = if how == "response" {
        Ok(body)
    } else {
        Err(body)
    };
    let _ = api.answers.send(answer);
    StatusCode::ACCEPTED
}

async fn init_error(State(api): State<Arc<RuntimeApi>>, Json(body): Json<Value>) -> StatusCode {
    let _ = api.answers.send(Err(body));
    StatusCode::ACCEPTED
}

/// One execution environment: a process, and the Runtime API it asks.
struct Environment {
    child: Child,
    log: tempfile::NamedTempFile,
    events: mpsc::UnboundedSender<Value>,
    answers: mpsc::UnboundedReceiver<Result<Value, Value>>,
}

impl Environment {
    /// A cold start, with these folders that cannot be written to.
    async fn start(
        fake: &FakeBedrock,
        home: &Path,
        tmp: &Path,
        unwritable: &[&Unwritable],
    ) -> Self {
        let (events, coming) = mpsc::unbounded_channel();
        let (answer, answers) = mpsc::unbounded_channel();
        let api = RuntimeApi {
            events: Mutex::new(coming),
            answers: answer,
        };
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{how}", post(answered))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .with_state(Arc::new(api));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });

        let log = tempfile::NamedTempFile::new().unwrap();
        let child = own_view(unwritable, "exec \"$0\" \"$@\"")
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "sandbox::function", "--nocapture"])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", home)
            .env("TMPDIR", tmp)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "f")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "fake")
            .env("AWS_SECRET_ACCESS_KEY", "fake")
            .env("AWS_ENDPOINT_URL", fake.url())
            .env("BEDROCK_CATALOG_REGIONS", REGIONS.join(","))
            // The example's own two seconds are for real machines.
            .env("BEDROCK_CATALOG_DEADLINE", "1m")
            .stdout(Stdio::null())
            .stderr(log.reopen().unwrap())
            .spawn()
            .unwrap();
        Self {
            child,
            log,
            events,
            answers,
        }
    }

    async fn invoke(&mut self, event: Value) -> Result<Value, Value> {
        self.events.send(event).unwrap();
        self.answer().await
    }

    async fn answer(&mut self) -> Result<Value, Value> {
        let answer = tokio::time::timeout(Duration::from_secs(100), self.answers.recv());
        answer.await.expect("the function answers").unwrap()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Stops every thread, and waits until they stand.
    fn freeze(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
        let (_, status) = waitpid(Some(self.pid()), WaitOptions::UNTRACED)
            .unwrap()
            .unwrap();
        assert!(status.stopped(), "{status:?}");
    }

    fn thaw(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a folder is of no use to write to.
#[derive(Clone, Copy)]
enum How {
    ReadOnly,
    Full,
}

impl How {
    /// What the operating system says to who writes there all the same.
    fn reason(self) -> &'static str {
        match self {
            Self::ReadOnly => "(os error 30)",
            Self::Full => "(os error 28)",
        }
    }
}

/// A folder that nobody can write to, root neither.
struct Unwritable {
    folder: tempfile::TempDir,
    how: How,
}

impl Unwritable {
    /// A mount in the function's own view of the machine. `None`, said by name, where a machine allows
    /// no such views.
    fn new(test: &str, how: How) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let new = Self { folder, how };
        let refused = format!("! echo x 2>&- >'{}/x'", new.folder.path().display());
        let tried = own_view(&[&new], &refused).output();
        if tried.as_ref().is_ok_and(|tried| tried.status.success()) {
            return Some(new);
        }
        skip(test, format_args!("no mounts of one's own here: {tried:?}"));
        None
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn mount(&self) -> String {
        let at = self.folder.path().display();
        match self.how {
            How::ReadOnly => format!("mount -t tmpfs -o ro none '{at}' && "),
            // Files can be made, and nothing written to them.
            How::Full => format!(
                "mount -t tmpfs -o size=16k,mode=1777 none '{at}' && \
                 {{ head -c 1000000 /dev/zero 2>&- >'{at}/filler'; true; }} && "
            ),
        }
    }
}

/// Runs a script in a view of the machine with these folders. `exec` in it keeps the process, which is
/// frozen later.
fn own_view(folders: &[&Unwritable], script: &str) -> Command {
    let mounts = folders.iter().map(|folder| folder.mount());
    let script = mounts.chain([script.to_owned()]).collect::<String>();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--user", "--map-root-user", "sh", "-c", &script]);
    command
}

#[tokio::test]
async fn cold_warm_frozen_and_cold_again_with_a_read_only_home() {
    const TEST: &str = "cold_warm_frozen_and_cold_again_with_a_read_only_home";
    let Some(home) = Unwritable::new(TEST, How::ReadOnly) else {
        return;
    };
    let (fake, tmp) = (bedrock(), tempfile::tempdir().unwrap());
    let read_only = [&home];
    let start = || Environment::start(&fake, home.path(), tmp.path(), &read_only);
    let event = json!({ "model": SONNET });

    let mut first = start().await;
    let cold = first.invoke(event.clone()).await.unwrap();
    assert_eq!(cold["inference_id"], json!(format!("eu.{SONNET}")));
    assert_eq!(
        (&cold["source"], &cold["degraded"]),
        (&json!("api"), &json!(false))
    );
    let warm = first.invoke(event.clone()).await.unwrap();
    assert_eq!(warm, cold);
    let wrong = first
        .invoke(json!({ "model": "nothing" }))
        .await
        .unwrap_err();
    assert!(
        wrong["errorMessage"]
            .as_str()
            .unwrap()
            .contains("unknown model"),
        "{wrong}"
    );

    first.freeze();
    first.events.send(event.clone()).unwrap();
    first.thaw();
    assert_eq!(first.answer().await.unwrap(), cold);
    assert_eq!(fake.stage().requests(), ONE_ASKING);
    drop(first);

    // The next environment finds what the first left in the temp directory.
    let mut second = start().await;
    let again = second.invoke(event).await.unwrap();
    assert_eq!(again["source"], json!("cache"));
    assert_eq!(again["observed_at"], cold["observed_at"]);
    assert_eq!(fake.stage().requests(), ONE_ASKING);
}

#[tokio::test]
async fn with_nothing_to_write_to_the_fetched_catalog_is_served() {
    const TEST: &str = "with_nothing_to_write_to_the_fetched_catalog_is_served";
    nothing_is_kept(TEST, How::ReadOnly).await;
}

#[tokio::test]
async fn with_everything_full_the_fetched_catalog_is_served() {
    const TEST: &str = "with_everything_full_the_fetched_catalog_is_served";
    nothing_is_kept(TEST, How::Full).await;
}

async fn nothing_is_kept(test: &str, how: How) {
    let folders = [Unwritable::new(test, how), Unwritable::new(test, how)];
    let [Some(home), Some(tmp)] = folders else {
        return;
    };
    let (fake, folders) = (bedrock(), [&home, &tmp]);
    for start in 1..=2 {
        let mut one = Environment::start(&fake, home.path(), tmp.path(), &folders).await;
        let event = json!({ "model": SONNET });
        let cold = one.invoke(event.clone()).await.unwrap();
        assert_eq!(
            (&cold["source"], &cold["degraded"]),
            (&json!("api"), &json!(false))
        );
        one.freeze();
        one.events.send(event).unwrap();
        one.thaw();
        assert_eq!(one.answer().await.unwrap(), cold);
        assert_eq!(fake.stage().requests(), start * ONE_ASKING);
        // It was tried in both, and was what it should be that kept it from it.
        let log = std::fs::read_to_string(one.log.path()).unwrap();
        for folder in [&home, &tmp] {
            let folder = folder.path().to_str().unwrap();
            let says = |line: &str| line.contains(folder) && line.contains(how.reason());
            assert!(log.lines().any(says), "{folder}: {log}");
        }
    }
}
