//! Where Redis is: the URL of the settings, read once.
//!
//! ```text
//! redis://[user:password@]host[:port][,host…][/database][?sentinel=NAME]       rediss:// for TLS
//! ```
//! Whether the servers are a cluster is asked, not told. With `sentinel=NAME` the hosts are sentinels, which are asked for the server of
//! that name. Neither the password nor the user is ever shown.

use std::fmt;
use std::path::Path;

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates};

use crate::model::{Error, Result};

/// What a URL looks like.
const FORM: &str =
    "write it like redis://localhost:6379, rediss://user:password@a:6379,b:6379/0 or redis://a:26379,b:26379/0?sentinel=NAME";

/// A URL that was read.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RedisUrl {
    text: String,
    servers: Vec<String>,
    sentinel: Option<String>,
    shown: String,
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Display for RedisUrl {
    /// Without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl RedisUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// `Usage`; the message does not repeat the text, which may hold a password.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::usage("online.url can't be read").why(why.to_owned()).remedy(FORM);
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
        if !matches!(scheme, "redis" | "rediss" | "valkey" | "valkeys") {
            return Err(wrong("its scheme is neither redis nor rediss"));
        }
        if rest.contains('#') {
            return Err(wrong("a fragment has no meaning there"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
        let mut sentinel = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "sentinel" if !value.is_empty() => sentinel = Some(value.into_owned()),
                _ => return Err(wrong("only sentinel=NAME may follow the '?'")),
            }
        }
        let at = if user.is_empty() { String::new() } else { format!("{user}@") };
        let servers: Vec<String> = hosts.split(',').map(|host| format!("{scheme}://{at}{host}/{database}")).collect();
        for server in &servers {
            server.as_str().into_connection_info().map_err(|error| wrong(&error.to_string()))?;
        }
        let name = sentinel.as_ref().map(|name| format!("?sentinel={name}")).unwrap_or_default();
        let slash = if database.is_empty() { "" } else { "/" };
        Ok(Self { text: text.to_owned(), servers, sentinel, shown: format!("{scheme}://{hosts}{slash}{database}{name}") })
    }

    /// The name to ask sentinels for.
    pub(super) fn sentinel(&self) -> Option<&str> {
        self.sentinel.as_deref()
    }

    /// How to reach the servers that are named. With `authority` only servers whose certificate it signed are believed.
    pub(super) fn connect_to(&self, authority: Option<&Path>) -> Result<Vec<ConnectionInfo>> {
        let certificate = match authority {
            Some(path) => Some(
                std::fs::read(path).map_err(|error| Error::io(format!("can't read online.ca_certificate {}", path.display()), error))?,
            ),
            None => None,
        };
        let refused = |error: redis::RedisError| Error::usage(format!("{self} can't be used")).why(error.to_string()).remedy(FORM);
        let mut found = Vec::with_capacity(self.servers.len());
        for server in &self.servers {
            let info = server.as_str().into_connection_info().map_err(refused)?;
            let tcp = info.tcp_settings().clone().set_nodelay(true);
            let info = info.set_tcp_settings(tcp);
            if !matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
                found.push(info);
                continue;
            }
            let certificates = TlsCertificates { client_tls: None, root_cert: certificate.clone() };
            let client = Client::build_with_tls(info, certificates).map_err(refused)?;
            found.push(client.get_connection_info().clone());
        }
        Ok(found)
    }
}

/// Host and port of a server.
pub(super) fn name_of(address: &ConnectionAddr) -> String {
    match address {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => format!("{host}:{port}"),
        other => format!("{other:?}"),
    }
}

/// The way to another server, with user, password, database and certificates of the one that named it.
pub(super) fn beside(known: &ConnectionInfo, host: &str, port: u16) -> ConnectionInfo {
    let address = match known.addr() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host: host.to_owned(), port, insecure: *insecure, tls_params: tls_params.clone() }
        }
        _ => ConnectionAddr::Tcp(host.to_owned(), port),
    };
    known.clone().set_addr(address)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_hosts_database_and_sentinel_and_hides_the_password() {
        let url = RedisUrl::parse("rediss://me:se%3Acret@a:7000,b/2?sentinel=main").unwrap();
        assert_eq!(url.to_string(), "rediss://a:7000,b/2?sentinel=main");
        assert!(!format!("{url:?}").contains("cret"));
        let servers = url.connect_to(None).unwrap();
        assert_eq!(servers.iter().map(|server| name_of(server.addr())).collect::<Vec<_>>(), ["a:7000", "b:6379"]);
        assert_eq!((servers[1].redis_settings().db(), servers[1].redis_settings().password()), (2, Some("se:cret")));
        assert_eq!(name_of(beside(&servers[0], "c", 7001).addr()), "c:7001");
    }

    #[test]
    fn a_url_that_can_t_be_read_is_told_without_its_password() {
        for bad in
            ["localhost:6379", "http://a", "redis://:secret@a:port", "redis://:secret@a/x", "redis://:secret@a?db=1", "redis://a#insecure"]
        {
            let message = RedisUrl::parse(bad).unwrap_err().to_string();
            assert!(message.contains("online.url") && !message.contains("secret"), "{message}");
        }
    }
}
