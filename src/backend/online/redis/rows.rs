//! Reading, listing, counting and dropping rows.

use std::collections::HashMap;
use std::ops::ControlFlow;

use redis::Value;

use super::Inner;
use super::keys::{BUCKETS, Bucket, row_in};
use super::servers::{Answer, Command};
use crate::backend::online::row::RowView;
use crate::backend::online::{GroupCounts, OnlineStore, Visitor};
use crate::model::{Error, GroupId, Result};

/// Identifiers asked of each index for the first page of a listing, and for later ones.
const FIRST_PAGE: usize = 16;
const LATER_PAGES: usize = 512;
/// Keys of one UNLINK.
const UNLINKED: usize = 512;

/// Removes an identifier from both indexes if Redis has forgotten its row.
const TIDY: &str =
    "if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('ZREM', KEYS[2], ARGV[1]) redis.call('ZREM', KEYS[3], ARGV[1]) end";

impl Inner {
    pub(super) fn get(&self, group: GroupId, identifier: &str) -> Command {
        let bucket = self.bucket(group, identifier);
        Command::new(bucket.slot(), redis::cmd("GET").arg(bucket.record(identifier)))
    }

    pub(super) fn read(&self, group: GroupId, identifier: &str, visit: &mut dyn FnMut(RowView<'_>) -> Result<()>) -> Result<bool> {
        let mut found = Ok(false);
        self.read_many(group, &[identifier], &mut |_, row| {
            found = match row {
                Ok(Some(row)) => visit(row).map(|()| true),
                Ok(None) => Ok(false),
                Err(error) => Err(error),
            };
        });
        found
    }

    pub(super) fn read_many(&self, group: GroupId, identifiers: &[&str], visit: &mut dyn FnMut(usize, Result<Option<RowView<'_>>>)) {
        let commands: Vec<Command> = identifiers.iter().map(|identifier| self.get(group, identifier)).collect();
        for (place, answer) in self.ask_in_pipelines(&commands).into_iter().enumerate() {
            match self.value(answer) {
                Err(error) => visit(place, Err(error)),
                Ok(None) => visit(place, Ok(None)),
                Ok(Some(value)) => {
                    let row = row_in(&value).map_err(|error| error.within(format_args!("record '{}'", identifiers[place].escape_debug())));
                    visit(place, row.map(Some));
                }
            }
        }
    }

    pub(super) fn value(&self, answer: Answer) -> Result<Option<Vec<u8>>> {
        match self.answered(answer)? {
            Value::BulkString(bytes) => Ok(Some(bytes)),
            Value::Nil => Ok(None),
            _ => Err(Error::corrupt("Redis holds something else where a record should be").remedy("give online.prefix another value")),
        }
    }

    /// Walks a group's identifiers in order. Rows that change meanwhile may be shown as they were or as they are.
    pub(super) fn scan(&self, group: GroupId, after: Option<&str>, visit: Visitor<'_>) -> Result<()> {
        let mut after = after.map(str::to_owned);
        let mut page = FIRST_PAGE;
        loop {
            let (identifiers, is_last) = self.identifiers(group, after.as_deref(), page)?;
            let names: Vec<&str> = identifiers.iter().map(String::as_str).collect();
            let mut forgotten = Vec::new();
            let mut shown = Ok(ControlFlow::Continue(()));
            self.read_many(group, &names, &mut |place, row| {
                if matches!(shown, Ok(ControlFlow::Continue(()))) {
                    shown = match row {
                        Ok(Some(row)) => visit(row),
                        Ok(None) => {
                            forgotten.push(names[place]);
                            Ok(ControlFlow::Continue(()))
                        }
                        Err(error) => Err(error),
                    };
                }
            });
            self.tidy(group, &forgotten);
            if shown?.is_break() || is_last {
                return Ok(());
            }
            after = identifiers.last().cloned().or(after);
            page = LATER_PAGES;
        }
    }

    /// The next identifiers after one, live and dead, in order; true if they are the last.
    fn identifiers(&self, group: GroupId, after: Option<&str>, page: usize) -> Result<(Vec<String>, bool)> {
        let from = after.map_or_else(|| b"-".to_vec(), |after| [b"(", after.as_bytes()].concat());
        let mut commands = Vec::with_capacity(2 * BUCKETS as usize);
        for bucket in self.buckets(group) {
            for index in [bucket.live(), bucket.dead()] {
                let mut command = redis::cmd("ZRANGEBYLEX");
                command.arg(index).arg(&from[..]).arg("+").arg("LIMIT").arg(0).arg(page);
                commands.push(Command::new(bucket.slot(), &command));
            }
        }
        let mut all: Vec<Vec<u8>> = Vec::new();
        // An index that has more after its page bounds what is known to be in order.
        let mut bound: Option<Vec<u8>> = None;
        for answer in self.ask_in_pipelines(&commands) {
            let members = texts(self.answered(answer)?);
            if members.len() == page
                && let Some(last) = members.last()
                && bound.as_ref().is_none_or(|bound| last < bound)
            {
                bound = Some(last.clone());
            }
            all.extend(members);
        }
        all.sort_unstable();
        // Live and dead for a moment: the script changes both at once, but two questions were asked.
        all.dedup();
        if let Some(bound) = &bound {
            all.retain(|identifier| identifier <= bound);
        }
        let identifiers = all.into_iter().filter_map(|identifier| String::from_utf8(identifier).ok()).collect();
        Ok((identifiers, bound.is_none()))
    }

    /// Removes identifiers whose rows Redis has forgotten from the indexes. Nothing depends on it.
    fn tidy(&self, group: GroupId, forgotten: &[&str]) {
        if self.journal.is_read_only() {
            return;
        }
        let commands: Vec<Command> = forgotten
            .iter()
            .map(|identifier| {
                let bucket = self.bucket(group, identifier);
                let mut command = redis::cmd("EVAL");
                command.arg(TIDY).arg(3).arg(bucket.record(identifier)).arg(bucket.live()).arg(bucket.dead()).arg(*identifier);
                Command::new(bucket.slot(), &command)
            })
            .collect();
        self.ask_in_pipelines(&commands);
    }

    pub(super) fn counts(&self, group: GroupId) -> Result<GroupCounts> {
        let mut counts = self.counts_of(&[group])?.remove(&group).unwrap_or_default();
        if counts.one_sided || self.servers.silent().is_some() {
            return Ok(counts);
        }
        let marks: Vec<Command> = self
            .buckets(group)
            .map(|bucket| Command::new(bucket.slot(), redis::cmd("HEXISTS").arg(bucket.marks()).arg("one_sided")))
            .collect();
        counts.one_sided = self.ask_in_pipelines(&marks).into_iter().any(|answer| matches!(answer, Ok(Value::Int(1))));
        Ok(counts)
    }

    /// Counts of the folder, with the numbers of rows from Redis, or as they were last seen there.
    pub(super) fn counts_of(&self, groups: &[GroupId]) -> Result<HashMap<GroupId, GroupCounts>> {
        let mut commands = Vec::with_capacity(groups.len() * 2 * BUCKETS as usize);
        for group in groups {
            for bucket in self.buckets(*group) {
                for index in [bucket.live(), bucket.dead()] {
                    commands.push(Command::new(bucket.slot(), redis::cmd("ZCARD").arg(index)));
                }
            }
        }
        let answers = self.ask_in_pipelines(&commands);
        if let Some(Err(fault)) = answers.iter().find(|answer| answer.is_err()) {
            tracing::warn!(why = fault.text(), "Redis does not answer: online records are counted as last seen");
        }
        let mut counted = HashMap::with_capacity(groups.len());
        let mut changed = Vec::new();
        for (group, answers) in groups.iter().zip(answers.chunks(2 * BUCKETS as usize)) {
            let mut counts = self.journal.counts(*group)?;
            if let Some((records, tombstones)) = sums(answers) {
                if (records, tombstones) != (counts.records, counts.tombstones) {
                    changed.push((*group, records, tombstones));
                }
                (counts.records, counts.tombstones) = (records, tombstones);
            }
            counted.insert(*group, counts);
        }
        if !changed.is_empty() && !self.journal.is_read_only() {
            self.journal.note_counts(&changed)?;
        }
        Ok(counted)
    }

    /// True for records of a group that Redis may have forgotten because they expired.
    pub(super) fn may_have_forgotten(&self, group: GroupId) -> Result<bool> {
        let marks: Vec<Command> = self
            .buckets(group)
            .map(|bucket| Command::new(bucket.slot(), redis::cmd("HEXISTS").arg(bucket.marks()).arg("expiring")))
            .collect();
        for answer in self.ask_in_pipelines(&marks) {
            if matches!(self.answered(answer)?, Value::Int(1)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes all keys of a group, bucket by bucket.
    pub(super) fn drop_rows(&self, group: GroupId) -> Result<()> {
        for bucket in self.buckets(group) {
            for index in [bucket.live(), bucket.dead()] {
                while let identifiers @ [_, ..] = &self.members("ZRANGEBYLEX", &bucket, &index, b"-", b"+")?[..] {
                    let names = identifiers.iter().filter_map(|identifier| std::str::from_utf8(identifier).ok());
                    let keys: Vec<String> = names.map(|identifier| bucket.record(identifier)).collect();
                    self.unlink(&bucket, &keys)?;
                    let mut command = redis::cmd("ZREM");
                    command.arg(&index).arg(identifiers);
                    self.done(&bucket, &command)?;
                }
            }
            while let graves @ [_, ..] = &self.members("ZRANGEBYSCORE", &bucket, &bucket.graves(), b"-inf", b"+inf")?[..] {
                let keys: Vec<String> = graves.iter().map(|grave| String::from_utf8_lossy(grave).into_owned()).collect();
                self.unlink(&bucket, &keys)?;
                let mut command = redis::cmd("ZREM");
                command.arg(bucket.graves()).arg(graves);
                self.done(&bucket, &command)?;
            }
            self.unlink(&bucket, &[bucket.marks()])?;
        }
        Ok(())
    }

    fn members(&self, command: &str, bucket: &Bucket, index: &str, from: &[u8], to: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut command = redis::cmd(command);
        command.arg(index).arg(from).arg(to).arg("LIMIT").arg(0).arg(UNLINKED);
        self.done(bucket, &command).map(texts)
    }

    fn unlink(&self, bucket: &Bucket, keys: &[String]) -> Result<()> {
        self.done(bucket, redis::cmd("UNLINK").arg(keys)).map(drop)
    }

    fn done(&self, bucket: &Bucket, command: &redis::Cmd) -> Result<Value> {
        let answer = self.servers.ask(&[Command::new(bucket.slot(), command)]).pop();
        answer.map_or_else(|| Err(Error::internal("a command had no answer")), |answer| self.answered(answer))
    }
}

/// The texts of a list.
fn texts(value: Value) -> Vec<Vec<u8>> {
    let Value::Array(items) = value else { return Vec::new() };
    items
        .into_iter()
        .filter_map(|item| match item {
            Value::BulkString(bytes) => Some(bytes),
            _ => None,
        })
        .collect()
}

/// Sums of the answers for live and dead in turn; none if one is missing.
fn sums(answers: &[Answer]) -> Option<(u64, u64)> {
    let (mut records, mut tombstones) = (0, 0);
    for (place, answer) in answers.iter().enumerate() {
        let Ok(Value::Int(count)) = answer else { return None };
        *if place % 2 == 0 { &mut records } else { &mut tombstones } += u64::try_from(*count).ok()?;
    }
    Some((records, tombstones))
}

/// Servers that may throw keys away, from what each says of its memory.
pub(super) fn evicting(answers: Vec<(String, Value)>) -> Vec<String> {
    let mut found = Vec::new();
    for (server, answer) in answers {
        let text = match answer {
            Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Value::VerbatimString { text, .. } => text,
            _ => continue,
        };
        let says =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().trim().to_owned();
        let policy = says("maxmemory_policy");
        if says("maxmemory") != "0" && !matches!(policy.as_str(), "" | "noeviction") {
            found.push(format!("{server} ({policy})"));
        }
    }
    found
}
