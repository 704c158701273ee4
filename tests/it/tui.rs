//! The browser in a real terminal: the real binary behind a pseudo-terminal, its screen read by a terminal emulator.
//!
//! Only what a terminal must see is tested here: taking it, giving it back however the browser ends, keys and pastes as bytes, sizes,
//! silence when idle, nothing hostile in the bytes. What screens look like and what keys do is tested without a terminal, in `src/tui`.
//! Every wait is for something that is seen, with a limit; none is for a time, except the one that proves silence.

use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use larder::model::{FeatureDefinition, FeatureName, FeatureType, GroupName, RawValue, Schema};
use larder::store::{FeatureStore, NewGroup, OpenOptions, PutOptions};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longest wait for anything; a loaded machine may need a while to start the process.
const LIMIT: Duration = Duration::from_secs(30);
/// How long an idle browser is listened to.
const SILENCE: Duration = Duration::from_millis(2500);
const BINARY: &str = env!("CARGO_BIN_EXE_larder");
/// A value that would retitle the window and fake a prompt.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[31mgold\u{202e}";

/// A store with two groups; `C0042` of the first has three versions, the newest with a hostile value.
fn stocked() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = FeatureStore::open(folder.path(), OpenOptions { create: true, ..OpenOptions::default() }).await.unwrap();
        for name in ["customer-features", "payment-risk"] {
            let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
            let features = vec![
                feature("customer_id", FeatureType::String),
                feature("event_time", FeatureType::String),
                feature("loyalty_score", FeatureType::Fractional),
                feature("loyalty_tier", FeatureType::String),
            ];
            let schema = Schema::new(features, "customer_id", "event_time").unwrap();
            store.create_group(NewGroup::new(GroupName::parse(name).unwrap(), schema)).await.unwrap();
        }
        for (day, score, tier) in [(1, "0.92", "silver"), (9, "0.93", "gold"), (20, "0.95", HOSTILE)] {
            let time = format!("2026-03-{day:02}T00:00:00Z");
            let pairs = [("customer_id", "C0042"), ("event_time", time.as_str()), ("loyalty_score", score), ("loyalty_tier", tier)];
            let pairs = pairs.map(|(name, value)| (name.to_owned(), RawValue::Text(value.to_owned())));
            store.put("customer-features", pairs.into(), PutOptions::default()).await.unwrap();
        }
        store.close().await.unwrap();
    });
    folder
}

struct Seen {
    terminal: vt100::Parser,
    bytes: Vec<u8>,
    ended: bool,
}

/// A browser in a terminal of its own.
struct Session {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    before: String,
    /// Settings and state of this browser alone.
    _own: TempDir,
}

impl Session {
    fn start(store: &Path, size: (u16, u16)) -> Self {
        Self::start_with(store, size, &[])
    }

