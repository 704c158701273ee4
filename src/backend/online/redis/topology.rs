//! Which server holds what: asked when the first command is sent, and again when a server is gone or says that things have moved.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use redis::{Connection, ConnectionInfo, Value};

use super::servers::{named, open, told, way_beside};

/// Who holds which slots, as of one look.
pub(super) struct Topology {
    /// The server that told; user, password and certificates of the others are its own.
    teller: ConnectionInfo,
    /// First and last slot, and their server.
    ranges: Vec<(u16, u16, String)>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    One,
    Sentinel,
    Cluster,
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::One => f.write_str("one server"),
            Kind::Sentinel => write!(f, "{}, named by a sentinel", self.servers().join(", ")),
            Kind::Cluster => write!(f, "a cluster of {} servers", self.servers().len()),
        }
    }
}

impl Topology {
    /// True if another look may find another server for the same slot.
    pub(super) fn may_change(&self) -> bool {
        self.kind != Kind::One
    }

    pub(super) fn server_of(&self, slot: u16) -> Option<&str> {
        self.ranges.iter().find(|(first, last, _)| (*first..=*last).contains(&slot)).map(|(_, _, server)| server.as_str())
    }

    pub(super) fn servers(&self) -> Vec<String> {
        self.ranges.iter().map(|(_, _, server)| server.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(super) fn way_to(&self, server: &str) -> Option<ConnectionInfo> {
        if named(&self.teller) == server { Some(self.teller.clone()) } else { way_beside(&self.teller, server) }
    }
}

/// A topology, and the connection over which it was told, if that is one to a server that holds records.
pub(super) type Found = (Topology, Option<(String, Connection)>);

/// Asks the servers that the settings name, in order, until one can tell.
pub(super) fn discover(seeds: &[ConnectionInfo], sentinel: Option<&str>, timeout: Duration) -> Result<Found, String> {
    let mut whys = Vec::with_capacity(seeds.len());
    for seed in seeds {
        let found = match sentinel {
            Some(name) => ask_sentinel(seed, name, timeout),
            None => ask_server(seed, timeout),
        };
        match found {
            Ok(found) => return Ok(found),
            Err(why) => whys.push(why),
        }
    }
    Err(whys.join("; "))
}

fn ask_server(seed: &ConnectionInfo, timeout: Duration) -> Result<Found, String> {
    let server = named(seed);
    let fault = |error: redis::RedisError| told(&server, &error);
    let mut connection = open(seed, timeout, timeout).map_err(fault)?;
    let about: String = redis::cmd("INFO").query(&mut connection).map_err(fault)?;
    let says = |name: &str| about.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().trim().to_owned();
    match says("redis_mode").as_str() {
        "sentinel" => Err(format!("{server} is a sentinel: name the server it is to be asked for with ?sentinel=NAME")),
        "cluster" => {
            let slots: Value = redis::cmd("CLUSTER").arg("SLOTS").query(&mut connection).map_err(fault)?;
            let ranges = ranges_in(slots, seed);
            if ranges.is_empty() {
                return Err(format!("{server} belongs to a cluster in which no server holds anything"));
            }
            let is_holder = ranges.iter().any(|(_, _, holder)| *holder == server);
            let topology = Topology { teller: seed.clone(), ranges, kind: Kind::Cluster };
            Ok((topology, is_holder.then_some((server, connection))))
        }
        _ if says("role") == "slave" => Err(format!("{server} is a replica: name the server it copies, or a sentinel")),
        _ => {
            let topology = Topology { teller: seed.clone(), ranges: vec![(0, u16::MAX, server.clone())], kind: Kind::One };
            Ok((topology, Some((server, connection))))
        }
    }
}

fn ask_sentinel(seed: &ConnectionInfo, name: &str, timeout: Duration) -> Result<Found, String> {
    let sentinel = named(seed);
    // A sentinel has no databases, and its users are its own.
    let plain = seed.clone().set_redis_settings(seed.redis_settings().clone().set_db(0));
    let fault = |error: redis::RedisError| told(&sentinel, &error);
    let mut connection = open(&plain, timeout, timeout).map_err(fault)?;
    let place: Option<(String, u16)> =
        redis::cmd("SENTINEL").arg("get-master-addr-by-name").arg(name).query(&mut connection).map_err(fault)?;
    let (host, port) = place.ok_or_else(|| format!("the sentinel {sentinel} knows no server '{name}'"))?;
    let server = format!("{host}:{port}");
    let way = way_beside(seed, &server).ok_or_else(|| format!("the sentinel {sentinel} named no server"))?;
    let opened = open(&way, timeout, timeout).map_err(|error| told(&server, &error))?;
    let topology = Topology { teller: way, ranges: vec![(0, u16::MAX, server.clone())], kind: Kind::Sentinel };
    Ok((topology, Some((server, opened))))
}

/// Reads `CLUSTER SLOTS`: first, last, then the master's host and port, replicas after it.
fn ranges_in(slots: Value, teller: &ConnectionInfo) -> Vec<(u16, u16, String)> {
    let Value::Array(entries) = slots else { return Vec::new() };
    let own_host = named(teller).rsplit_once(':').map(|(host, _)| host.to_owned()).unwrap_or_default();
    let number = |value: &Value| match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    };
    let mut ranges = Vec::with_capacity(entries.len());
    for entry in entries {
        let Value::Array(parts) = entry else { continue };
        let (Some(first), Some(last), Some(Value::Array(master))) =
            (parts.first().and_then(number), parts.get(1).and_then(number), parts.get(2))
        else {
            continue;
        };
        // A server that does not know its own name leaves it out: then it is the one we speak to.
        let host = match master.first() {
            Some(Value::BulkString(host)) if !host.is_empty() && host != b"?" => String::from_utf8_lossy(host).into_owned(),
            _ => own_host.clone(),
        };
        if let Some(port) = master.get(1).and_then(number) {
            ranges.push((first, last, format!("{host}:{port}")));
        }
    }
    ranges
}
