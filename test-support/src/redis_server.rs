//! Real Redis servers for tests: one, a Cluster of three, or one with TLS. Each has a free port and a folder
//! of its own, no persistence, and is killed when dropped.
//!
//! The server is the first `redis-server` in `PATH`, which may be a Valkey of that name. Without one the tests
//! are skipped with a line on standard error.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server, killed when dropped.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
    arguments: Vec<String>,
}

/// Waits for a condition, which it checks every few milliseconds.
///
/// # Panics
/// The condition does not hold within the time.
pub fn wait_until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < within, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A port without a listener at this moment.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// A free port whose Cluster bus, 10,000 above it, is free too.
fn free_port_and_bus() -> u16 {
    loop {
        let port = free_port();
        let bus = port.checked_add(10_000);
        if bus.is_some_and(|bus| TcpListener::bind(("127.0.0.1", bus)).is_ok()) {
            return port;
        }
    }
}

/// Whether `redis-server` is installed. If not, prints that the test is skipped.
#[must_use]
pub fn is_installed() -> bool {
    let version = Command::new("redis-server").arg("--version").output();
    let is_there = version.is_ok_and(|output| output.status.success());
    if !is_there {
        let test = std::thread::current();
        let name = test.name().unwrap_or("a test");
        crate::skip(name, "redis-server is not installed");
    }
    is_there
}

impl RedisServer {
    /// A server with default settings; `None` where none is installed.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// A server with these arguments, such as `--requirepass`.
    #[must_use]
    pub fn start_with(arguments: &[&str]) -> Option<Self> {
        let port = free_port();
        let number = port.to_string();
        let arguments: Vec<&str> = [&["--port", &number], arguments].concat();
        Self::start_on(port, &arguments)
    }

    /// A server for TLS only, with the certificate and key in these PEM files.
    #[must_use]
    pub fn start_tls(certificate: &Path, key: &Path) -> Option<Self> {
        let (port, text) = (free_port(), |path: &Path| path.display().to_string());
        let (certificate, key) = (text(certificate), text(key));
        let arguments = [
            "--port",
            "0",
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &certificate,
            "--tls-auth-clients",
            "no",
        ];
        Self::start_on(port, &arguments)
    }

    fn start_on(port: u16, arguments: &[&str]) -> Option<Self> {
        if !is_installed() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let arguments = arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect();
        let child = spawn(&arguments, folder.path());
        let server = Self {
            child,
            port,
            folder,
            arguments,
        };
        wait_until("the server listens", Duration::from_secs(20), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(server)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Its working folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A connection of the test's own.
    #[must_use]
    pub fn client(&self) -> redis::Connection {
        let client = redis::Client::open(self.url()).expect("a URL");
        let mut connection = None;
        wait_until("a connection", Duration::from_secs(20), || {
            connection = client.get_connection().ok();
            connection.is_some()
        });
        connection.expect("a connection")
    }

    /// Sends a command and returns the reply.
    ///
    /// # Panics
    /// The reply is an error.
    pub fn command(&self, words: &[&str]) -> redis::Value {
        let (first, rest) = words.split_first().expect("a command");
        let mut command = redis::cmd(first);
        command.arg(rest);
        command
            .query(&mut self.client())
            .unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Suspends the process with its connections open, until [`RedisServer::resume`].
    pub fn suspend(&self) {
        self.signal("-STOP");
    }

    /// Resumes the process.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal}");
    }

    /// Kills it.
    pub fn kill(&mut self) {
        // It may be dead.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Kills the server and starts it on the same port, empty. Returns before it listens.
    pub fn restart(&mut self) {
        self.kill();
        self.child = spawn(&self.arguments, self.folder.path());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(arguments: &Vec<String>, folder: &Path) -> Child {
    Command::new("redis-server")
        .args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server starts")
}

/// A Cluster of three masters.
#[derive(Debug)]
pub struct RedisCluster {
    /// The servers.
    pub servers: Vec<RedisServer>,
}

impl RedisCluster {
    /// A ready Cluster; `None` where no server is installed.
    #[must_use]
    pub fn start() -> Option<Self> {
        let mut servers = Vec::new();
        for _ in 0..3 {
            let port = free_port_and_bus();
            servers.push(RedisServer::start_on(
                port,
                &[
                    "--port",
                    &port.to_string(),
                    "--cluster-enabled",
                    "yes",
                    "--cluster-node-timeout",
                    "5000",
                ],
            )?);
        }
        // Redis 6 has neither ranges of slots nor another bus port.
        for (index, (server, slots)) in servers
            .iter()
            .zip([0..5461, 5461..10_923, 10_923..16_384])
            .enumerate()
        {
            server.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
            let slots: Vec<String> = slots.map(|slot: u16| slot.to_string()).collect();
            let slots = slots.iter().map(String::as_str);
            server.command(
                &["CLUSTER", "ADDSLOTS"]
                    .into_iter()
                    .chain(slots)
                    .collect::<Vec<_>>(),
            );
        }
        let first = servers.first().expect("three servers");
        for server in servers.iter().skip(1) {
            let port = server.port().to_string();
            first.command(&["CLUSTER", "MEET", "127.0.0.1", &port]);
        }
        let is_ready = |server: &RedisServer| {
            let info = server.command(&["CLUSTER", "INFO"]);
            let info: String = redis::FromRedisValue::from_redis_value(info).unwrap_or_default();
            [
                "cluster_state:ok",
                "cluster_slots_ok:16384",
                "cluster_known_nodes:3",
            ]
            .iter()
            .all(|line| info.contains(line))
        };
        wait_until("the cluster is ready", Duration::from_secs(60), || {
            servers.iter().all(is_ready)
        });
        Some(Self { servers })
    }

    /// Sends a command to all servers; those without the key refuse it.
    ///
    /// # Panics
    /// A reply is another error.
    pub fn command(&self, words: &[&str]) {
        let (first, rest) = words.split_first().expect("a command");
        for server in &self.servers {
            let reply: redis::RedisResult<redis::Value> =
                redis::cmd(first).arg(rest).query(&mut server.client());
            if let Err(error) = reply {
                assert_eq!(error.code(), Some("MOVED"), "{words:?}: {error}");
            }
        }
    }

    /// The URL of all of them.
    #[must_use]
    pub fn url(&self) -> String {
        let urls: Vec<String> = self.servers.iter().map(RedisServer::url).collect();
        urls.join(",")
    }
}
