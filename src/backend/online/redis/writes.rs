//! Puts, deletes and loads: asked of the script, settled in the folder. See the page of [`super`].

use std::collections::HashMap;
use std::sync::LazyLock;

use redis::Value;

use super::keys::{event_time_of, value_of};
use super::servers::{Answer, Command, Fault};
use super::{GRAVE, Inner, MAX_SKEW, WhenAway, replay};
use crate::backend::faults;
use crate::backend::online::OnlineStore;
use crate::backend::online::lmdb::waiting::{Reserved, Settlement, Waiting};
use crate::backend::online::row::RowView;
use crate::backend::online::write::{LoadedRow, OnlineEffect, RowWrite, WriteOutcome};
use crate::model::{Arrival, Error, EventTime, GroupId, Result, is_newer};

/// What decides a write.
pub(super) const SCRIPT: &str = include_str!("write.lua");
static SCRIPT_NAME: LazyLock<String> = LazyLock::new(|| redis::Script::new(SCRIPT).get_hash().to_owned());

/// Times a row may get another arrival. Each time another store wrote the same record within the same moment.
const RESTAMPS: usize = 16;
/// Commands of one pipeline, and their bytes.
const PIPELINE: usize = 4_096;
const PIPELINE_BYTES: usize = 8 << 20;

/// What the script said of a write.
#[derive(Debug, Clone)]
pub(super) enum Decision {
    Applied,
    Late,
    Overtaken,
    Refused(EventTime),
    /// Another row stands at the same event time, with this later arrival.
    Behind(Arrival),
    /// Another row bears the same version.
    Tied(Arrival),
    Failed(Fault),
}

/// How a write is put to the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    First,
    Again,
    Load,
}

impl Inner {
    pub(super) fn apply(&self, now: EventTime, writes: Vec<RowWrite>) -> Result<Vec<WriteOutcome>> {
        let asks = writes.iter().any(|write| write.targets.online);
        if asks
            && self.options.when_away == WhenAway::Fail
            && let Some(why) = self.servers.silent()
        {
            return Err(self.away(&Fault::NotDone(why)));
        }
        let for_history_only: Vec<GroupId> = writes.iter().filter(|write| !write.targets.online).map(|write| write.group).collect();
        let was_one_sided =
            for_history_only.first().map(|group| self.journal.counts(*group)).transpose()?.is_some_and(|counts| counts.one_sided);
        let reserved = self.journal.reserve(now, writes)?;
        let mut outcomes = Vec::with_capacity(reserved.len());
        let mut open = Vec::with_capacity(reserved.len());
        for (place, entry) in reserved.into_iter().enumerate() {
            match entry {
                Reserved::Done(outcome) => outcomes.push(outcome),
                Reserved::Waiting(waiting) => {
                    outcomes.push(WriteOutcome { arrival: waiting.arrival, online: OnlineEffect::Unknown });
                    open.push((place, waiting));
                }
            }
        }
        if let (Some(group), false) = (for_history_only.first(), was_one_sided) {
            self.tell_one_sided(*group);
        }
        let mut flying: Vec<Arrival> = open.iter().map(|(_, waiting)| waiting.arrival).collect();
        self.fly(flying.iter().copied());
        let decided = self.decide(now, open, &mut outcomes, &mut flying);
        self.land(flying.into_iter());
        decided?;
        Ok(outcomes)
    }

