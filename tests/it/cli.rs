//! The real binary in a folder of its own: what every verb promises scripts and people, exit codes included.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A store, a home and a working folder that nothing else touches.
pub struct Larder {
    folder: TempDir,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Outcome {
    pub words: String,
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Larder {
    pub fn new() -> Larder {
        Larder { folder: tempfile::tempdir().unwrap() }
    }

    /// A path in the working folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The store's folder.
    pub fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// Writes a file into the working folder.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The command, not yet started.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
        command.args(words).current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LARDER_") {
                command.env_remove(name);
            }
        }
        command.env("LARDER_STORE", self.store()).env("HOME", self.folder.path()).env_remove("XDG_DATA_HOME").env_remove("NO_COLOR");
        command
    }

    /// Runs a command with words that hold blanks.
    pub fn run_words(&self, words: &[&str]) -> Outcome {
        self.run_with_input(words, "")
    }

    /// Runs a command; words are parted by blanks.
    pub fn run(&self, words: &str) -> Outcome {
        self.run_words(&words.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs a command that reads this from standard input.
    pub fn run_with_input(&self, words: &[&str], input: &str) -> Outcome {
        let mut child = self.command(words).stdin(Stdio::piped()).spawn().unwrap();
        // A command that ends without reading closes the pipe: that is its right.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let done = child.wait_with_output().unwrap();
        Outcome {
            words: words.join(" "),
            code: done.status.code(),
            out: String::from_utf8(done.stdout).unwrap(),
            err: String::from_utf8(done.stderr).unwrap(),
        }
    }

    /// Makes `readings` from a small CSV file, without rows.
    pub fn with_readings() -> Larder {
        let larder = Larder::new();
        larder.file("readings.csv", READINGS);
        larder.run("create readings --from readings.csv --id sensor --event-time at").ok();
        larder
    }
}

/// Three sensors, one of them twice; every inferred type and a null of each.
pub const READINGS: &str = "\
sensor,at,celsius,count,door_open,note
s1,2026-01-01T00:00:00Z,20.50,1,true,first
s2,2026-01-01T00:00:00Z,,2,false,
s1,2026-01-02T00:00:00Z,21.0,,true,\"second, later\"
s3,2026-01-03T12:00:00Z,-3.25,9,,third
";

impl Outcome {
    /// Demands success.
    #[track_caller]
    pub fn ok(self) -> Outcome {
        self.ended(0)
    }

    /// Demands this exit code; an error must be one line that starts with the program's name.
    #[track_caller]
    pub fn ended(self, code: i32) -> Outcome {
        assert_eq!(self.code, Some(code), "larder {}: {self:#?}", self.words);
        if code != 0 {
            let complaints: Vec<&str> = self.err.lines().filter(|line| line.starts_with("larder: ")).collect();
            assert!(!complaints.is_empty(), "no complaint: {self:#?}");
        }
        for trace in ["panicked", "Error {", "Some(", "Err("] {
            assert!(!self.err.contains(trace), "a debug dump: {self:#?}");
        }
        self
    }

    /// Demands that the error says all of this.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Outcome {
        for text in texts {
            assert!(self.err.contains(text), "'{text}' is missing: {self:#?}");
        }
        self
    }

    /// Demands that the answer says all of this.
    #[track_caller]
    pub fn shows(self, texts: &[&str]) -> Outcome {
        for text in texts {
            assert!(self.out.contains(text), "'{text}' is missing: {self:#?}");
        }
        self
    }

    /// The one JSON document on standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("not one JSON document ({error}): {self:#?}"))
    }
}

/// Names in a folder, for tests that demand that nothing half-written stays.
pub fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The first file under a folder whose name ends so.
pub fn find(folder: &Path, ending: &str) -> Option<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // Folders come and go while a command runs.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                return Some(path);
            }
        }
    }
    None
}

#[test]
fn version_and_help_need_no_store() {
    let larder = Larder::new();
    larder.run("--version").ok().shows(&[concat!("larder ", env!("CARGO_PKG_VERSION"))]);
    let help = larder.run("--help").ok();
    for verb in ["demo", "create", "ingest", "get", "batch-get", "query", "doctor", "completions"] {
        assert!(help.out.contains(verb), "{verb}: {}", help.out);
    }
    assert!(!larder.store().exists(), "asking for help must not make a store");
}

