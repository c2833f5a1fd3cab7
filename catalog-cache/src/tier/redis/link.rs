//! The way to the servers: streams with a bound on every reply, TLS, a single server or a Cluster, and
//! a connection that is made anew when it has failed. Everything here runs on the tier's own thread.

use std::cell::OnceCell;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::{ClusterConnection, Connect};
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, Pipeline,
    RedisError, RedisFuture, RedisResult, Value,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::fault::Fault;
use super::frame::Frames;
use super::options::{RedisOptions, is_tls};

/// How long connecting may go on, for those who come later: TLS over a distance takes longer than an
/// operation may.
const CONNECTING: Duration = Duration::from_secs(1);
/// So late nobody notices the end of a time who is not held up: a timer is exact to a millisecond.
const HELD_UP: Duration = Duration::from_millis(10);
/// What a reply may have beside an entry: its frame, or a page of names.
const BESIDE: usize = 256 << 10;

thread_local! {
    /// What connections of this thread, which is one tier's, are made with. The client of a Cluster
    /// makes its own, through a trait that has no place for it.
    static HERE: OnceCell<Arc<Here>> = const { OnceCell::new() };
}

struct Here {
    max_reply: usize,
    roots: Option<Arc<RootCertStore>>,
    /// Made when it is first needed: the platform's authorities are read from files.
    tls: OnceLock<Arc<ClientConfig>>,
}

/// Sets what connections of this thread are made with, once.
pub(super) fn prepare_thread(options: &RedisOptions, max_len: usize) {
    HERE.with(|here| {
        here.get_or_init(|| {
            Arc::new(Here {
                max_reply: max_len.saturating_add(BESIDE),
                roots: options.roots.clone(),
                tls: OnceLock::new(),
            })
        });
    });
}

impl Here {
    fn get() -> io::Result<Arc<Self>> {
        HERE.with(|here| here.get().cloned())
            .ok_or_else(|| io::Error::other("not the thread of a tier"))
    }

    fn tls(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(tls) = self.tls.get() {
            return Ok(Arc::clone(tls));
        }
        let roots = self.roots.clone().unwrap_or_else(|| {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            Arc::new(roots)
        });
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::clone(self.tls.get_or_init(|| Arc::new(config))))
    }
}

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Wire for S {}

/// A stream that ends in an error where a reply is beyond the bounds.
pub(super) struct Bounded {
    wire: Box<dyn Wire>,
    frames: Frames,
}

/// Connects to a server, with TLS where it is asked for.
pub(super) async fn connect(info: &ConnectionInfo) -> io::Result<Bounded> {
    let here = Here::get()?;
    let (host, port) = match info.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => (host, port),
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    let tls = is_tls(info).then(|| here.tls()).transpose()?;
    let frames = Frames::new(here.max_reply);
    let tcp = TcpStream::connect((host.as_str(), *port)).await?;
    tcp.set_nodelay(true)?;
    let wire: Box<dyn Wire> = match tls {
        None => Box::new(tcp),
        Some(tls) => {
            let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
            Box::new(TlsConnector::from(tls).connect(name, tcp).await?)
        }
    };
    Ok(Bounded { wire, frames })
}

impl AsyncRead for Bounded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.wire).poll_read(cx, buf))?;
        let new = buf.filled().get(before..).unwrap_or_default();
        Poll::Ready(this.frames.follow(new))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().wire).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_shutdown(cx)
    }
}

/// A connection to one server. The task that drives it ends with its last clone, also where the server
/// hangs.
#[derive(Clone)]
pub(super) struct Node {
    connection: MultiplexedConnection,
    _driver: Arc<Driver>,
}

struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Node {
    async fn open(info: &ConnectionInfo, config: AsyncConnectionConfig) -> RedisResult<Self> {
        let stream = connect(info).await?;
        // The client of a Cluster forgets it, and a user of its own may not say who it is.
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&settings, stream, config).await?;
        let driver = tokio::spawn(driver).abort_handle();
        Ok(Self {
            connection,
            _driver: Arc::new(Driver(driver)),
        })
    }
}

impl ConnectionLike for Node {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        self.connection.req_packed_command(cmd)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.connection.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}

