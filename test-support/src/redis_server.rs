//! Real Redis servers for tests: one, a Cluster of three, or one with TLS; each on a free port, without
//! persistence, in a folder of its own, and gone when dropped. It knows nothing of caches.
//!
//! The server is the `redis-server` that `PATH` finds first: another release, or a Valkey under that name.
//! Where `redis-server` is not installed the tests are skipped, with a line that says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server. Killed when dropped, also where a test panics.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
    arguments: Vec<String>,
}

/// Waits until something holds, looking every few milliseconds.
///
/// # Panics
/// It does not hold within the time.
pub fn until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < within, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A port nobody listens on at the moment.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its number").port()
}

/// A port of which the server's bus, 10,000 above it, is free too.
fn free_port_and_bus() -> u16 {
    loop {
        let port = free_port();
        let bus = port.checked_add(10_000);
        if bus.is_some_and(|bus| TcpListener::bind(("127.0.0.1", bus)).is_ok()) {
            return port;
        }
    }
}

/// Whether there is a server to start; if not, that is said.
#[must_use]
pub fn is_installed() -> bool {
    let version = Command::new("redis-server").arg("--version").output();
    let there = version.is_ok_and(|output| output.status.success());
    if !there {
        let test = std::thread::current();
        let name = test.name().unwrap_or("a test");
        crate::skip(name, "redis-server is not installed");
    }
    there
}

impl RedisServer {
    /// A server with no settings of its own; `None` where none is installed.
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

    /// A server that speaks TLS only, with the certificate of these files, as PEM.
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
        server.wait_until_it_listens();
        Some(server)
    }

    fn wait_until_it_listens(&self) {
        until("the server listens", Duration::from_secs(20), || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The number of its process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A connection beside the cache, for what only a test does.
    #[must_use]
    pub fn raw(&self) -> redis::Connection {
        let client = redis::Client::open(self.url()).expect("a URL");
        let mut raw = None;
        until("a connection", Duration::from_secs(20), || {
            raw = client.get_connection().ok();
            raw.is_some()
        });
        raw.expect("a connection")
    }

    /// Asks something, for its side effect.
    pub fn tell(&self, words: &[&str]) -> redis::Value {
        let (first, rest) = words.split_first().expect("a command");
        let mut command = redis::cmd(first);
        command.arg(rest);
        command
            .query(&mut self.raw())
            .unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Stops it where it stands, with its connections open.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal}");
    }

    /// Kills it.
    pub fn kill(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again after [`RedisServer::kill`], on the same port and empty; does not wait for it.
    pub fn start_again(&mut self) {
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
    /// A Cluster that is ready; `None` where no server is installed.
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
        // Word by word as Redis 6 knows it, which has no ranges of slots and no other bus.
        for (index, (server, slots)) in servers
            .iter()
            .zip([0..5461, 5461..10_923, 10_923..16_384])
            .enumerate()
        {
            server.tell(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
            let slots: Vec<String> = slots.map(|slot: u16| slot.to_string()).collect();
            let slots = slots.iter().map(String::as_str);
            server.tell(
                &["CLUSTER", "ADDSLOTS"]
                    .into_iter()
                    .chain(slots)
                    .collect::<Vec<_>>(),
            );
        }
        let first = servers.first().expect("three servers");
        for server in servers.iter().skip(1) {
            let port = server.port().to_string();
            first.tell(&["CLUSTER", "MEET", "127.0.0.1", &port]);
        }
        let knows_all = |server: &RedisServer| {
            let info = server.tell(&["CLUSTER", "INFO"]);
            let info: String = redis::FromRedisValue::from_redis_value(info).unwrap_or_default();
            [
                "cluster_state:ok",
                "cluster_slots_ok:16384",
                "cluster_known_nodes:3",
            ]
            .iter()
            .all(|line| info.contains(line))
        };
        until("the cluster is ready", Duration::from_secs(60), || {
            servers.iter().all(knows_all)
        });
        Some(Self { servers })
    }

    /// Tells all of them, of whom those answer who have the keys.
    pub fn tell(&self, words: &[&str]) {
        let (first, rest) = words.split_first().expect("a command");
        for server in &self.servers {
            let told: redis::RedisResult<redis::Value> =
                redis::cmd(first).arg(rest).query(&mut server.raw());
            if let Err(error) = told {
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
