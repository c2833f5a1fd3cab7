//! The fake AWS on a loopback address: it distinguishes the protocols, counts requests, and fails on demand.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use serde_json::{Value, json};

use super::state::{Fault, State, text};
use super::{bedrock, iam};
use crate::fake_bedrock::{Delivery, Reply, decode};
use crate::loopback::{Answers, Loopback};

/// A fake AWS that listens. Dropping it closes every connection and frees the port.
#[derive(Debug)]
pub struct FakeAws {
    loopback: Loopback,
    world: Arc<World>,
}

#[derive(Debug, Default)]
struct World(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: State,
    seen: Vec<Seen>,
    faults: Vec<(String, Fault)>,
    delay: Duration,
}

/// A request that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The operation.
    pub operation: String,
    /// The access key of the signature.
    pub access_key: String,
    /// The region of the signature.
    pub region: String,
}

impl FakeAws {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// Where no port can be had.
    pub fn start() -> io::Result<Self> {
        let world = Arc::new(World::default());
        Ok(Self {
            loopback: Loopback::start("fake-aws", Arc::clone(&world), 0)?,
            world,
        })
    }

    /// The endpoint URL, of every service.
    pub fn url(&self) -> String {
        self.loopback.url()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.loopback.address()
    }

    /// The number of requests of an operation.
    pub fn requests(&self, operation: &str) -> usize {
        let seen = |seen: &&Seen| seen.operation == operation;
        self.world.lock().seen.iter().filter(seen).count()
    }

    /// The requests, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.world.lock().seen.clone()
    }

    /// The display name of a user, without a request; empty if there is no such user.
    pub fn user_name(&self, id: &str) -> String {
        let user = self.world.lock().state.users.get(id).unwrap_or_default();
        text(&user, "/DisplayName").to_owned()
    }

    /// Lets the next request of this operation fail. Several calls queue.
    pub fn fail_next(&self, operation: &str, fault: Fault) {
        self.world.lock().faults.push((operation.to_owned(), fault));
    }

    /// Delays every answer from now on.
    pub fn delay(&self, delay: Duration) {
        self.world.lock().delay = delay;
    }
}

impl World {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers for World {
    fn answer(&self, request: &Request<Bytes>) -> Reply {
        let header = |name: &str| {
            let value = request.headers().get(name);
            value
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let credential = header("authorization").split([' ', ',']);
        let credential = credential
            .filter_map(|part| part.strip_prefix("Credential="))
            .next();
        let mut scope = credential.unwrap_or_default().split('/');
        let (access_key, region) = (
            scope.next().unwrap_or_default(),
            scope.nth(1).unwrap_or_default(),
        );
        let path = decode(request.uri().path(), false);
        let body = request.body();
        let call = Call::of(
            request.method().as_str(),
            &path,
            header("x-amz-target"),
            body,
        );
        let mut inner = self.lock();
        inner.seen.push(Seen {
            operation: call.operation.to_owned(),
            access_key: access_key.to_owned(),
            region: region.to_owned(),
        });
        let at = inner
            .faults
            .iter()
            .position(|(operation, _)| operation == call.operation);
        let fault = at.map(|at| inner.faults.remove(at).1);
        if let Some(Fault::Refused(status, code)) = fault {
            return Reply::error(status, code, "as told");
        }
        let outcome = call.run(&mut inner.state, &path, access_key);
        let mut reply = match (fault, outcome) {
            (Some(Fault::DoneBut(status, code)), _) => Reply::error(status, code, "as told"),
            (Some(Fault::Says(kind, bytes)), _) => Reply::raw(200, kind, bytes),
            (_, Err((status, code))) => call.refusal(status, code),
            (fault, Ok(value)) => {
                let mut reply = call.reply(&value);
                if let Some(Fault::Delivered(delivery)) = fault {
                    reply.delivery = delivery;
                }
                reply
            }
        };
        if reply.delivery != Delivery::Never {
            reply.delay = inner.delay;
        }
        reply
    }
}

/// A request, taken apart.
struct Call<'a> {
    service: Service,
    operation: &'a str,
    input: Value,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    IdentityStore,
    SsoAdmin,
    Bedrock,
    /// The Query protocol.
    Iam,
    Sts,
}

impl<'a> Call<'a> {
    fn of(method: &str, path: &str, target: &'a str, body: &'a Bytes) -> Self {
        if let Some((service, operation)) = target.split_once('.') {
            let service = if service == "AWSIdentityStore" {
                Service::IdentityStore
            } else {
                Service::SsoAdmin
            };
            let input = serde_json::from_slice(body).unwrap_or_default();
            return Self {
                service,
                operation,
                input,
            };
        }
        let form = std::str::from_utf8(body).unwrap_or_default();
        let action = form
            .split('&')
            .find_map(|pair| pair.strip_prefix("Action="));
        if let Some(operation) = action {
            let input = iam::form(form);
            let service = match text(&input, "/Version") {
                iam::VERSION => Service::Iam,
                _ => Service::Sts,
            };
            return Self {
                service,
                operation,
                input,
            };
        }
        let input = serde_json::from_slice(body).unwrap_or_default();
        let operation = bedrock::operation(method, path).unwrap_or("Unknown");
        Self {
            service: Service::Bedrock,
            operation,
            input,
        }
    }

    fn run(&self, state: &mut State, path: &str, access_key: &str) -> super::state::Outcome {
        match self.service {
            Service::IdentityStore => state.identity_store(self.operation, &self.input),
            Service::SsoAdmin => state.sso_admin(self.operation, &self.input),
            Service::Bedrock => state.bedrock(self.operation, path, &self.input),
            Service::Iam => state.iam(self.operation, &self.input),
            Service::Sts => Ok(json!({ "Arn": format!("arn:aws:iam:::user/{access_key}") })),
        }
    }

    fn refusal(&self, status: u16, code: &str) -> Reply {
        match self.service {
            Service::Iam => Reply::raw(status, "text/xml", iam::refusal(code)),
            _ => Reply::error(status, code, "not so"),
        }
    }

    fn reply(&self, value: &Value) -> Reply {
        match self.service {
            Service::IdentityStore | Service::SsoAdmin => {
                Reply::raw(200, "application/x-amz-json-1.1", value.to_string())
            }
            Service::Bedrock => Reply::json(200, value),
            Service::Iam => Reply::raw(200, "text/xml", iam::answer(self.operation, value)),
            Service::Sts => {
                let (operation, arn) = (self.operation, text(value, "/Arn"));
                let credentials = "<Credentials><AccessKeyId>K</AccessKeyId><SecretAccessKey>S</SecretAccessKey>\
                    <SessionToken>T</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>";
                let is_harmless = ["GetCallerIdentity", "GetAccessKeyInfo"].contains(&operation);
                let secret = if is_harmless { "" } else { credentials };
                let body = format!(
                    "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{operation}Result>\
                    <Arn>{arn}</Arn><UserId>u</UserId>{secret}</{operation}Result></{operation}Response>"
                );
                Reply::raw(200, "text/xml", body)
            }
        }
    }
}
