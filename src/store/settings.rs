//! Settings of a store: `larder.toml`, then `LARDER_…` variables, through one parser.
//!
//! Every key is `section.name`; its variable is `LARDER_SECTION_NAME`. A key that is not known is an error with
//! the nearest known one, never ignored: a typo in a settings file must not pass for a setting.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::backend::offline::RemoteSettings;
use crate::backend::online::{RedisOptions, RedisUrl, WhenAway};
use crate::model::suggest::suggest;
use crate::model::{Error, Result, TimeMode};

/// Name of the settings file in a store's folder.
pub const FILE: &str = "larder.toml";

/// The settings, with their defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `store.account`: twelve digits in object names and ARNs.
    pub account: String,
    /// `store.region`: in object names and ARNs.
    pub region: String,
    /// `store.s3_uri`: where groups keep their objects unless they say otherwise.
    pub s3_uri: String,
    /// `store.strict_time`: refuse event times outside the documented forms.
    pub time_mode: TimeMode,
    /// `online.map_size`: address space of the online store, in bytes or with a unit.
    pub map_size: u64,
    /// `online.outbox_limit`: most bytes a group's outbox may hold.
    pub outbox_limit: u64,
    /// `online.url` and the settings beside it: the Redis that holds the online rows in place of the folder; none is the folder.
    pub redis: Option<RedisOptions>,
    /// What stands beside `online.url`, which may be told elsewhere or later.
    pub beside_redis: RedisOptions,
    /// `drain.max_rows`: records in a group's outbox that start a drain.
    pub drain_rows: u64,
    /// `drain.max_bytes`: bytes in a group's outbox that start a drain.
    pub drain_bytes: u64,
    /// `drain.max_age_seconds`: age of a group's oldest outbox entry that starts a drain.
    pub drain_age: u64,
    /// `compact.min_files`: small files a group's history may have before they are merged by themselves.
    pub compact_files: u64,
    /// `compact.target_rows`: rows of a compacted file.
    pub compact_rows: u64,
    /// `compact.target_bytes`: bytes of a compacted file.
    pub compact_bytes: u64,
    /// `compact.grace_seconds`: how long a replaced file stays for those who still read it.
    pub compact_grace: u64,
    /// `query.memory`: bytes a query may hold before it spills.
    pub query_memory: u64,
    /// `object_store.…`: the bucket that holds the history in place of the folder; none is the folder.
    pub object_store: RemoteSettings,
    /// `openlineage.…`: where lineage events go.
    pub openlineage: OpenLineageSettings,
    /// `serve.bind`: address and port the server listens on.
    pub serve_bind: SocketAddr,
    /// `serve.keys`: keys that may sign requests; see [`ServeKey`].
    pub serve_keys: Vec<ServeKey>,
    /// `serve.max_body`: most bytes of a request that is no object.
    pub serve_max_body: u64,
    /// `serve.max_connections`: most connections at once.
    pub serve_max_connections: u64,
    /// `serve.idle_seconds`: how long a connection may idle.
    pub serve_idle: u64,
    /// `serve.body_seconds`: how long the body of a request may take.
    pub serve_body_time: u64,
    /// `serve.stop_seconds`: how long requests on their way may take once the server is to stop.
    pub serve_stop_time: u64,
    /// `serve.tls_certificate`: chain of certificates in PEM.
    pub serve_certificate: Option<PathBuf>,
    /// `serve.tls_key`: private key in PEM.
    pub serve_private_key: Option<PathBuf>,
}

/// Where lineage events go. The variables of OpenLineage's own clients are honoured, ours come before them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLineageSettings {
    /// `openlineage.url`: `http(s)://HOST`, `file:///PATH` or an absolute path; none sends nothing.
    pub url: Option<String>,
    /// `openlineage.endpoint`: path below an HTTP URL.
    pub endpoint: String,
    /// `openlineage.api_key`: sent as a bearer token.
    pub api_key: Option<Secret>,
    /// `openlineage.namespace`: namespace of our jobs.
    pub namespace: String,
    /// `openlineage.disabled`: sends nothing, whatever the URL.
    pub disabled: bool,
}

impl Default for OpenLineageSettings {
    fn default() -> Self {
        Self { url: None, endpoint: "api/v1/lineage".into(), api_key: None, namespace: "larder".into(), disabled: false }
    }
}

