//! The stage on a loopback address, over real HTTP, on a thread and a runtime of its own: it neither
//! shares tasks with its client nor waits for it.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::body::{Delivery, ReplyBody};
use super::protocol::Ask;
use super::stage::Stage;

/// A fake Bedrock that listens. Dropping it closes every connection and frees the port.
pub struct FakeBedrock {
    address: SocketAddr,
    stage: Arc<Stage>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for FakeBedrock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeBedrock")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl FakeBedrock {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// Where no port can be had.
    pub fn start(stage: Stage) -> io::Result<Self> {
        Self::start_on(stage, 0)
    }

    /// Listens on this port of 127.0.0.1; 0 is any free one.
    ///
    /// # Errors
    ///
    /// Where the port cannot be had.
    pub fn start_on(stage: Stage, port: u16) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let stage = Arc::new(stage);
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&stage);
        let thread = std::thread::Builder::new().name("fake-bedrock".to_owned());
        let thread = thread.spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, served) => {}
                }
            });
        })?;
        Ok(Self {
            address,
            stage,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The endpoint URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The stage behind it.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for FakeBedrock {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, stage: Arc<Stage>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    stage.gauge().enter();
                    connections.spawn(serve(stream, Arc::clone(&stage)));
                }
            }
        }
    }
}

async fn serve(stream: TcpStream, stage: Arc<Stage>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| respond(request, &stage));
    // A connection that ends badly is what the script asked for, or the client's own doing.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    stage.gauge().leave();
}

async fn respond(
    request: Request<Incoming>,
    stage: &Stage,
) -> Result<Response<ReplyBody>, Infallible> {
    let authorization = request
        .headers()
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let ask = Ask::new(request.method().as_str(), target, authorization);
    let reply = stage.answer(&ask);
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    if reply.delivery == Delivery::Never {
        pending::<()>().await;
    }
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers() {
        response = response.header(name, value);
    }
    let response = response.body(ReplyBody::new(reply.body.clone(), reply.delivery));
    Ok(response.unwrap_or_else(|_| Response::new(ReplyBody::new(Bytes::new(), Delivery::Whole))))
}
