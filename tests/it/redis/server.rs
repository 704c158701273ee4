//! Redis servers that tests start on free ports of this machine, and end with the test.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use larder::backend::online::{LmdbOptions, LmdbStore, RedisOptions, RedisStore, RedisUrl};
use tempfile::TempDir;

/// A running server.
pub struct Redis {
    child: Option<Child>,
    arguments: Vec<String>,
    pub port: u16,
    pub folder: TempDir,
}

impl Redis {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    pub fn start_with(arguments: &[&str]) -> Self {
        // Another process may take a free port before the server does: then the next one.
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if port > 55_000 {
                // A server of a cluster also listens 10,000 above.
                continue;
            }
            let mut redis = Self {
                child: None,
                arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
                port,
                folder: tempfile::tempdir().unwrap(),
            };
            if redis.resume() {
                return redis;
            }
        }
        panic!("redis-server found no free port");
    }

    /// Starts the server on its port, over what it had written.
    pub fn resume(&mut self) -> bool {
        let tls = self.arguments.iter().any(|argument| argument == "--tls-port");
        let mut command = Command::new("redis-server");
        let port = self.port.to_string();
        if tls {
            command.args(["--port", "0"]);
        } else {
            command.args(["--port", &port]);
        }
        command
            .args(["--bind", "127.0.0.1", "--save", "", "--logfile", "redis.log", "--dir"])
            .arg(self.folder.path())
            .args(self.arguments.iter().map(|argument| argument.replace("PORT", &port)))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("these tests need redis-server, which can't be started ({error}); install it: apt-get install redis-server")
        });
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(20) {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            if tls && std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() || self.is_ours(&child) {
                self.child = Some(child);
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("redis-server on port {port} did not answer within 20 s");
    }

    /// Another server may have taken the port in the same moment.
    fn is_ours(&self, child: &Child) -> bool {
        self.try_say(&["INFO", "server"]).is_some_and(|about| about.contains(&format!("process_id:{}\r", child.id())))
    }

    /// Kills the server as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub fn process(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Says something to the server; its answer as text.
    pub fn say(&self, words: &[&str]) -> String {
        self.try_say(words).unwrap_or_else(|| panic!("no answer to {words:?}"))
    }

    fn try_say(&self, words: &[&str]) -> Option<String> {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(words).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (output.status.success() && !text.contains("Could not connect")).then_some(text)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What tests use unless they are about it: rows are kept for ever, since they expire in 1970.
pub fn options(url: &str) -> RedisOptions {
    RedisOptions { keep_expired: None, ..RedisOptions::new(RedisUrl::parse(url).unwrap()) }
}

/// A store in a folder, with its rows in Redis.
pub fn store(folder: &Path, options: RedisOptions) -> RedisStore {
    RedisStore::open(LmdbStore::open(folder, LmdbOptions::default()).unwrap(), options, None).unwrap()
}