    /// Asks until every write is decided, has failed, or has lost its turn too often; then settles all at once.
    fn decide(
        &self,
        now: EventTime,
        mut open: Vec<(usize, Waiting)>,
        outcomes: &mut [WriteOutcome],
        flying: &mut Vec<Arrival>,
    ) -> Result<()> {
        let total = open.len();
        let mut settled = Vec::with_capacity(total);
        let mut failed: Vec<(usize, Waiting, Fault)> = Vec::new();
        for round in 0..=RESTAMPS {
            if open.is_empty() {
                break;
            }
            let attempt = if round < RESTAMPS { Attempt::First } else { Attempt::Again };
            let decisions = self.ask_writes(open.iter().map(|(_, waiting)| waiting), attempt)?;
            let mut again = Vec::new();
            for ((place, waiting), decision) in open.drain(..).zip(decisions) {
                let (settlement, online) = match decision {
                    Decision::Applied => (Settlement::Confirm, OnlineEffect::Applied),
                    Decision::Late => (Settlement::Confirm, OnlineEffect::Late),
                    Decision::Overtaken => (Settlement::Cancel, OnlineEffect::Overtaken),
                    Decision::Refused(standing) => (Settlement::Cancel, OnlineEffect::Refused { standing }),
                    Decision::Tied(arrival) => {
                        again.push((place, waiting, arrival));
                        continue;
                    }
                    Decision::Behind(arrival) if arrival.0 <= micros(now).saturating_add(MAX_SKEW).max(waiting.arrival.0) => {
                        again.push((place, waiting, arrival));
                        continue;
                    }
                    Decision::Behind(_) if waiting.hard_delete => {
                        let standing = RowView::open(&waiting.row)?.event_time();
                        (Settlement::Cancel, OnlineEffect::Refused { standing })
                    }
                    Decision::Behind(_) => (Settlement::Confirm, OnlineEffect::Late),
                    Decision::Failed(fault) => {
                        failed.push((place, waiting, fault));
                        continue;
                    }
                };
                outcomes[place].online = online;
                settled.push((waiting.arrival, settlement));
            }
            if again.is_empty() {
                break;
            }
            let arrivals: Vec<(Arrival, Arrival)> = again.iter().map(|(_, waiting, above)| (waiting.arrival, *above)).collect();
            for ((place, ..), entry) in again.into_iter().zip(self.journal.restamp(&arrivals, now)?) {
                match entry {
                    Some(waiting) => {
                        outcomes[place].arrival = waiting.arrival;
                        self.fly(std::iter::once(waiting.arrival));
                        flying.push(waiting.arrival);
                        open.push((place, waiting));
                    }
                    // Another process replayed it meanwhile: it is history, and not the newest.
                    None => outcomes[place].online = OnlineEffect::Late,
                }
            }
        }
        let error = self.settle_failed(&failed, total, outcomes, &mut settled);
        self.journal.settle(&settled)?;
        error.map_or(Ok(()), Err)
    }

    /// Decides over writes that Redis has not answered. Returns the error, if the call is to fail as a whole and leave nothing.
    fn settle_failed(
        &self,
        failed: &[(usize, Waiting, Fault)],
        total: usize,
        outcomes: &mut [WriteOutcome],
        settled: &mut Vec<(Arrival, Settlement)>,
    ) -> Option<Error> {
        let (_, _, first) = failed.first()?;
        let is_lost = |fault: &Fault| matches!(fault, Fault::Unknown(_));
        let all = failed.len() == total && outcomes.len() == total && !failed.iter().any(|(_, _, fault)| is_lost(fault));
        let queues = self.options.when_away == WhenAway::Queue;
        let any_conditional = failed.iter().any(|(_, waiting, _)| waiting.is_conditional());
        if all && (!queues || any_conditional) {
            settled.extend(failed.iter().map(|(_, waiting, _)| (waiting.arrival, Settlement::Cancel)));
            return Some(self.away(first));
        }
        for (place, waiting, fault) in failed {
            outcomes[*place].online = if queues && !waiting.is_conditional() {
                settled.push((waiting.arrival, Settlement::Queue));
                OnlineEffect::Queued
            } else if waiting.is_conditional() && !is_lost(fault) {
                settled.push((waiting.arrival, Settlement::Cancel));
                OnlineEffect::Unreached
            } else {
                OnlineEffect::Unknown
            };
        }
        replay::start_soon(self);
        None
    }

