//! The thread on which a tier asks Redis: started by the first question, in whatever process that is,
//! ended with the tier. This file may not know what is asked.

use std::future::Future;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::fault::Fault;
use super::link::{Connection, Link, prepare_thread};
use super::listen::Ear;
use super::options::RedisOptions;

/// What is kept back of a limit, as a share of it, for the way there and back.
const SPARE: u32 = 25;

pub(super) struct Worker {
    options: RedisOptions,
    max_len: usize,
    ear: Ear,
    running: Mutex<Option<Running>>,
}

struct Running {
    handle: Handle,
    link: Arc<Link>,
    thread: Option<JoinHandle<()>>,
    stop: Option<oneshot::Sender<()>>,
    /// The process it runs in: after a fork the child has the memory, and not the thread.
    process: u32,
}

impl Worker {
    pub(super) fn new(options: RedisOptions, max_len: usize, ear: Ear) -> Self {
        Self {
            options,
            max_len,
            ear,
            running: Mutex::new(None),
        }
    }

    pub(super) fn ear(&self) -> &Ear {
        &self.ear
    }

    pub(super) fn options(&self) -> &RedisOptions {
        &self.options
    }

    /// Asks on the thread and waits for it, at most the operation's timeout; up to twice as long where
    /// this process itself is held up.
    pub(super) fn ask<T, F>(
        &self,
        ask: impl FnOnce(Connection) -> F + Send + 'static,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let limit = self.options.timeout;
        let (handle, link) = self.running()?;
        let (sender, receiver) = mpsc::sync_channel(1);
        handle.spawn(async move {
            let asked = link.ask(limit - limit / SPARE, ask).await;
            // Nobody waits any more: nobody to tell.
            let _ = sender.send(asked);
        });
        let asked = match receiver.recv_timeout(limit) {
            // The thread keeps the time itself, and would have said so: it has not come to it.
            Err(RecvTimeoutError::Timeout) => receiver.recv_timeout(limit),
            asked => asked,
        };
        asked.unwrap_or_else(|_| Err(Fault::timeout()))
    }

    /// Leaves something to be done beside all else, until the tier is dropped.
    pub(super) fn keep<F>(&self, work: impl FnOnce(Arc<Link>) -> F) -> Result<AbortHandle, Fault>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (handle, link) = self.running()?;
        Ok(handle.spawn(work(link)).abort_handle())
    }

    fn running(&self) -> Result<(Handle, Arc<Link>), Fault> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parents) = running.take_if(|running| running.process != std::process::id()) {
            // Its thread is not in this process: there is nothing to stop, and nothing to wait for.
            std::mem::forget(parents);
        }
        let running = match &mut *running {
            Some(running) => running,
            none => none.insert(self.start().map_err(|error| Fault::thread(&error))?),
        };
        Ok((running.handle.clone(), Arc::clone(&running.link)))
    }

    fn start(&self) -> std::io::Result<Running> {
        let link = Arc::new(Link::new(self.options.clone()));
        let (stop, stopped) = oneshot::channel::<()>();
        let (sender, receiver) = mpsc::sync_channel(1);
        let (options, max_len, ear) = (self.options.clone(), self.max_len, self.ear.clone());
        let thread = std::thread::Builder::new()
            .name("cache-redis".into())
            .spawn(move || {
                prepare_thread(&options, max_len);
                let runtime = match Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(error) => {
                        let _ = sender.send(Err(error));
                        return;
                    }
                };
                let _ = sender.send(Ok(runtime.handle().clone()));
                runtime.block_on(async {
                    tokio::spawn(ear.listen(options));
                    // Dropped, not sent: the tier is gone.
                    let _ = stopped.await;
                });
                // A name that is being looked up is not waited for.
                runtime.shutdown_background();
            })?;
        let handle = receiver.recv().map_err(std::io::Error::other)??;
        Ok(Running {
            handle,
            link,
            thread: Some(thread),
            stop: Some(stop),
            process: std::process::id(),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && self.process == std::process::id()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}
