//! Looking at many keys: pages of a scan, on each server that has keys of its own, and what a server
//! says of itself.

use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::time::Duration;

use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo};
use redis::{FromRedisValue, Value, cmd};
use tokio::task::JoinSet;

use super::fault::Fault;
use super::link::Connection;
use super::worker::Worker;
use crate::{Clock, TierError, TierErrorKind};

/// So many commands are under way at once.
pub(super) const BATCH: usize = 64;
/// So many keys are looked at for one page.
const PAGE: usize = 500;
/// As much of an entry as its envelope may have.
const HEAD: usize = 4096;

/// An entry as a listing sees it.
pub(super) struct Seen {
    pub(super) name: Vec<u8>,
    pub(super) head: Vec<u8>,
    pub(super) bytes: u64,
}

/// Where a scan goes on.
#[derive(Clone)]
struct Place {
    /// The server, in a Cluster.
    server: Option<(String, u16)>,
    cursor: u64,
}

/// How long a scan may take in all.
pub(super) struct Limit<'a> {
    clock: &'a dyn Clock,
    start: Duration,
    most: Duration,
}

impl<'a> Limit<'a> {
    pub(super) fn new(clock: &'a dyn Clock, most: Duration) -> Self {
        Self {
            clock,
            start: clock.steady(),
            most,
        }
    }

    /// An error once it is over; not one of the server, which answers and can go on being asked.
    pub(super) fn check(&self) -> Result<(), TierError> {
        if self.clock.steady().saturating_sub(self.start) < self.most {
            return Ok(());
        }
        let most = self.most.as_secs();
        let message = format!("too many keys to be looked through in {most} s");
        Err(TierError::new(TierErrorKind::TooLarge, message))
    }
}

/// Shows the names that match, page by page, some of them twice. Each page is an operation.
pub(super) fn pages(
    worker: &Worker,
    pattern: &str,
    limit: &Limit<'_>,
    mut visit: impl FnMut(Vec<Vec<u8>>) -> Result<ControlFlow<()>, TierError>,
) -> Result<(), TierError> {
    let mut places = worker.ask(servers)?;
    while let Some(place) = places.pop() {
        limit.check()?;
        let (at, pattern) = (place.clone(), pattern.to_owned());
        let (cursor, names) = worker.ask(move |connection| page(connection, at, pattern))?;
        if cursor != 0 {
            places.push(Place { cursor, ..place });
        }
        if visit(names)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// The servers that have keys, each at its beginning.
async fn servers(connection: Connection) -> Result<Vec<Place>, Fault> {
    let Connection::Cluster(mut cluster) = connection else {
        return Ok(vec![Place {
            server: None,
            cursor: 0,
        }]);
    };
    let masters = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
    let answer = cluster.route_command(cmd("DBSIZE"), masters).await?;
    let Value::Map(answers) = answer else {
        return Err(Fault::protocol("another kind of value"));
    };
    let server = |(name, _): (Value, Value)| {
        let name = String::from_redis_value(name).ok()?;
        let (host, port) = name.rsplit_once(':')?;
        Some(Place {
            server: Some((host.to_owned(), port.parse().ok()?)),
            cursor: 0,
        })
    };
    let servers: Option<Vec<Place>> = answers.into_iter().map(server).collect();
    servers.ok_or_else(|| Fault::protocol("without the names of its servers"))
}

async fn page(
    connection: Connection,
    place: Place,
    pattern: String,
) -> Result<(u64, Vec<Vec<u8>>), Fault> {
    let mut scan = cmd("SCAN");
    scan.arg(place.cursor).arg("MATCH").arg(pattern);
    scan.arg("COUNT").arg(PAGE);
    let answer = match (connection, place.server) {
        (Connection::Cluster(mut cluster), Some((host, port))) => {
            let server = SingleNodeRoutingInfo::ByAddress { host, port };
            let route = RoutingInfo::SingleNode(server);
            cluster.route_command(scan, route).await?
        }
        (mut connection, _) => scan.query_async(&mut connection).await?,
    };
    <(u64, Vec<Vec<u8>>)>::from_redis_value(answer)
        .map_err(|_| Fault::protocol("another kind of value"))
}

/// The first bytes of these entries, and how long they are; what is gone by now, or no text, is left
/// out.
pub(super) async fn look(connection: Connection, names: Vec<Vec<u8>>) -> Result<Vec<Seen>, Fault> {
    let looking = names.into_iter().map(|name| {
        let mut connection = connection.clone();
        async move {
            let mut head = cmd("GETRANGE");
            head.arg(&name).arg(0).arg(HEAD - 1);
            let head: Vec<u8> = head.query_async(&mut connection).await?;
            let mut length = cmd("STRLEN");
            let bytes = length.arg(&name).query_async(&mut connection).await?;
            Ok(Seen { name, head, bytes })
        }
    });
    let mut all = Vec::new();
    for seen in all_of(looking).await {
        match seen {
            Ok(seen) if seen.bytes > 0 => all.push(seen),
            Err(fault) if fault.kind != TierErrorKind::Corrupt => return Err(fault),
            _ => {}
        }
    }
    Ok(all)
}

/// Does all of it at once: one connection takes them in turn, as in a pipeline. The results in order.
pub(super) async fn all_of<T, F>(work: impl Iterator<Item = F>) -> Vec<Result<T, Fault>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Fault>> + Send + 'static,
{
    let mut under_way = JoinSet::new();
    for (index, work) in work.enumerate() {
        under_way.spawn(async move { (index, work.await) });
    }
    let mut done = under_way.join_all().await;
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What a server says of itself.
pub(super) struct Introduction {
    software: String,
    role: String,
    memory: String,
    pub(super) takes_writes: bool,
}

impl fmt::Display for Introduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {} used", self.software, self.role, self.memory)
    }
}

pub(super) async fn introduce(mut connection: Connection) -> Result<Introduction, Fault> {
    let info = cmd("INFO");
    let answer = match &mut connection {
        Connection::Cluster(cluster) => {
            let any = RoutingInfo::SingleNode(SingleNodeRoutingInfo::RandomPrimary);
            cluster.route_command(info, any).await?
        }
        Connection::Single(node) => info.query_async(node).await?,
    };
    let info =
        String::from_redis_value(answer).map_err(|_| Fault::protocol("another kind of value"))?;
    // A server may say anything: only what a version or a number is made of.
    let word = |name: &str| -> Option<String> {
        let mut values = info
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        values
            .next()
            .map(|value| value.chars().filter(plain).take(32).collect())
    };
    let version = |software: &str, name| Some(format!("{software} {}", word(name)?));
    let Some(software) =
        version("Valkey", "valkey_version").or_else(|| version("Redis", "redis_version"))
    else {
        return Err(Fault::protocol("without saying what it is"));
    };
    let role = word("role").unwrap_or_default();
    Ok(Introduction {
        software,
        takes_writes: role != "slave",
        role,
        memory: word("used_memory_human").unwrap_or_default(),
    })
}
