//! Talking to Redis: which server a command goes to, and what became of each command.
//!
//! Connections are plain and blocking, lent to one caller at a time: every wait has an end ([`Servers::ask`] takes about the time-out and
//! never much longer), and a connection on which anything went wrong is closed, since what comes next on it may be the answer to another
//! question. Commands go out in one write per server and are answered in order.
//!
//! A cluster is spoken to by hand: the library's cluster connection answers a pipeline as a whole, and we must know of each command
//! whether it was done, was not done, or may have been. `MOVED`, `ASK` and a server that is gone lead to another look at who holds what.
//!
//! Sending a command again is always right: reads change nothing, and the script answers a repeated write as it answered the first.
//! While nothing answers, callers are told at once instead of waiting in line; one of them tries again after a pause that grows to
//! [`LONGEST_PAUSE`].

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{Cmd, Connection, ConnectionInfo, ServerErrorKind, Value};

use super::address::{RedisUrl, beside, name_of};
use super::topology::{self, Topology};

/// Longest time for which nobody tries to reach servers that did not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Connections kept open while nobody uses them.
const IDLE: usize = 16;

/// One command, ready to be sent.
pub(super) struct Command {
    pub(super) slot: u16,
    pub(super) bytes: Vec<u8>,
}

impl Command {
    pub(super) fn new(slot: u16, command: &Cmd) -> Self {
        Self { slot, bytes: command.get_packed_command() }
    }
}

/// Why a command has no answer.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// It was not done.
    NotDone(String),
    /// It was sent and may have been done.
    Unknown(String),
    /// The server understood and refused.
    Refused(String),
}

impl Fault {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::NotDone(text) | Self::Unknown(text) | Self::Refused(text) => text,
        }
    }
}

pub(super) type Answer = Result<Value, Fault>;

/// Connections to the servers of one topology, used by one caller at a time.
struct Line {
    topology: Arc<Topology>,
    open: HashMap<String, Connection>,
}

#[derive(Default)]
struct Lines {
    idle: Vec<Line>,
    lent: usize,
    topology: Option<Arc<Topology>>,
}

/// Since when nothing answers, and when to try next.
#[derive(Default)]
struct Silence {
    failures: u32,
    until: Option<Instant>,
    why: String,
}

/// The servers of a store.
pub(super) struct Servers {
    url: RedisUrl,
    seeds: Vec<ConnectionInfo>,
    script: &'static str,
    timeout: Duration,
    most_lines: usize,
    lines: Mutex<Lines>,
    returned: Condvar,
    silence: Mutex<Silence>,
}

/// What is to be done with a command after a round.
enum Next {
    Done(Answer),
    /// Ask again; true if who holds what must be looked up first.
    Again(Fault, bool),
    /// Ask that server once, with `ASKING` before it.
    Ask(String),
    /// The server has forgotten the script.
    Teach,
}

/// The commands of one call, and how far they are.
struct Run<'a> {
    commands: &'a [Command],
    answers: Vec<Option<Answer>>,
    last: Vec<Option<Fault>>,
    asking: HashMap<usize, String>,
    heard: bool,
    is_stale: bool,
}

impl Servers {
    pub(super) fn new(url: RedisUrl, seeds: Vec<ConnectionInfo>, script: &'static str, timeout: Duration, most_lines: usize) -> Self {
        Self {
            url,
            seeds,
            script,
            timeout,
            most_lines: most_lines.max(1),
            lines: Mutex::default(),
            returned: Condvar::new(),
            silence: Mutex::default(),
        }
    }

    pub(super) fn url(&self) -> &RedisUrl {
        &self.url
    }

    /// Why nobody is asked at the moment, if so.
    pub(super) fn silent(&self) -> Option<String> {
        let silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        silence.until.filter(|until| Instant::now() < *until).map(|_| silence.why.clone())
    }

