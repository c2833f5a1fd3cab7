//! The stage on a loopback address.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use hyper::Request;

use super::protocol::{Ask, Reply};
use super::stage::Stage;
use crate::loopback::{Answers, Loopback};

/// A fake Bedrock that listens. Dropping it closes every connection and frees the port.
#[derive(Debug)]
pub struct FakeBedrock {
    loopback: Loopback,
    stage: Arc<Stage>,
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
        let stage = Arc::new(stage);
        Ok(Self {
            loopback: Loopback::start("fake-bedrock", Arc::clone(&stage), port)?,
            stage,
        })
    }

    /// The endpoint URL.
    pub fn url(&self) -> String {
        self.loopback.url()
    }

    /// The stage behind it.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Serves until the process ends.
    pub fn wait(self) {
        self.loopback.wait();
    }
}

impl Answers for Stage {
    fn answer(&self, request: &Request<Bytes>) -> Reply {
        let authorization = request.headers().get("authorization");
        let authorization = authorization.and_then(|value| value.to_str().ok());
        let target = request.uri().path_and_query();
        let target = target.map_or("/", |target| target.as_str());
        Stage::answer(
            self,
            &Ask::new(request.method().as_str(), target, authorization),
        )
    }

    fn connected(&self) {
        self.gauge().enter();
    }

    fn disconnected(&self) {
        self.gauge().leave();
    }
}