    fn start_with(store: &Path, (columns, rows): (u16, u16), variables: &[(&str, &str)]) -> Self {
        let pair = native_pty_system().openpty(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
        let before = settings(pair.master.as_ref());
        let mut command = CommandBuilder::new(BINARY);
        command.args(["--store", store.to_str().unwrap(), "tui", "--screen", "groups"]);
        command.env_remove("NO_COLOR");
        command.env_remove("LARDER_STORE");
        command.env("TERM", "xterm-256color");
        // Nobody's own keys, colours and memory.
        let own = tempfile::tempdir().unwrap();
        command.env("XDG_CONFIG_HOME", own.path());
        command.env("XDG_STATE_HOME", own.path());
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let keyboard = pair.master.take_writer().unwrap();
        let terminal = vt100::Parser::new(size(rows), size(columns), 0);
        let seen = Arc::new((Mutex::new(Seen { terminal, bytes: Vec::new(), ended: false }), Condvar::new()));
        let (to, mut buffer) = (seen.clone(), [0_u8; 4096]);
        std::thread::spawn(move || {
            loop {
                let count = reader.read(&mut buffer).unwrap_or(0);
                let mut seen = to.0.lock().unwrap();
                seen.terminal.process(&buffer[..count]);
                seen.bytes.extend_from_slice(&buffer[..count]);
                seen.ended = count == 0;
                to.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Self { child, master: pair.master, keyboard, seen, before, _own: own }
    }

    fn press(&mut self, keys: &str) -> &mut Self {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
        self
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.process_id().unwrap() as i32).unwrap()
    }

    /// Waits until what was seen is as asked.
    fn wait(&self, what: &str, is_there: impl Fn(&Seen) -> bool) {
        let until = Instant::now() + LIMIT;
        let mut seen = self.seen.0.lock().unwrap();
        while !is_there(&seen) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "never saw {what}; the screen shows\n{}", seen.terminal.screen().contents());
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
    }

    fn wait_for_text(&self, text: &str) -> &Self {
        self.wait(&format!("{text:?}"), |seen| seen.terminal.screen().contents().contains(text));
        self
    }

    /// The bytes written within a time that should be silent.
    fn bytes_while_idle(&self) -> usize {
        let until = Instant::now() + SILENCE;
        let mut seen = self.seen.0.lock().unwrap();
        let before = seen.bytes.len();
        while Instant::now() < until {
            seen = self.seen.1.wait_timeout(seen, until.saturating_duration_since(Instant::now())).unwrap().0;
        }
        seen.bytes.len() - before
    }

    /// Waits for the end; the terminal must be as it was.
    fn end(mut self) -> u32 {
        self.wait("the end of its output", |seen| seen.ended);
        let status = self.child.wait().unwrap();
        let after = settings(self.master.as_ref());
        assert_eq!(self.before, after, "the terminal's settings were not given back");
        let seen = self.seen.0.lock().unwrap();
        assert!(!seen.terminal.screen().alternate_screen(), "the alternate screen is still shown");
        assert!(!seen.terminal.screen().hide_cursor(), "the cursor is still hidden");
        assert!(!seen.terminal.screen().bracketed_paste(), "pastes are still bracketed");
        status.exit_code()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A browser that a failed test leaves behind would wait for keys for ever.
        let _ = self.child.kill();
    }
}

/// The line settings of a terminal, as text to compare.
fn settings(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios())
}

#[test]
fn a_record_is_found_and_the_terminal_given_back() {
    let store = stocked();
    let mut session = Session::start(store.path(), (80, 24));
    session.wait_for_text("customer-features");
    session.press("/cust\r").wait_for_text("1 of 2");
    session.press("4C0042\r").wait_for_text("3 versions");
    session.wait_for_text("0.95");
    session.press("\x1b[D").wait_for_text("you are here");
    session.wait_for_text("0.93 → 0.95");
    session.press("q").wait_for_text("1 of 2");
    session.press("q");
    let hostile = session.seen.clone();
    assert_eq!(session.end(), 0);
    let bytes = &hostile.0.lock().unwrap().bytes;
    let text = String::from_utf8_lossy(bytes);
    assert!(text.contains("gold"), "the value was shown");
    assert!(!text.contains("\u{1b}]0;owned") && !text.contains('\u{202e}') && !text.contains("\u{1b}[31mgold"), "its controls were not");
}

#[test]
fn an_idle_browser_writes_nothing() {
    let store = stocked();
    let mut session = Session::start(store.path(), (200, 60));
    session.wait_for_text("3 records");
    session.bytes_while_idle();
    assert_eq!(session.bytes_while_idle(), 0);
    session.press("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let store = stocked();
    for signal in [Signal::TERM, Signal::HUP] {
        let session = Session::start(store.path(), (80, 24));
        session.wait_for_text("customer-features");
        kill_process(session.pid(), signal).unwrap();
        assert_eq!(session.end(), 143);
    }
}

#[test]
fn control_z_goes_to_the_shell_and_fg_comes_back() {
    let store = stocked();
    let mut session = Session::start(store.path(), (80, 24));
    session.wait_for_text("customer-features");
    session.press("\x1a");
    session.wait("the shell's screen", |seen| !seen.terminal.screen().alternate_screen());
    let stat = format!("/proc/{}/stat", session.pid().as_raw_nonzero());
    let is_stopped = || std::fs::read_to_string(&stat).is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T")));
    let until = Instant::now() + LIMIT;
    while cfg!(target_os = "linux") && !is_stopped() {
        assert!(Instant::now() < until, "the process was not stopped");
        std::thread::yield_now();
    }
    assert_eq!(session.before, settings(session.master.as_ref()), "the shell gets its terminal as it was");
    kill_process(session.pid(), Signal::CONT).unwrap();
    session.wait("the browser's screen", |seen| {
        seen.terminal.screen().alternate_screen() && seen.terminal.screen().contents().contains("customer-features")
    });
    session.press("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn any_size_is_survived_and_the_last_one_drawn() {
    let store = stocked();
    let mut session = Session::start(store.path(), (80, 24));
    session.wait_for_text("customer-features");
    for (columns, rows) in [(1, 1), (300, 2), (40, 10), (39, 10), (2, 90), (200, 60), (79, 23), (120, 30)] {
        session.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
        session.press("jk");
    }
    session.seen.0.lock().unwrap().terminal.screen_mut().set_size(size(30), size(120));
    session.press("\x0c").wait_for_text("STORES");
    session.master.resize(PtySize { rows: 9, cols: 38, pixel_width: 0, pixel_height: 0 }).unwrap();
    session.wait_for_text("terminal too small (38×9), need 40×10");
    session.press("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn a_paste_is_text_and_never_a_command() {
    let store = stocked();
    let mut session = Session::start(store.path(), (80, 24));
    session.wait_for_text("customer-features");
    session.press("\x1b[200~q\nq\x1b[201~/\x1b[200~pay\x1b[201~").wait_for_text("1 of 2");
    session.press("\x1b").wait_for_text("words   tag:pii");
    session.press("\x1b").wait_for_text("/ filter");
    session.press("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn without_colour_the_selected_row_is_still_reversed() {
    let store = stocked();
    let mut session = Session::start_with(store.path(), (80, 24), &[("NO_COLOR", "1")]);
    session.wait_for_text("customer-features");
    session.wait("a reversed row without a colour", |seen| {
        let screen = seen.terminal.screen();
        let row = (0..24).find(|row| screen.contents_between(*row, 0, *row, 79).contains("customer-features"));
        let cell = row.and_then(|row| screen.cell(row, 5));
        cell.is_some_and(|cell| cell.inverse() && cell.fgcolor() == vt100::Color::Default && cell.bgcolor() == vt100::Color::Default)
    });
    session.press("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn an_empty_store_shows_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::start(&folder.path().join("new"), (80, 24));
    session.wait_for_text("Nothing on the shelf yet.");
    session.press("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn without_a_terminal_the_command_line_is_named() {
    let store = stocked();
    let output = Command::new(BINARY).args(["--store", store.path().to_str().unwrap(), "tui"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("larder list"));
    assert!(output.stdout.is_empty());
    let session = Session::start_with(store.path(), (80, 24), &[("TERM", "dumb")]);
    session.wait_for_text("needs a terminal");
    assert_eq!(session.end(), 2);
}

fn size(cells: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(cells).unwrap()
}

#[test]
fn a_list_is_written_into_a_file_as_it_is_shown() {
    let store = stocked();
    let mut session = Session::start(store.path(), (80, 24));
    session.wait_for_text("customer-features");
    session.press("2").press("e").wait_for_text("export these groups");
    let file = store.path().join("listed.csv");
    // The name on offer is replaced.
    session.press("\x15").press(file.to_str().unwrap()).press("\r").wait_for_text("rows in");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("group,status,description,owner,"), "{text}");
    let groups: Vec<&str> = lines.filter_map(|line| line.split(',').next()).collect();
    assert!(groups.contains(&"customer-features"), "{text}");
    session.press("q").press("q");
    assert_eq!(session.end(), 0);
}
