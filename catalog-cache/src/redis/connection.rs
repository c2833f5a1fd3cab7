//! The connection to a server or a Cluster: opened when it is needed, shared by all operations, and
//! replaced after a failure.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, try_join_all};
use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, FromRedisValue, RedisError,
    RedisResult, ServerErrorKind,
};
use rustls::crypto::CryptoProvider;
use tokio::time::timeout_at;

use super::error::timeout;
use super::options::RedisOptions;
use crate::sync::{Mutex, lock};

/// The limit of opening a connection, which later operations then use: TLS over a distance takes longer
/// than one operation may.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection to a server or a Cluster. Clones share it.
#[derive(Clone)]
pub(super) enum Connection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    async fn open(options: Arc<RedisOptions>) -> RedisResult<Self> {
        if let [node] = &options.nodes[..]
            && !options.is_cluster
        {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT_TIMEOUT))
                .set_response_timeout(None);
            let client = client(&options, node)?;
            let connection = client.get_multiplexed_async_connection_with_config(&config);
            return Ok(Self::Server(connection.await?));
        }
        if options.is_tls() {
            use_provider();
        }
        // A slot that moves is found again within the operation.
        let mut builder = ClusterClient::builder(options.nodes.clone())
            .connection_timeout(CONNECT_TIMEOUT)
            .response_timeout(options.timeout)
            .retries(3)
            .min_retry_wait(5)
            .max_retry_wait(50);
        if let Some(certificates) = &options.certificates {
            builder = builder.certs(certificates.clone());
        }
        let connecting = builder.build()?;
        let connection = connecting.get_async_connection().await?;
        Ok(Self::Cluster(connection))
    }

    pub(super) async fn send<T: FromRedisValue>(&mut self, cmd: &Cmd) -> RedisResult<T> {
        match self {
            Self::Server(connection) => cmd.query_async(connection).await,
            Self::Cluster(connection) => cmd.query_async(connection).await,
        }
    }

    /// Sends all commands at once. The replies are in order; the first error ends it.
    pub(super) async fn send_all<T: FromRedisValue>(&self, cmds: &[Cmd]) -> RedisResult<Vec<T>> {
        let sending = cmds.iter().map(|cmd| {
            let mut connection = self.clone();
            async move { connection.send(cmd).await }
        });
        try_join_all(sending).await
    }

    /// Sends a command without a key; in a Cluster to any primary.
    pub(super) async fn send_to_any<T: FromRedisValue>(&mut self, cmd: Cmd) -> RedisResult<T> {
        let Self::Cluster(cluster) = self else {
            return self.send(&cmd).await;
        };
        let any = RoutingInfo::SingleNode(SingleNodeRoutingInfo::RandomPrimary);
        Ok(T::from_redis_value(cluster.route_command(cmd, any).await?)?)
    }
}

/// A client of one node, with the certificates of the options.
pub(super) fn client(options: &RedisOptions, node: &ConnectionInfo) -> RedisResult<Client> {
    if options.is_tls() {
        use_provider();
    }
    match &options.certificates {
        Some(certificates) => Client::build_with_tls(node.clone(), certificates.clone()),
        None => Client::open(node.clone()),
    }
}

/// Selects the crypto provider of rustls, if the program has not. In a build with two of them rustls panics
/// otherwise.
fn use_provider() {
    if CryptoProvider::get_default().is_none() {
        // An error: another thread was faster.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}

/// The current connection. It lives on the tier's runtime.
pub(super) struct Connector {
    options: Arc<RedisOptions>,
    current: Mutex<Option<Attempt>>,
}

/// One connection, or the attempt to open it, which goes on if its first caller gives up.
#[derive(Clone)]
struct Attempt {
    started: Instant,
    connection: Shared<BoxFuture<'static, RedisResult<Connection>>>,
}

impl Connector {
    pub(super) fn new(options: Arc<RedisOptions>) -> Self {
        let current = Mutex::new(None);
        Self { options, current }
    }

    /// Runs an operation, at most for `limit`. It is repeated if the server had closed an idle connection.
    pub(super) async fn run<T, F>(
        &self,
        limit: Duration,
        operation: impl Fn(Connection) -> F,
    ) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let running = async {
            loop {
                let attempt = self.attempt();
                let was_open = attempt.connection.peek().is_some();
                let connection = attempt.connection.clone().await;
                let is_open = connection.is_ok();
                let result = match connection {
                    Ok(connection) => operation(connection).await,
                    Err(error) if error.is_timeout() => Err(timeout(false)),
                    Err(error) => Err(error),
                };
                let Err(error) = &result else { return result };
                if is_open && is_reply(error) {
                    return result;
                }
                self.discard_if(|current| current.connection.ptr_eq(&attempt.connection));
                if !(was_open && error.is_connection_dropped()) {
                    return result;
                }
            }
        };
        if let Some(result) = within(limit, running).await {
            return result;
        }
        let mut is_open = false;
        // A connection without a reply may be dead. A new one gets its time to open first.
        self.discard_if(|current| {
            is_open = current.connection.peek().is_some();
            current.started.elapsed() >= CONNECT_TIMEOUT
        });
        Err(timeout(is_open))
    }

    fn attempt(&self) -> Attempt {
        let mut current = lock(&self.current);
        let attempt = current.get_or_insert_with(|| {
            let opening = tokio::spawn(Connection::open(Arc::clone(&self.options)));
            let connection = opening.map(|opened| opened.unwrap_or_else(|_| Err(timeout(false))));
            Attempt {
                started: Instant::now(),
                connection: connection.boxed().shared(),
            }
        });
        attempt.clone()
    }

    fn discard_if(&self, condition: impl FnOnce(&mut Attempt) -> bool) {
        let mut current = lock(&self.current);
        current.take_if(condition);
    }
}

/// Runs the work for `limit`. A process that gets no processor may not have read a reply that is there: the
/// time by which the end comes too late is added, up to another `limit`.
async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, end) = (pin!(work), tokio::time::Instant::now() + limit);
    if let Ok(result) = timeout_at(end, &mut work).await {
        return Some(result);
    }
    let late = end.elapsed().min(limit);
    tokio::time::timeout(late, work).await.ok()
}

/// Whether the error is a reply to the command, after which the connection is as good as before. A server
/// that has become a replica, or wants a login, is reached anew: its name may have another address.
fn is_reply(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => !matches!(
            kind,
            ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown
        ),
        ErrorKind::Extension => error.code() != Some("NOAUTH"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_starved_process_waits_longer() {
        let limit = Duration::from_millis(240);
        let started = Instant::now();
        assert_eq!(within(limit, std::future::pending::<u8>()).await, None);
        let slack = Duration::from_millis(10);
        assert!(started.elapsed() < limit + slack, "a server that hangs");
        for (reply_after, result) in [(500, Some(7)), (700, None)] {
            let started = Instant::now();
            let work = async {
                tokio::time::sleep(Duration::from_millis(reply_after)).await;
                7
            };
            // Nothing runs here for 400 ms.
            let starving = async {
                tokio::task::yield_now().await;
                tokio::time::advance(Duration::from_millis(400)).await;
            };
            let (done, ()) = tokio::join!(within(limit, work), starving);
            assert_eq!(done, result);
            assert!(started.elapsed() <= Duration::from_millis(400 + 160) + slack);
        }
    }
}