    /// Puts writes to the script, in order.
    pub(super) fn ask_writes<'a>(&self, writes: impl Iterator<Item = &'a Waiting>, attempt: Attempt) -> Result<Vec<Decision>> {
        let mut commands = Vec::new();
        for write in writes {
            commands.push(self.command(write, attempt)?);
        }
        let ask = || Ok::<_, Error>(self.ask_in_pipelines(&commands));
        let answers = match faults::run(self.faults.as_deref(), || "ask Redis".to_owned(), ask) {
            Ok(answers) => answers,
            // The fault of a test stands for a lost connection.
            Err(error) if error.kind() == crate::model::ErrorKind::OutcomeUnknown => {
                unanswered(&commands, &Fault::Unknown(error.to_string()))
            }
            Err(error) => unanswered(&commands, &Fault::NotDone(error.to_string())),
        };
        Ok(answers.into_iter().map(decision).collect())
    }

    pub(super) fn ask_in_pipelines(&self, commands: &[Command]) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(commands.len());
        let mut from = 0;
        while from < commands.len() {
            let mut bytes = 0;
            let fits = |command: &&Command| {
                bytes += command.bytes.len();
                bytes <= PIPELINE_BYTES
            };
            let count = commands[from..].iter().take(PIPELINE).take_while(fits).count().max(1);
            answers.extend(self.servers.ask(&commands[from..from + count]));
            from += count;
        }
        answers
    }

    fn command(&self, write: &Waiting, attempt: Attempt) -> Result<Command> {
        let row = RowView::open(&write.row)?;
        let identifier = row.identifier();
        let bucket = self.bucket(write.group, identifier);
        let forget = match (row.expires_at(), self.options.keep_expired) {
            (Some(expires_at), Some(keep)) => (expires_at.unix_micros() / 1_000).saturating_add(keep.as_millis() as i64).max(1).to_string(),
            _ => String::new(),
        };
        let what = match (write.hard_delete, attempt) {
            (true, _) => "h",
            (false, Attempt::Load) => "l",
            (false, _) => "p",
        };
        let flag = |is_set: bool| if is_set { "1" } else { "" };
        let replaces = write.replaces.map(super::keys::version_bytes);
        let mut command = redis::cmd("EVALSHA");
        command.arg(SCRIPT_NAME.as_str()).arg(6);
        for key in [bucket.record(identifier), bucket.live(), bucket.dead(), bucket.grave(identifier), bucket.graves(), bucket.marks()] {
            command.arg(key);
        }
        command
            .arg(what)
            .arg(value_of(&write.row)?)
            .arg(identifier)
            .arg(forget)
            .arg(replaces.as_ref().map_or(&[][..], |version| &version[..]))
            .arg(flag(attempt == Attempt::First))
            .arg(flag(write.is_one_sided() && attempt != Attempt::Load))
            .arg(write.arrival.0 / 1_000)
            .arg(GRAVE.as_millis() as u64);
        Ok(Command::new(bucket.slot(), &command))
    }

    pub(super) fn load(&self, group: GroupId, rows: &[LoadedRow]) -> Result<u64> {
        // Of rows of one record the newest is sent, of equals the later one; so the order in which servers answer does not matter.
        let mut newest: HashMap<&str, usize> = HashMap::with_capacity(rows.len());
        let mut versions = Vec::with_capacity(rows.len());
        for (place, row) in rows.iter().enumerate() {
            versions.push(RowView::open(&row.bytes)?.version());
            let standing = newest.entry(&row.identifier).or_insert(place);
            if is_newer(versions[place], versions[*standing]) {
                *standing = place;
            }
        }
        let mut places: Vec<usize> = newest.into_values().collect();
        places.sort_unstable();
        let writes: Vec<Waiting> = places
            .into_iter()
            .map(|place| Waiting {
                group,
                arrival: versions[place].1,
                offline: true,
                hard_delete: false,
                replaces: None,
                is_queued: false,
                row: rows[place].bytes.clone(),
            })
            .collect();
        let mut applied = 0;
        for decision in self.ask_writes(writes.iter(), Attempt::Load)? {
            match decision {
                Decision::Applied => applied += 1,
                Decision::Failed(fault) => return Err(self.away(&fault)),
                _ => {}
            }
        }
        Ok(applied)
    }

    /// Tells the other stores that a group's online rows and its history may differ. Without an answer only this store knows.
    pub(super) fn tell_one_sided(&self, group: GroupId) {
        let Some(bucket) = self.buckets(group).next() else { return };
        let mut command = redis::cmd("HSET");
        command.arg(bucket.marks()).arg("one_sided").arg(1);
        for answer in self.servers.ask(&[Command::new(bucket.slot(), &command)]) {
            if let Err(fault) = answer {
                tracing::warn!(why = fault.text(), "other stores were not told that a group was written to one store only");
            }
        }
    }
}

fn micros(now: EventTime) -> u64 {
    u64::try_from(now.unix_micros()).unwrap_or(0)
}

fn unanswered(commands: &[Command], fault: &Fault) -> Vec<Answer> {
    commands.iter().map(|_| Err(fault.clone())).collect()
}

fn decision(answer: Answer) -> Decision {
    let strange = || Decision::Failed(Fault::Unknown("the script answered something else".into()));
    let bytes = match answer {
        Ok(Value::BulkString(bytes)) => bytes,
        Ok(_) => return strange(),
        Err(fault) => return Decision::Failed(fault),
    };
    let arrival = || bytes.get(1..9).and_then(|eight| eight.try_into().ok()).map(|eight| Arrival(u64::from_be_bytes(eight)));
    match bytes.first() {
        Some(b'A') => Decision::Applied,
        Some(b'L') => Decision::Late,
        Some(b'O') => Decision::Overtaken,
        Some(b'R') => event_time_of(&bytes[1..]).map_or_else(strange, Decision::Refused),
        Some(b'B') => arrival().map_or_else(strange, Decision::Behind),
        Some(b'T') => arrival().map_or_else(strange, Decision::Tied),
        _ => strange(),
    }
}