    /// Asks, and returns an answer to each command in order. Runs beside an asynchronous runtime, not in it.
    pub(super) fn ask(&self, commands: &[Command]) -> Vec<Answer> {
        if commands.is_empty() {
            return Vec::new();
        }
        if let Some(why) = self.silent() {
            return commands.iter().map(|_| Err(Fault::NotDone(why.clone()))).collect();
        }
        let in_a_runtime = tokio::runtime::Handle::try_current()
            .is_ok_and(|runtime| runtime.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread);
        let mut run = Run::new(commands);
        if in_a_runtime {
            tokio::task::block_in_place(|| self.run(&mut run));
        } else {
            self.run(&mut run);
        }
        self.note(&run);
        run.into_answers()
    }

    fn run(&self, run: &mut Run<'_>) {
        let deadline = Instant::now() + self.timeout;
        let mut pause = Duration::from_millis(5);
        let mut fresh = false;
        loop {
            let open = run.open();
            if open.is_empty() {
                return;
            }
            let line = match self.lend(run.is_stale) {
                Ok(line) => line,
                Err(fault) => return run.fail(&open, &fault),
            };
            let topology = line.topology.clone();
            run.is_stale = false;
            let was_used = !line.open.is_empty();
            let line = self.round(run, line, &open, deadline);
            let is_whole = line.is_some();
            self.take_back(line, fresh || !was_used);
            if run.open().is_empty() {
                return;
            }
            if !is_whole && was_used && !fresh {
                // The server closed connections that nobody used, or was started again: the next one is new.
                fresh = true;
                continue;
            }
            if Instant::now() + pause >= deadline || (!is_whole && !topology.may_change()) {
                return;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }

    /// Sends what is open and reads the answers. Returns the line if all of it is sound.
    fn round(&self, run: &mut Run<'_>, mut line: Line, open: &[usize], deadline: Instant) -> Option<Line> {
        let mut by_server: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for index in open {
            let asked = run.asking.get(index).cloned();
            match asked.or_else(|| line.topology.server_of(run.commands[*index].slot).map(str::to_owned)) {
                Some(server) => by_server.entry(server).or_default().push(*index),
                None => run.fail(&[*index], &Fault::NotDone("no server holds that part of the cluster".into())),
            }
        }
        let mut is_whole = true;
        let mut sent = Vec::with_capacity(by_server.len());
        for (server, indexes) in by_server {
            match self.send(run, &mut line, &server, &indexes, deadline) {
                Ok(()) => sent.push((server, indexes)),
                Err(fault) => {
                    is_whole = false;
                    line.open.remove(&server);
                    run.fail(&indexes, &fault);
                }
            }
        }
        for (server, indexes) in sent {
            if let Err(fault) = self.receive(run, &mut line, &server, &indexes) {
                is_whole = false;
                line.open.remove(&server);
                run.fail(&indexes, &fault);
            }
        }
        run.is_stale |= !is_whole;
        is_whole.then_some(line)
    }

    fn send(&self, run: &Run<'_>, line: &mut Line, server: &str, indexes: &[usize], deadline: Instant) -> Result<(), Fault> {
        if !line.open.contains_key(server) {
            let info = line.topology.way_to(server).ok_or_else(|| Fault::NotDone(format!("{server} is not known")))?;
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(20));
            let connection = open(&info, left.min(self.timeout), self.timeout).map_err(|error| Fault::NotDone(told(server, &error)))?;
            line.open.insert(server.to_owned(), connection);
        }
        let connection = line.open.get_mut(server).ok_or_else(|| Fault::NotDone(format!("{server} is not known")))?;
        let mut bytes = Vec::with_capacity(indexes.iter().map(|index| run.commands[*index].bytes.len()).sum());
        for index in indexes {
            if run.asking.contains_key(index) {
                bytes.extend_from_slice(b"*1\r\n$6\r\nASKING\r\n");
            }
            bytes.extend_from_slice(&run.commands[*index].bytes);
        }
        // A part of it may have arrived.
        connection.send_packed_command(&bytes).map_err(|error| Fault::Unknown(told(server, &error)))
    }

    fn receive(&self, run: &mut Run<'_>, line: &mut Line, server: &str, indexes: &[usize]) -> Result<(), Fault> {
        let Some(connection) = line.open.get_mut(server) else { return Err(Fault::Unknown(format!("{server} is gone"))) };
        let mut teach = false;
        for index in indexes {
            let lost = |error: redis::RedisError| Fault::Unknown(told(server, &error));
            if run.asking.remove(index).is_some() {
                connection.recv_response().map_err(lost)?;
            }
            let value = connection.recv_response().map_err(lost)?;
            run.heard = true;
            match next_step(value, server) {
                Next::Done(answer) => run.answers[*index] = Some(answer),
                Next::Again(fault, is_stale) => {
                    run.is_stale |= is_stale;
                    run.fail(&[*index], &fault);
                }
                Next::Ask(server) => {
                    run.asking.insert(*index, server);
                }
                Next::Teach => {
                    teach = true;
                    run.fail(&[*index], &Fault::NotDone("the script was forgotten".into()));
                }
            }
        }
        if teach {
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(self.script);
            let taught = connection.send_packed_command(&load.get_packed_command()).and_then(|()| connection.recv_response());
            taught.map_err(|error| Fault::NotDone(told(server, &error)))?;
        }
        Ok(())
    }

    /// A line that nobody uses, else a new one; waits a moment where too many are lent.
    fn lend(&self, is_stale: bool) -> Result<Line, Fault> {
        let started = Instant::now();
        let mut lines = self.lock();
        while lines.lent >= self.most_lines {
            let left = self.timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(Fault::NotDone("all connections to Redis are in use".into()));
            }
            lines = self.returned.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        lines.lent += 1;
        if is_stale {
            lines.topology = None;
            lines.idle.clear();
        }
        if let Some(line) = lines.idle.pop() {
            return Ok(line);
        }
        if let Some(topology) = lines.topology.clone() {
            return Ok(Line { topology, open: HashMap::new() });
        }
        drop(lines);
        let found = topology::discover(&self.seeds, self.url.sentinel(), self.timeout);
        let mut lines = self.lock();
        match found {
            Ok((topology, connection)) => {
                let topology = Arc::new(topology);
                lines.topology = Some(topology.clone());
                Ok(Line { topology, open: connection.into_iter().collect() })
            }
            Err(why) => {
                lines.lent -= 1;
                drop(lines);
                self.returned.notify_one();
                Err(Fault::NotDone(why))
            }
        }
    }

    fn take_back(&self, line: Option<Line>, was_new: bool) {
        let mut lines = self.lock();
        lines.lent -= 1;
        match line {
            Some(line) => {
                let is_current = lines.topology.as_ref().is_some_and(|topology| Arc::ptr_eq(topology, &line.topology));
                if is_current && lines.idle.len() < IDLE {
                    lines.idle.push(line);
                }
            }
            // What befell one connection befell the others that lie idle.
            None if !was_new => lines.idle.clear(),
            None => {}
        }
        drop(lines);
        self.returned.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, run: &Run<'_>) {
        let mut silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        if run.heard {
            if silence.failures > 0 {
                tracing::info!(url = %self.url, "Redis answers again");
            }
            *silence = Silence::default();
            return;
        }
        let why = run.last.iter().flatten().next().map_or("it did not answer", Fault::text).to_owned();
        if silence.failures == 0 {
            // Whoever asked hears of it too.
            tracing::info!(url = %self.url, why, "Redis does not answer");
        }
        let pause = Duration::from_millis(100) * 2u32.pow(silence.failures.min(6));
        *silence = Silence { failures: silence.failures.saturating_add(1), until: Some(Instant::now() + pause.min(LONGEST_PAUSE)), why };
    }

    /// What the servers are: one, a cluster of so many, or found by a sentinel; none if they do not answer.
    pub(super) fn shape(&self) -> Result<String, Fault> {
        let line = self.lend(true)?;
        let shape = line.topology.to_string();
        self.take_back(Some(line), false);
        Ok(shape)
    }

    /// What every server that holds a part says to a command that is about itself.
    pub(super) fn ask_each(&self, command: &Cmd) -> Result<Vec<(String, Value)>, Fault> {
        let line = self.lend(false)?;
        let servers = line.topology.servers();
        let mut answers = Vec::with_capacity(servers.len());
        for server in servers {
            let Some(info) = line.topology.way_to(&server) else { continue };
            let asked = open(&info, self.timeout, self.timeout)
                .and_then(|mut connection| command.query::<Value>(&mut connection))
                .map_err(|error| Fault::NotDone(told(&server, &error)));
            match asked {
                Ok(value) => answers.push((server, value)),
                Err(fault) => {
                    self.take_back(Some(line), false);
                    return Err(fault);
                }
            }
        }
        self.take_back(Some(line), false);
        Ok(answers)
    }
}

impl<'a> Run<'a> {
    fn new(commands: &'a [Command]) -> Self {
        Self {
            commands,
            answers: commands.iter().map(|_| None).collect(),
            last: vec![None; commands.len()],
            asking: HashMap::new(),
            heard: false,
            is_stale: false,
        }
    }

