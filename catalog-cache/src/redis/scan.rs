//! Operations on many entries: pages of a scan, on every server that holds keys.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo};
use redis::{ErrorKind, FromRedisValue, RedisResult, Value, cmd};

use super::connection::Connection;
use super::{RedisTier, scripts};
use crate::{Deadline, Namespace, Pattern, TierError, TierErrorKind};

/// The limit of one scan of the database. A removal that it cuts short is repeated by cleanup.
const SCAN_LIMIT: Duration = Duration::from_secs(2);
/// The number of keys in one page of a scan.
const PAGE: usize = 500;

/// An entry in a scan.
pub(super) struct Head {
    pub(super) name: Vec<u8>,
    /// The first bytes, with the envelope.
    pub(super) bytes: Bytes,
    pub(super) len: u64,
}

impl RedisTier {
    /// Removes the keys that match, stored or with a lease, page by page.
    pub(super) fn remove_matching(
        &self,
        namespace: &Namespace,
        pattern: &Pattern,
        deadline: Deadline,
    ) -> Result<u64, TierError> {
        let (mut removed, mut seen) = (0, HashSet::new());
        self.pages(&self.keys.all(Some(namespace)), deadline, |names| {
            let matching = names.iter().filter_map(|name| self.keys.parse(name));
            let matching = matching.filter(|(_, key)| pattern.matches(key));
            let new = matching.filter(|(_, key)| seen.insert(key.clone()));
            let cmds = new.map(|(_, key)| {
                scripts::call(scripts::REMOVE, self.entry_and_fence(namespace, &key))
            });
            let counts: Vec<u64> = self.runtime.call_all(cmds.collect(), deadline)?;
            removed += counts.iter().sum::<u64>();
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(removed)
    }

    /// Visits the names that match a glob, page by page; some of them twice.
    fn pages(
        &self,
        glob: &str,
        deadline: Deadline,
        mut visit: impl FnMut(Vec<Vec<u8>>) -> Result<ControlFlow<()>, TierError>,
    ) -> Result<(), TierError> {
        let limit = Deadline::after(SCAN_LIMIT);
        let glob: Arc<str> = glob.into();
        let mut cursors = self.runtime.run(deadline, cursors)?;
        while let Some(cursor) = cursors.pop() {
            if limit.is_over() {
                let message = format!("the database has too many keys to scan in {SCAN_LIMIT:?}");
                return Err(TierError::new(TierErrorKind::TooLarge, message));
            }
            let glob = Arc::clone(&glob);
            let (next, names) = self.runtime.run(deadline, move |connection| {
                let (cursor, glob) = (cursor.clone(), Arc::clone(&glob));
                async move { page(connection, cursor, &glob).await }
            })?;
            cursors.extend(next);
            for names in names.chunks(PAGE) {
                if visit(names.to_vec())?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Visits the entries that match a glob, page by page, each once.
    pub(super) fn heads(
        &self,
        glob: &str,
        deadline: Deadline,
        mut visit: impl FnMut(Vec<Head>) -> Result<ControlFlow<()>, TierError>,
    ) -> Result<(), TierError> {
        let mut seen = HashSet::new();
        self.pages(glob, deadline, |mut names| {
            names.retain(|name| seen.insert(name.clone()));
            let look = |name: &Vec<u8>| scripts::call(scripts::HEAD, [name]);
            let heads = self
                .runtime
                .call_all(names.iter().map(look).collect(), deadline)?;
            let heads = names.into_iter().zip(heads);
            let heads = heads.map(|(name, (bytes, len))| Head { name, bytes, len });
            // Removed meanwhile, or of another type.
            visit(heads.filter(|head| head.len > 0).collect())
        })
    }
}

/// The position of a scan on one server.
#[derive(Clone)]
struct Cursor {
    /// The server, in a Cluster.
    address: Option<(String, u16)>,
    position: u64,
}

/// The servers to scan, each at its beginning.
async fn cursors(connection: Connection) -> RedisResult<Vec<Cursor>> {
    let Connection::Cluster(mut cluster) = connection else {
        let (address, position) = (None, 0);
        return Ok(vec![Cursor { address, position }]);
    };
    let primaries = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
    // The reply of each server, by its address.
    let replies = cluster.route_command(cmd("DBSIZE"), primaries).await?;
    let replies: Vec<(String, Value)> = FromRedisValue::from_redis_value(replies)?;
    let cursor = |(address, _): (String, Value)| {
        let (host, port) = address.rsplit_once(':')?;
        let address = Some((host.to_owned(), port.parse().ok()?));
        Some(Cursor {
            address,
            position: 0,
        })
    };
    let cursors: Option<Vec<Cursor>> = replies.into_iter().map(cursor).collect();
    cursors.ok_or_else(|| (ErrorKind::UnexpectedReturnType, "no server addresses").into())
}

/// One page of names that match, and the cursor of the next page.
async fn page(
    mut connection: Connection,
    cursor: Cursor,
    glob: &str,
) -> RedisResult<(Option<Cursor>, Vec<Vec<u8>>)> {
    let mut scan = cmd("SCAN");
    scan.arg(cursor.position).arg("MATCH").arg(glob);
    scan.arg("COUNT").arg(PAGE);
    let reply: Value = match (&mut connection, cursor.address.clone()) {
        (Connection::Cluster(cluster), Some((host, port))) => {
            let server = SingleNodeRoutingInfo::ByAddress { host, port };
            let route = RoutingInfo::SingleNode(server);
            cluster.route_command(scan, route).await?
        }
        (connection, _) => connection.send(&scan).await?,
    };
    let (position, names): (u64, Vec<Vec<u8>>) = FromRedisValue::from_redis_value(reply)?;
    let next = (position != 0).then_some(Cursor { position, ..cursor });
    Ok((next, names))
}
