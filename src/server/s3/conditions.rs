//! Conditional headers, ranges and dates of HTTP, as S3 reads them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, StatusCode};

use super::fault::Answer;
use crate::server::wire::Fault;
use crate::store::objects::{ObjectInfo, WriteCondition};

/// A header's text; none if it is missing or not ASCII.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether an object is to be sent, by the headers that begin with `prefix` (`""`, or `x-amz-copy-source-`).
///
/// # Errors
/// `PreconditionFailed`; `NotModified` (status 304) for a reader that has it.
pub(super) fn check(headers: &HeaderMap, prefix: &str, info: &ObjectInfo) -> Answer<()> {
    let value = |name: &str| header(headers, &format!("{prefix}{name}"));
    let failed = || {
        Fault::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
    };
    let not_modified = || Fault::new(StatusCode::NOT_MODIFIED, "NotModified", "Not Modified");
    match (value("if-match"), value("if-unmodified-since").and_then(parse_date)) {
        (Some(etags), _) if !names_etag(etags, &info.etag) => return Err(failed()),
        (None, Some(since)) if whole_seconds(info.modified) > since => return Err(failed()),
        _ => {}
    }
    // A copy that finds its source unchanged is refused, a reader is told so.
    let unchanged = || if prefix.is_empty() { not_modified() } else { failed() };
    match (value("if-none-match"), value("if-modified-since").and_then(parse_date)) {
        (Some(etags), _) if names_etag(etags, &info.etag) => Err(unchanged()),
        (None, Some(since)) if whole_seconds(info.modified) <= since => Err(unchanged()),
        _ => Ok(()),
    }
}

/// What has to hold for a write.
pub(super) fn of_write(headers: &HeaderMap) -> Answer<WriteCondition> {
    match (header(headers, "if-none-match"), header(headers, "if-match")) {
        (None, None) => Ok(WriteCondition::Always),
        (Some("*"), None) => Ok(WriteCondition::Absent),
        (None, Some(etag)) => Ok(WriteCondition::Matches(unquoted(etag).to_owned())),
        _ => Err(super::fault::not_implemented("A write under this condition")),
    }
}

fn names_etag(list: &str, etag: &str) -> bool {
    list.split(',').map(unquoted).any(|one| one == "*" || one == etag)
}

/// An ETag without its quotes.
pub(super) fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let text = text.strip_prefix("W/").unwrap_or(text);
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// The bytes that a `Range` header asks for, from and to (exclusive); none for all, also where the header can't be read.
///
/// # Errors
/// `InvalidRange` if the object has none of them.
pub(super) fn range(text: Option<&str>, size: u64) -> Answer<Option<(u64, u64)>> {
    let Some((from, to)) = text.and_then(|text| text.trim().strip_prefix("bytes=")).and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (from, to) = match (from.trim().is_empty(), to.trim().is_empty()) {
        (true, true) => return Ok(None),
        (true, false) => match number(to) {
            Some(last) => (size.saturating_sub(last), if last == 0 { 0 } else { size }),
            None => return Ok(None),
        },
        (false, true) => match number(from) {
            Some(from) => (from, size),
            None => return Ok(None),
        },
        (false, false) => match (number(from), number(to)) {
            (Some(from), Some(to)) if from <= to => (from, to.saturating_add(1).min(size)),
            _ => return Ok(None),
        },
    };
    if from >= to {
        return Err(Fault::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", "The requested range is not satisfiable"));
    }
    Ok(Some((from, to)))
}

fn whole_seconds(time: SystemTime) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}

fn parse_date(text: &str) -> Option<SystemTime> {
    jiff::fmt::rfc2822::parse(text.trim()).ok().map(|date| SystemTime::from(date.timestamp()))
}

/// A time as HTTP writes it: `Wed, 12 Oct 2009 17:50:00 GMT`.
pub(super) fn http_date(time: SystemTime) -> String {
    let timestamp = jiff::Timestamp::try_from(time).unwrap_or_default();
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&timestamp).unwrap_or_default()
}

/// A time as S3's documents write it: `2009-10-12T17:50:30.000Z`.
pub(super) fn document_date(time: SystemTime) -> String {
    let timestamp = jiff::Timestamp::try_from(time).unwrap_or_default();
    timestamp.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::objects::ObjectAttributes;

    #[test]
    fn ranges_are_cut_to_the_object() {
        for (text, size, is) in [
            ("bytes=0-0", 10, Some((0, 1))),
            ("bytes=2-", 10, Some((2, 10))),
            ("bytes=-3", 10, Some((7, 10))),
            ("bytes=-30", 10, Some((0, 10))),
            ("bytes=5-100", 10, Some((5, 10))),
            ("bytes=5-18446744073709551615", 10, Some((5, 10))),
            ("bytes=3-2", 10, None),
            ("bytes=a-b", 10, None),
            ("lines=1-2", 10, None),
            ("bytes=0-1,3-4", 10, None),
        ] {
            assert_eq!(range(Some(text), size).unwrap(), is, "{text}");
        }
        for (text, size) in [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-0", 0), ("bytes=99-100", 10)] {
            assert_eq!(range(Some(text), size).unwrap_err().code, "InvalidRange", "{text}");
        }
    }

    #[test]
    fn conditions_are_judged_as_rfc_9110_orders_them() {
        let modified = UNIX_EPOCH + Duration::from_millis(1_445_412_480_700);
        let info = ObjectInfo { size: 1, modified, etag: "abc".into(), checksum: None, attributes: ObjectAttributes::default() };
        let date = http_date(modified);
        assert_eq!(date, "Wed, 21 Oct 2015 07:28:00 GMT");
        let before = http_date(modified - Duration::from_secs(60));
        for (headers, status) in [
            (vec![("if-match", "\"abc\"")], 200),
            (vec![("if-match", "\"x\", \"abc\"")], 200),
            (vec![("if-match", "*")], 200),
            (vec![("if-match", "\"x\"")], 412),
            (vec![("if-none-match", "\"abc\"")], 304),
            (vec![("if-none-match", "*")], 304),
            (vec![("if-none-match", "\"x\"")], 200),
            (vec![("if-modified-since", date.as_str())], 304),
            (vec![("if-modified-since", before.as_str())], 200),
            (vec![("if-unmodified-since", date.as_str())], 200),
            (vec![("if-unmodified-since", before.as_str())], 412),
            (vec![("if-match", "\"abc\""), ("if-unmodified-since", before.as_str())], 200),
            (vec![("if-none-match", "\"x\""), ("if-modified-since", date.as_str())], 200),
            (vec![("if-modified-since", "yesterday")], 200),
        ] {
            let map: HeaderMap = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            let found = check(&map, "", &info).map_or_else(|fault| fault.status.as_u16(), |()| 200);
            assert_eq!(found, status, "{headers:?}");
        }
    }
}