/// A text that must not appear in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// A key that may sign requests to the server: `ID:SECRET`, `ID:SECRET:read-only` or `ID:SECRET:read-write:group-*,other`.
///
/// Several stand in an array of the file, or with blanks between them in a variable.
#[derive(Clone, PartialEq, Eq)]
pub struct ServeKey {
    /// What the client calls access key id.
    pub id: String,
    /// What the client calls secret access key.
    pub secret: String,
    /// False if it may only read.
    pub may_write: bool,
    /// Patterns of the groups it is bound to, in lower case; empty for no bound.
    pub groups: Vec<String>,
}

impl std::fmt::Debug for ServeKey {
    /// Shows all but the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServeKey").field("id", &self.id).field("may_write", &self.may_write).field("groups", &self.groups).finish()
    }
}

impl ServeKey {
    /// Reads keys. Errors name a key by its id, never its secret.
    fn parse_all(text: &str) -> Result<Vec<Self>> {
        let mut keys: Vec<Self> = Vec::new();
        for entry in text.split_whitespace() {
            let key = Self::parse(entry)?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(Error::usage(format!("the key '{}' is named twice in serve.keys", key.id)).remedy("name each once"));
            }
            keys.push(key);
        }
        Ok(keys)
    }

    fn parse(entry: &str) -> Result<Self> {
        let form = "write ID:SECRET, ID:SECRET:read-only or ID:SECRET:read-write:group-*,other";
        let mut parts = entry.splitn(4, ':');
        let (id, secret, role, groups) = (parts.next().unwrap_or_default(), parts.next(), parts.next(), parts.next());
        let legal = (3..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if !legal {
            return Err(Error::usage("serve.keys holds a key whose id is not 3 to 128 letters, digits, '_' and '-'").remedy(form));
        }
        let secret = secret.filter(|secret| secret.len() >= 8);
        let secret = secret.ok_or_else(|| Error::usage(format!("the secret of key '{id}' has less than 8 characters")).remedy(form))?;
        let may_write = match role.unwrap_or("read-write") {
            "read-write" => true,
            "read-only" => false,
            _ => return Err(Error::usage(format!("the role of key '{id}' is neither read-only nor read-write")).remedy(form)),
        };
        let groups = groups.unwrap_or_default().split(',').filter(|pattern| !pattern.is_empty()).map(str::to_ascii_lowercase).collect();
        Ok(Self { id: id.into(), secret: secret.into(), may_write, groups })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account: "000000000000".into(),
            region: "us-east-1".into(),
            s3_uri: crate::backend::offline::DEFAULT_S3_URI.into(),
            time_mode: TimeMode::Lenient,
            map_size: 256 << 30,
            outbox_limit: 8 << 30,
            redis: None,
            beside_redis: RedisOptions::new(RedisUrl::default()),
            drain_rows: 100_000,
            drain_bytes: 64 << 20,
            drain_age: 900,
            compact_files: 32,
            compact_rows: 1 << 20,
            compact_bytes: 128 << 20,
            compact_grace: 3_600,
            query_memory: 1 << 30,
            object_store: RemoteSettings::default(),
            openlineage: OpenLineageSettings::default(),
            serve_bind: SocketAddr::from(([127, 0, 0, 1], 8400)),
            serve_keys: Vec::new(),
            serve_max_body: 32 << 20,
            serve_max_connections: 16_384,
            serve_idle: 75,
            serve_body_time: 30,
            serve_stop_time: 30,
            serve_certificate: None,
            serve_private_key: None,
        }
    }
}

/// Every key, for errors and for the variables.
const KEYS: [&str; 41] = [
    "store.account",
    "store.region",
    "store.s3_uri",
    "store.strict_time",
    "online.map_size",
    "online.outbox_limit",
    "online.url",
    "online.when_away",
    "online.timeout_milliseconds",
    "online.prefix",
    "online.keep_expired_seconds",
    "online.ca_certificate",
    "online.connections",
    "drain.max_rows",
    "drain.max_bytes",
    "drain.max_age_seconds",
    "compact.min_files",
    "compact.target_rows",
    "compact.target_bytes",
    "compact.grace_seconds",
    "query.memory",
    "object_store.url",
    "object_store.endpoint",
    "object_store.region",
    "object_store.path_style",
    "object_store.allow_http",
    "object_store.cache",
    "openlineage.url",
    "openlineage.endpoint",
    "openlineage.api_key",
    "openlineage.namespace",
    "openlineage.disabled",
    "serve.bind",
    "serve.keys",
    "serve.max_body",
    "serve.max_connections",
    "serve.idle_seconds",
    "serve.body_seconds",
    "serve.stop_seconds",
    "serve.tls_certificate",
    "serve.tls_key",
];