#[test]
fn every_verb_explains_itself_with_examples() {
    let larder = Larder::new();
    for verb in [
        "demo",
        "create",
        "list",
        "describe",
        "update",
        "tag",
        "drop",
        "put",
        "get",
        "batch-get",
        "delete",
        "history",
        "ingest",
        "query",
        "flush",
        "doctor",
        "completions",
        "tui",
    ] {
        let help = larder.run_words(&[verb, "--help"]).ok();
        assert!(help.out.contains("Examples:") && help.out.contains(&format!("larder {verb}")) || verb == "tui", "{verb}: {}", help.out);
    }
}

#[test]
fn wrong_usage_is_one_line_with_a_remedy_and_code_2() {
    let larder = Larder::new();
    for (words, told) in [
        ("lst", "'list'"),
        ("get", "<GROUP>"),
        ("get trips", "<ID>"),
        ("list --wat", "--wat"),
        ("create trips --from x.csv --id a", "--event-time"),
        ("create trips --from x --id a --event-time b --online-only --offline-only", "--offline-only"),
        ("create trips --from x --id a --event-time b --ttl soon", "7d"),
        ("update trips", "--description"),
        ("update trips --parameter a=b", "--feature"),
        ("update trips --ttl never", "7d"),
        ("tag trips novalue", "name=value"),
        ("put trips", "NAME=VALUE"),
        ("put trips id", "name=value"),
        ("put trips id=1 --to nowhere", "offline"),
        ("ingest trips f.csv --on-error ignore", "skip"),
        ("history trips 1 --limit 0", "--limit"),
        ("query select-1 --format xml", "parquet"),
        ("completions tcsh", "fish"),
    ] {
        let outcome = larder.run(words).ended(2).says(&[told, "--help"]);
        assert_eq!(outcome.err.lines().count(), 1, "{outcome:#?}");
        assert_eq!(outcome.out, "", "{outcome:#?}");
    }
    assert!(!larder.store().exists(), "a typing mistake must not make a store");
}

#[test]
fn without_a_terminal_the_browser_is_refused() {
    let larder = Larder::new();
    larder.run("").ended(2).says(&["terminal", "larder list"]);
    larder.run("tui --read-only").ended(2).says(&["terminal"]);
}

#[test]
fn completions_are_scripts_that_know_the_verbs() {
    let larder = Larder::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        larder.run_words(&["completions", shell]).ok().shows(&["batch-get", "history"]);
    }
}

#[test]
fn the_store_is_named_by_flag_before_environment() {
    let larder = Larder::new();
    larder.file("readings.csv", READINGS);
    larder.run("--store elsewhere create readings --from readings.csv --id sensor --event-time at").ok();
    assert!(larder.path("elsewhere").join("catalog.db").exists());
    assert_eq!(larder.run("list --json --store elsewhere").ok().json()[0]["name"], "readings");
    assert_eq!(larder.run("list --json").ok().json(), serde_json::json!([]));
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    use std::os::fd::OwnedFd;
    let larder = Larder::with_readings();
    larder.run("ingest readings readings.csv").ok();
    for words in
        [vec!["list"], vec!["query", "select * from readings"], vec!["describe", "readings", "--json"], vec!["completions", "bash"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done = larder.command(&words).stdout(OwnedFd::from(writer)).output().unwrap();
        assert_eq!((done.status.code(), String::from_utf8_lossy(&done.stderr).as_ref()), (Some(0), ""), "{words:?}");
    }
}

#[test]
fn quiet_leaves_only_the_answer() {
    let larder = Larder::new();
    larder.file("readings.csv", READINGS);
    let made = larder.run("-q create readings --from readings.csv --id sensor --event-time at").ok();
    assert_eq!((made.out.as_str(), made.err.as_str()), ("", ""));
    let loaded = larder.run("ingest readings readings.csv --quiet").ok();
    assert_eq!((loaded.out.as_str(), loaded.err.as_str()), ("", ""));
    let record = larder.run("get readings s1 -q --json").ok();
    assert_eq!(record.json()["features"]["celsius"], 21.0);
}
