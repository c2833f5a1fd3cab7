//! Answers on a loopback address, over real HTTP, on a thread and a runtime of their own: they neither
//! share tasks with their client nor wait for it. The answers come from a trait.

use std::convert::Infallible;
use std::fmt;
use std::future::{pending, poll_fn};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::fake_bedrock::{Delivery, Reply, ReplyBody};

/// Answers requests.
pub(crate) trait Answers: Send + Sync + 'static {
    /// The answer, and how it comes.
    fn answer(&self, request: &Request<Bytes>) -> Reply;

    /// A connection was made.
    fn connected(&self) {}

    /// A connection ended.
    fn disconnected(&self) {}
}

/// A server. Dropping it closes every connection and frees the port.
pub(crate) struct Loopback {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Loopback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loopback")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Loopback {
    /// Listens on this port of 127.0.0.1; 0 is any free one.
    pub(crate) fn start(name: &str, answers: Arc<impl Answers>, port: u16) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, answers) => {}
                }
            });
        })?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process ends.
    pub(crate) fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, answers: Arc<impl Answers>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    answers.connected();
                    connections.spawn(serve(stream, Arc::clone(&answers)));
                }
            }
        }
    }
}

async fn serve(stream: TcpStream, answers: Arc<impl Answers>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| respond(request, &*answers));
    // A connection that breaks is part of the script, or the client's own doing.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    answers.disconnected();
}

async fn respond(
    request: Request<Incoming>,
    answers: &impl Answers,
) -> Result<Response<ReplyBody>, Infallible> {
    let (parts, body) = request.into_parts();
    let request = Request::from_parts(parts, whole(body).await);
    let reply = answers.answer(&request);
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

async fn whole(mut body: Incoming) -> Bytes {
    let mut whole = BytesMut::new();
    while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(data) = frame.into_data() {
            whole.extend_from_slice(&data);
        }
    }
    whole.freeze()
}