/// Variables that all clients of OpenLineage know, and the keys they stand for.
const OPENLINEAGE: [(&str, &str); 5] = [
    ("OPENLINEAGE_URL", "openlineage.url"),
    ("OPENLINEAGE_ENDPOINT", "openlineage.endpoint"),
    ("OPENLINEAGE_API_KEY", "openlineage.api_key"),
    ("OPENLINEAGE_NAMESPACE", "openlineage.namespace"),
    ("OPENLINEAGE_DISABLED", "openlineage.disabled"),
];

impl Settings {
    /// Reads the settings of a store folder: the file if there is one, then variables through `variable`.
    pub fn read(folder: &Path, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut settings = Self::default();
        let path = folder.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => settings.apply_toml(&text).map_err(|error| error.within(path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(format!("can't read {}", path.display()), error)),
        }
        for (name, key) in OPENLINEAGE {
            if let Some(text) = variable(name).filter(|text| !text.is_empty()) {
                settings.set(key, &text).map_err(|error| error.within(name))?;
            }
        }
        // What `--object-store` is called as a variable.
        if let Some(text) = variable("LARDER_OBJECT_STORE").filter(|text| !text.is_empty()) {
            settings.set("object_store.url", &text).map_err(|error| error.within("LARDER_OBJECT_STORE"))?;
        }
        for key in KEYS {
            let name = format!("LARDER_{}", key.replace('.', "_").to_uppercase());
            if let Some(text) = variable(&name) {
                settings.set(key, &text).map_err(|error| error.within(name))?;
            }
        }
        Ok(settings)
    }

