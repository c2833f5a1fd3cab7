//! The async runtime of a tier: one thread, started by the first operation and stopped with the tier.

use std::future::Future;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use redis::{Cmd, FromRedisValue, RedisResult};
use tokio::runtime::{Builder, Handle};

use super::connection::{Connection, Connector};
use super::error::{describe, timeout};
use super::options::RedisOptions;
use super::subscriber::Subscriber;
use crate::sync::{Mutex, lock};
use crate::{Deadline, Listener, TierError, TierErrorKind};

/// The limit of [`Runtime::post`].
const POST_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Runtime {
    options: Arc<RedisOptions>,
    subscriber: Subscriber,
    running: Mutex<Option<Running>>,
}

struct Running {
    runtime: tokio::runtime::Runtime,
    connector: Arc<Connector>,
    /// After a fork, the child has this memory without its thread.
    process: u32,
}

impl Runtime {
    pub(super) fn new(options: RedisOptions, subscriber: Subscriber) -> Self {
        Self {
            options: Arc::new(options),
            subscriber,
            running: Mutex::new(None),
        }
    }

    pub(super) fn options(&self) -> &RedisOptions {
        &self.options
    }

    pub(super) fn subscriber(&self) -> &Subscriber {
        &self.subscriber
    }

    /// Passes changes by other processes to the listener, from the first operation on.
    pub(super) fn subscribe(&self, listener: Listener) {
        let running = lock(&self.running);
        if self.subscriber.add(listener)
            && let Some(running) = &*running
        {
            self.spawn_subscriber(&running.runtime);
        }
    }

    fn spawn_subscriber(&self, runtime: &tokio::runtime::Runtime) {
        runtime.spawn(self.subscriber.clone().run(Arc::clone(&self.options)));
    }

    /// Sends one command and waits for its reply.
    pub(super) fn call<T>(&self, cmd: Cmd, deadline: Deadline) -> Result<T, TierError>
    where
        T: FromRedisValue + Send + 'static,
    {
        self.run(deadline, sending(cmd))
    }

    /// Sends one command after those that wait for a reply, and does not wait.
    pub(super) fn post(&self, cmd: Cmd) {
        // An error has no receiver.
        let _ = self.spawn::<redis::Value, _>(POST_TIMEOUT, sending(cmd));
    }

    /// Sends all commands at once and waits for their replies, as one operation.
    pub(super) fn call_all<T>(
        &self,
        cmds: Vec<Cmd>,
        deadline: Deadline,
    ) -> Result<Vec<T>, TierError>
    where
        T: FromRedisValue + Send + 'static,
    {
        if cmds.is_empty() {
            return Ok(Vec::new());
        }
        let cmds = Arc::new(cmds);
        self.run(deadline, move |connection| {
            let cmds = Arc::clone(&cmds);
            async move { connection.send_all(&cmds).await }
        })
    }

    /// Runs an operation on the runtime and waits for it, at most until the deadline and for
    /// [`RedisOptions::timeout`].
    pub(super) fn run<T, F>(
        &self,
        deadline: Deadline,
        operation: impl Fn(Connection) -> F + Send + Sync + 'static,
    ) -> Result<T, TierError>
    where
        T: Send + 'static,
        F: Future<Output = RedisResult<T>> + Send + 'static,
    {
        let limit = deadline.at_most(self.options.timeout);
        let result = self.spawn(limit, operation)?;
        // The runtime keeps the limit, and adds to it where the process gets no processor.
        let result = result.recv_timeout(limit * 2);
        let result = result.unwrap_or_else(|_| Err(timeout(true)));
        result.map_err(|error| describe(&error, &self.options))
    }

    fn spawn<T, F>(
        &self,
        limit: Duration,
        operation: impl Fn(Connection) -> F + Send + Sync + 'static,
    ) -> Result<Receiver<RedisResult<T>>, TierError>
    where
        T: Send + 'static,
        F: Future<Output = RedisResult<T>> + Send + 'static,
    {
        let (handle, connector) = self.running()?;
        let (sender, receiver) = mpsc::sync_channel(1);
        handle.spawn(async move {
            // The receiver is gone if its time is over.
            let _ = sender.send(connector.run(limit, operation).await);
        });
        Ok(receiver)
    }

    fn running(&self) -> Result<(Handle, Arc<Connector>), TierError> {
        let mut running = lock(&self.running);
        if let Some(parents) = running.take_if(|running| running.process != std::process::id()) {
            parents.stop();
        }
        let running = match &mut *running {
            Some(running) => running,
            none => none.insert(self.start()?),
        };
        Ok((
            running.runtime.handle().clone(),
            Arc::clone(&running.connector),
        ))
    }

    fn start(&self) -> Result<Running, TierError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("cache-redis")
            .enable_all()
            .build()
            .map_err(|error| {
                let message = "cannot start the thread for Redis";
                TierError::new(TierErrorKind::Unavailable, message).with_source(error)
            })?;
        self.spawn_subscriber(&runtime);
        Ok(Running {
            runtime,
            connector: Arc::new(Connector::new(Arc::clone(&self.options))),
            process: std::process::id(),
        })
    }
}

/// The operation that sends this command.
fn sending<T: FromRedisValue>(
    cmd: Cmd,
) -> impl Fn(Connection) -> BoxFuture<'static, RedisResult<T>> + Send + Sync + 'static {
    let cmd = Arc::new(cmd);
    move |mut connection| {
        let cmd = Arc::clone(&cmd);
        async move { connection.send(&cmd).await }.boxed()
    }
}

impl Running {
    fn stop(self) {
        if self.process == std::process::id() {
            // Without waiting: a tier may be dropped on an async thread.
            self.runtime.shutdown_background();
        } else {
            // Its locks, sockets and epoll instance are shared with the parent.
            std::mem::forget(self);
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let running = self
            .running
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.take() {
            running.stop();
        }
    }
}