    fn open(&self) -> Vec<usize> {
        (0..self.answers.len()).filter(|index| self.answers[*index].is_none()).collect()
    }

    /// Notes why commands without an answer have none. Once a command may have been done, that stays so.
    fn fail(&mut self, indexes: &[usize], fault: &Fault) {
        for index in indexes.iter().filter(|index| self.answers[**index].is_none()) {
            self.asking.remove(index);
            let last = &mut self.last[*index];
            *last = Some(match last {
                Some(Fault::Unknown(_)) => Fault::Unknown(fault.text().to_owned()),
                _ => fault.clone(),
            });
        }
    }

    fn into_answers(self) -> Vec<Answer> {
        let unanswered = || Fault::NotDone("it did not answer in time".into());
        self.answers
            .into_iter()
            .zip(self.last)
            .map(|(answer, last)| answer.unwrap_or_else(|| Err(last.unwrap_or_else(unanswered))))
            .collect()
    }
}

fn next_step(value: Value, server: &str) -> Next {
    let error = match value {
        Value::ServerError(error) => redis::RedisError::from(error),
        value => return Next::Done(Ok(value)),
    };
    let told = told(server, &error);
    match error.kind() {
        redis::ErrorKind::Server(kind) => match kind {
            ServerErrorKind::Ask => match error.redirect_node() {
                Some((server, _)) => Next::Ask(server.to_owned()),
                None => Next::Again(Fault::NotDone(told), true),
            },
            ServerErrorKind::Moved | ServerErrorKind::ReadOnly | ServerErrorKind::ClusterDown | ServerErrorKind::MasterDown => {
                Next::Again(Fault::NotDone(told), true)
            }
            ServerErrorKind::TryAgain | ServerErrorKind::BusyLoading => Next::Again(Fault::NotDone(told), false),
            ServerErrorKind::NoScript => Next::Teach,
            _ => Next::Done(Err(Fault::Refused(told))),
        },
        _ => Next::Done(Err(Fault::Refused(told))),
    }
}

/// Opens a connection whose every wait has an end.
pub(super) fn open(info: &ConnectionInfo, within: Duration, timeout: Duration) -> redis::RedisResult<Connection> {
    let connection = redis::Client::open(info.clone())?.get_connection_with_timeout(within)?;
    connection.set_read_timeout(Some(timeout))?;
    connection.set_write_timeout(Some(timeout))?;
    Ok(connection)
}

/// What went wrong, with the server's name and without line breaks.
pub(super) fn told(server: &str, error: &redis::RedisError) -> String {
    if error.is_timeout() {
        return format!("{server} did not answer in time");
    }
    format!("{server}: {}", error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The name under which a server is known.
pub(super) fn named(info: &ConnectionInfo) -> String {
    name_of(info.addr())
}

/// The way to a server that another one named.
pub(super) fn way_beside(known: &ConnectionInfo, server: &str) -> Option<ConnectionInfo> {
    let (host, port) = server.rsplit_once(':')?;
    Some(beside(known, host, port.parse().ok()?))
}