    fn apply_toml(&mut self, text: &str) -> Result<()> {
        let table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| Error::usage("the settings can't be read").why(error.message().to_owned()))?;
        for (section, values) in &table {
            let toml::Value::Table(values) = values else {
                return Err(Error::usage(format!("'{section}' stands outside a section"))
                    .remedy("write it under [store], [online], [drain], [compact], [query], [object_store], [openlineage] or [serve]"));
            };
            for (name, value) in values {
                let text = match value {
                    toml::Value::String(text) => text.clone(),
                    toml::Value::Array(items) => items.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(" "),
                    other => other.to_string(),
                };
                self.set(&format!("{section}.{name}"), &text)?;
            }
        }
        Ok(())
    }

    /// Sets one key from text.
    pub fn set(&mut self, key: &str, text: &str) -> Result<()> {
        match key {
            "store.account" if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) => self.account = text.into(),
            "store.account" => return Err(Error::usage(format!("'{text}' is not an account")).remedy("write twelve digits")),
            "store.region" if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') => {
                self.region = text.into();
            }
            "store.region" => return Err(Error::usage(format!("'{text}' is not a region")).remedy("write it like us-east-1")),
            "store.s3_uri" => {
                crate::backend::offline::layout::parse_s3_uri(text)?;
                self.s3_uri = text.into();
            }
            "store.strict_time" => self.time_mode = if parse_flag(key, text)? { TimeMode::Strict } else { TimeMode::Lenient },
            "online.map_size" => self.map_size = parse_bytes(key, text)?,
            "online.outbox_limit" => self.outbox_limit = parse_bytes(key, text)?,
            "drain.max_rows" => self.drain_rows = parse_count(key, text)?,
            "drain.max_bytes" => self.drain_bytes = parse_bytes(key, text)?,
            "drain.max_age_seconds" => self.drain_age = parse_count(key, text)?,
            "compact.min_files" => self.compact_files = parse_count(key, text)?,
            "compact.target_rows" => self.compact_rows = parse_count(key, text)?,
            "compact.target_bytes" => self.compact_bytes = parse_bytes(key, text)?,
            "compact.grace_seconds" => self.compact_grace = parse_count(key, text)?,
            "query.memory" => self.query_memory = parse_bytes(key, text)?,
            "openlineage.url" => {
                // Read here, so that a typo is told at once and not by a silent emitter.
                crate::lineage::openlineage::Transport::parse(text, "", None)?;
                self.openlineage.url = Some(text.into());
            }
            "openlineage.endpoint" => self.openlineage.endpoint = text.into(),
            "openlineage.api_key" => self.openlineage.api_key = Some(Secret(text.into())),
            "openlineage.namespace" => self.openlineage.namespace = text.into(),
            "openlineage.disabled" => self.openlineage.disabled = parse_flag(key, &text.to_lowercase())?,
            "online.url" if text.is_empty() => self.redis = None,
            "online.url" => {
                self.redis = Some(RedisOptions { url: RedisUrl::parse(text)?, ..self.beside_redis.clone() });
            }
            _ if key.starts_with("online.") => return self.set_online(key, text),
            _ if key.starts_with("object_store.") => return self.set_object_store(key, text),
            _ if key.starts_with("serve.") => return self.set_serve(key, text),
            _ => return Err(unknown(key)),
        }
        Ok(())
    }

    fn set_online(&mut self, key: &str, text: &str) -> Result<()> {
        if !KEYS.contains(&key) {
            return Err(unknown(key));
        }
        let redis = &mut self.beside_redis;
        match key {
            "online.when_away" if text == "fail" => redis.when_away = WhenAway::Fail,
            "online.when_away" if text == "queue" => redis.when_away = WhenAway::Queue,
            "online.when_away" => {
                return Err(Error::usage(format!("'{}' is not a value for {key}", text.escape_debug())).remedy("write fail or queue"));
            }
            "online.timeout_milliseconds" => redis.timeout = Duration::from_millis(parse_count(key, text)?),
            "online.prefix" => redis.prefix = text.into(),
            "online.keep_expired_seconds" => redis.keep_expired = Some(Duration::from_secs(parse_count(key, text)?)),
            "online.ca_certificate" => redis.ca_certificate = Some(text.into()),
            "online.connections" => redis.connections = usize::try_from(parse_count(key, text)?).unwrap_or(usize::MAX),
            _ => return Err(unknown(key)),
        }
        if let Some(used) = self.redis.as_mut() {
            *used = RedisOptions { url: used.url.clone(), ..redis.clone() };
        }
        Ok(())
    }

    fn set_object_store(&mut self, key: &str, text: &str) -> Result<()> {
        match key {
            "object_store.url" => self.object_store.url = RemoteSettings::of_url(text)?.url,
            "object_store.endpoint" if text.starts_with("http://") || text.starts_with("https://") => {
                self.object_store.endpoint = Some(text.into());
            }
            "object_store.endpoint" => {
                return Err(Error::usage(format!("'{}' is not an endpoint", text.escape_debug()))
                    .remedy("write it like https://minio.example.com:9000"));
            }
            "object_store.region" => self.object_store.region = Some(text.into()),
            "object_store.path_style" => self.object_store.path_style = Some(parse_flag(key, text)?),
            "object_store.allow_http" => self.object_store.allow_http = parse_flag(key, text)?,
            "object_store.cache" if text == "none" => self.object_store.cache = Some(0),
            "object_store.cache" => self.object_store.cache = Some(parse_bytes(key, text)?),
            _ => return Err(unknown(key)),
        }
        Ok(())
    }

    fn set_serve(&mut self, key: &str, text: &str) -> Result<()> {
        match key {
            "serve.bind" => self.serve_bind = parse_address(key, text)?,
            "serve.keys" => self.serve_keys = ServeKey::parse_all(text)?,
            "serve.max_body" => self.serve_max_body = parse_bytes(key, text)?,
            "serve.max_connections" => self.serve_max_connections = parse_count(key, text)?,
            "serve.idle_seconds" => self.serve_idle = parse_count(key, text)?,
            "serve.body_seconds" => self.serve_body_time = parse_count(key, text)?,
            "serve.stop_seconds" => self.serve_stop_time = parse_count(key, text)?,
            "serve.tls_certificate" => self.serve_certificate = Some(text.into()),
            "serve.tls_key" => self.serve_private_key = Some(text.into()),
            _ => return Err(unknown(key)),
        }
        Ok(())
    }
}

fn unknown(key: &str) -> Error {
    let error = Error::usage(format!("there is no setting '{}'", key.escape_debug()));
    match suggest(key, KEYS) {
        Some(near) => error.remedy(format!("did you mean '{near}'?")),
        None => error.remedy(format!("known are {}", KEYS.join(", "))),
    }
}

/// Reads an address with a port; `key` is named in the error.
pub fn parse_address(key: &str, text: &str) -> Result<SocketAddr> {
    let text = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().map_err(|_| Error::usage(format!("'{text}' is not an address for {key}")).remedy("write it like 127.0.0.1:8400"))
}