impl Connect for Node {
    fn connect_with_config<'a, T>(info: T, config: AsyncConnectionConfig) -> RedisFuture<'a, Self>
    where
        T: IntoConnectionInfo + Send + 'a,
    {
        Box::pin(async move {
            let info = info.into_connection_info()?;
            let opening = Self::open(&info, config);
            match timeout(CONNECTING, opening).await {
                Ok(opened) => opened,
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        })
    }
}

/// A connection to a server or to a Cluster.
#[derive(Clone)]
pub(super) enum Connection {
    Single(Node),
    Cluster(ClusterConnection<Node>),
}

impl Connection {
    async fn open(options: &RedisOptions) -> Result<Self, RedisError> {
        match options.nodes.first() {
            Some(node) if !options.is_cluster => {
                let config = AsyncConnectionConfig::new().set_response_timeout(None);
                Ok(Self::Single(Node::open(node, config).await?))
            }
            _ => {
                // A slot that moves is found again at once; for all else the caller's time is short.
                let client = ClusterClient::builder(options.nodes.clone())
                    .connection_timeout(CONNECTING)
                    .response_timeout(options.timeout)
                    .retries(3)
                    .min_retry_wait(5)
                    .max_retry_wait(50)
                    .build()?;
                Ok(Self::Cluster(client.get_async_generic_connection().await?))
            }
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(node) => node.req_packed_command(cmd),
            Self::Cluster(cluster) => cluster.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(node) => node.req_packed_commands(pipeline, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(node) => node.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
        }
    }
}

/// What comes of it within `limit`. Where this process notices the end of it too late, it was held up, and
/// may not have read what the server answered: then it is waited for once more, for as long as that was.
async fn in_time<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, end) = (pin!(work), Instant::now() + limit);
    match timeout_at(end, &mut work).await {
        Ok(done) => Some(done),
        Err(_) => {
            let lost = end.elapsed().min(limit);
            let again = (lost >= HELD_UP).then(|| timeout(lost, work));
            again?.await.ok()
        }
    }
}

/// The connection in use: made when it is first wanted, and anew after it has failed.
pub(super) struct Link {
    options: RedisOptions,
    now: Mutex<Option<Attempt>>,
}

/// One connection, or the making of it.
type Attempt = watch::Receiver<Option<Result<Connection, Fault>>>;

impl Link {
    pub(super) fn new(options: RedisOptions) -> Self {
        Self {
            options,
            now: Mutex::new(None),
        }
    }

    /// Does something over the connection, [`in_time`]. Who gives up while connecting leaves that to those
    /// who come after.
    pub(super) async fn ask<T, F: Future<Output = Result<T, Fault>>>(
        &self,
        limit: Duration,
        ask: impl FnOnce(Connection) -> F,
    ) -> Result<T, Fault> {
        let mut attempt = self.attempt();
        let asked = in_time(limit, async {
            let connected = attempt.wait_for(Option::is_some).await;
            let connected = connected.map_or(None, |connected| (*connected).clone());
            let connected = connected.unwrap_or_else(|| Err(Fault::timeout()))?;
            ask(connected).await
        });
        let asked = asked.await.unwrap_or_else(|| Err(Fault::timeout()));
        if let Err(fault) = &asked {
            let useless = match &*attempt.borrow() {
                Some(Ok(_)) => !fault.keeps_connection,
                Some(Err(_)) => true,
                // Still connecting, if anybody is.
                None => attempt.has_changed().is_err(),
            };
            if useless {
                self.discard(&attempt);
            }
        }
        asked
    }

    fn attempt(&self) -> Attempt {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = now.get_or_insert_with(|| {
            let (sender, receiver) = watch::channel(None);
            let options = self.options.clone();
            tokio::spawn(async move {
                let opening = timeout(CONNECTING, Connection::open(&options));
                let opened = match opening.await {
                    Ok(opened) => opened.map_err(Fault::from),
                    Err(_) => Err(Fault::timeout()),
                };
                sender.send_replace(Some(opened));
            });
            receiver
        });
        attempt.clone()
    }

    fn discard(&self, attempt: &Attempt) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.take_if(|now| now.same_channel(attempt));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_was_held_up_waits_once_more() {
        let limit = Duration::from_millis(240);
        // Not by a server that does not answer.
        let begun = Instant::now();
        assert_eq!(in_time(limit, std::future::pending::<u8>()).await, None);
        assert!(begun.elapsed() < limit + HELD_UP);
        for (answers, is) in [(500, Some(7)), (700, None)] {
            let begun = Instant::now();
            let work = async {
                tokio::time::sleep(Duration::from_millis(answers)).await;
                7
            };
            let held_up = async {
                tokio::task::yield_now().await;
                // As if nothing had run here for so long.
                tokio::time::advance(Duration::from_millis(400)).await;
            };
            let (done, ()) = tokio::join!(in_time(limit, work), held_up);
            assert_eq!(done, is);
            assert!(begun.elapsed() <= Duration::from_millis(400 + 160) + HELD_UP);
        }
    }
}