fn parse_flag(key: &str, text: &str) -> Result<bool> {
    text.parse().map_err(|_| Error::usage(format!("'{text}' is not a value for {key}")).remedy("write true or false"))
}

fn parse_count(key: &str, text: &str) -> Result<u64> {
    match text.parse() {
        Ok(0) | Err(_) => Err(Error::usage(format!("'{text}' is not a value for {key}")).remedy("write a whole number of 1 or more")),
        Ok(count) => Ok(count),
    }
}

/// Reads bytes as a number, or with KiB, MiB, GiB, TiB (also K, M, G, T, kB, MB, GB, TB: all powers of 1024); `key` is
/// named in the error.
pub fn parse_bytes(key: &str, text: &str) -> Result<u64> {
    let fault = || Error::usage(format!("'{text}' is not a size for {key}")).remedy("write it like 512MiB or 64GiB");
    let digits = text.trim().trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
    let unit = text.trim()[digits.len()..].trim().to_ascii_lowercase();
    let shift = match unit.trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(fault()),
    };
    let number: u64 = digits.parse().map_err(|_| fault())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).ok_or_else(fault)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_variable_overrides_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "[online]\nmap_size = \"4GiB\"\n[drain]\nmax_rows = 10\n").unwrap();
        let settings = Settings::read(folder.path(), |name| (name == "LARDER_DRAIN_MAX_ROWS").then(|| "20".into())).unwrap();
        assert_eq!((settings.map_size, settings.drain_rows), (4 << 30, 20));
    }

    #[test]
    fn what_stands_beside_a_url_is_about_it_wherever_it_stands() {
        let mut settings = Settings::default();
        settings.apply_toml("[online]\nwhen_away = \"queue\"\nurl = \"redis://:secret@a,b/1\"\ntimeout_milliseconds = 250").unwrap();
        let redis = settings.redis.clone().unwrap();
        assert_eq!((redis.when_away, redis.timeout), (WhenAway::Queue, Duration::from_millis(250)));
        assert!(!format!("{settings:?}").contains("secret"));
        let variable = |name: &str| (name == "LARDER_ONLINE_URL").then(|| "redis://b".to_owned());
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "[online]\nwhen_away = \"queue\"").unwrap();
        let redis = Settings::read(folder.path(), variable).unwrap().redis.unwrap();
        assert_eq!((redis.url.to_string().as_str(), redis.when_away), ("redis://b", WhenAway::Queue), "the secret may stand elsewhere");
        assert!(settings.set("online.when_away", "wait").is_err() && settings.set("online.url", "http://a").is_err());
    }

    #[test]
    fn a_typo_is_an_error_that_names_the_key() {
        let mut settings = Settings::default();
        let message = settings.set("online.mapsize", "1").unwrap_err().to_string();
        assert!(message.contains("did you mean 'online.map_size'?"), "{message}");
        for (key, text) in [
            ("drain.max_rows", "0"),
            ("query.memory", "lots"),
            ("store.account", "12"),
            ("store.strict_time", "yes"),
            ("serve.bind", "8400"),
        ] {
            assert!(settings.set(key, text).is_err(), "{key}");
        }
        assert!(settings.apply_toml("account = 1").is_err());
        assert!(settings.apply_toml("[store").is_err());
    }

    #[test]
    fn keys_stand_in_an_array_or_a_text_and_errors_keep_the_secret() {
        let mut settings = Settings::default();
        settings.apply_toml("[serve]\nkeys = [\"AKIA1:secret/one+\", \"AKIA2:secret-two:read-only:Orders,customer-*\"]").unwrap();
        let [one, two] = &settings.serve_keys[..] else { unreachable!("two keys") };
        assert_eq!((one.id.as_str(), one.secret.as_str(), one.may_write, one.groups.len()), ("AKIA1", "secret/one+", true, 0));
        assert_eq!((two.may_write, two.groups.join(" ")), (false, "orders customer-*".into()));
        assert!(!format!("{settings:?}").contains("secret"));
        for bad in ["AKIA1", "AKIA1:short", "AKIA1:long-secret:admin", "a b:long-secret", "AKIA1:long-secret AKIA1:long-secret"] {
            let message = settings.set("serve.keys", bad).unwrap_err().to_string();
            assert!(!message.contains("long-secret"), "{message}");
        }
    }
}
