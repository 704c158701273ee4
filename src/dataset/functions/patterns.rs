//! Times by a pattern: Teradata's tokens (`yyyy-mm-dd hh24:mi:ss`) and MySQL's (`%Y-%m-%d %H:%i:%s`), the two languages
//! that Trino has.
//!
//! A pattern is said in strftime's words once and then read and written by a library. `to_timestamp`, `to_date` and
//! `to_char` of the engine itself take strftime's words; which language a call is in shows in its pattern, whose `%`
//! Teradata doesn't know, and [`crate::dataset::trino`] calls the right one. `date_parse` and `date_format` are MySQL's
//! (of `date_format` the engine has one with strftime's words too, and it is not asked).
//!
//! What a pattern doesn't tell is taken from 1970-01-01 00:00:00, as Trino does.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, StringBuilder};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::ScalarUDF;
use jiff::fmt::strtime::{self, BrokenDownTime};

use super::civil::{DAY, civil, micros};
use super::iso8601::{self, read};
use super::kernel::{Faults, Kernel, as_text, unreadable};
use crate::dataset::failure::into_engine;
use crate::model::error::{Error, Result};

/// `to_timestamp(text, pattern)` with Teradata's tokens.
pub(in crate::dataset) const TO_TIMESTAMP_TERADATA: &str = "to_timestamp_teradata";
/// `to_date(text, pattern)` with Teradata's tokens.
pub(in crate::dataset) const TO_DATE_TERADATA: &str = "to_date_teradata";
/// `to_char(time, pattern)` with Teradata's tokens.
pub(in crate::dataset) const TO_CHAR_TERADATA: &str = "to_char_teradata";
const DATE_PARSE: &str = "date_parse";
/// `date_format(time, pattern)`: the engine has a function of that name for strftime's patterns.
const DATE_FORMAT_MYSQL: &str = "date_format_mysql";

/// The functions of this file.
pub(super) fn functions() -> Vec<ScalarUDF> {
    let timestamp = |_: &[DataType]| DataType::Timestamp(TimeUnit::Microsecond, None);
    let reading: [Kernel; 3] = [
        Kernel {
            name: TO_TIMESTAMP_TERADATA,
            arguments: "text, pattern",
            takes: texts,
            gives: timestamp,
            run: |arguments, faults| Ok(timestamps(&parsed("to_timestamp", Language::Teradata, arguments, faults)?)),
        },
        Kernel {
            name: TO_DATE_TERADATA,
            arguments: "text, pattern",
            takes: texts,
            gives: |_| DataType::Date32,
            run: |arguments, faults| Ok(dates(&parsed("to_date", Language::Teradata, arguments, faults)?)),
        },
        Kernel {
            name: DATE_PARSE,
            arguments: "text, pattern",
            takes: texts,
            gives: timestamp,
            run: |arguments, faults| Ok(timestamps(&parsed(DATE_PARSE, Language::MySql, arguments, faults)?)),
        },
    ];
    let writing: [Kernel; 2] = [
        Kernel {
            name: TO_CHAR_TERADATA,
            arguments: "time, pattern",
            takes: time_and_text,
            gives: |_| DataType::Utf8,
            run: |arguments, _| formatted("to_char", Language::Teradata, arguments),
        },
        Kernel {
            name: DATE_FORMAT_MYSQL,
            arguments: "time, pattern",
            takes: time_and_text,
            gives: |_| DataType::Utf8,
            run: |arguments, _| formatted("date_format", Language::MySql, arguments),
        },
    ];
    reading.into_iter().flat_map(Kernel::partial).chain(writing.into_iter().map(Kernel::total)).collect()
}

fn texts(types: &[DataType]) -> Option<Vec<DataType>> {
    match types {
        [text, pattern] => Some(vec![as_text(text)?, as_text(pattern)?]),
        _ => None,
    }
}

fn time_and_text(types: &[DataType]) -> Option<Vec<DataType>> {
    match types {
        [time, pattern] => Some(vec![iso8601::text_or_time(std::slice::from_ref(time))?.remove(0), as_text(pattern)?]),
        _ => None,
    }
}

fn timestamps(micros: &Int64Array) -> ArrayRef {
    Arc::new(micros.reinterpret_cast::<TimestampMicrosecondType>())
}

fn dates(micros: &Int64Array) -> ArrayRef {
    Arc::new(micros.iter().map(|micros| Some(micros?.div_euclid(DAY) as i32)).collect::<Date32Array>())
}

/// What a pattern is written in.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Language {
    Teradata,
    MySql,
}

/// What a pattern is for. Some tokens are stricter in writing than in reading.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Use {
    Reading,
    Writing,
}

impl Language {
    /// The pattern in strftime's words.
    fn strftime(self, pattern: &str, purpose: Use) -> Result<String> {
        match self {
            Self::Teradata => teradata(pattern),
            Self::MySql => mysql(pattern, purpose),
        }
    }
}

fn teradata(pattern: &str) -> Result<String> {
    const TOKENS: [(&str, &str); 8] =
        [("yyyy", "%Y"), ("yy", "%y"), ("mm", "%m"), ("mi", "%M"), ("dd", "%d"), ("hh24", "%H"), ("hh", "%I"), ("ss", "%S")];
    let mut words = String::new();
    let mut rest = pattern;
    while let Some(next) = rest.chars().next() {
        let token = TOKENS.iter().find(|(token, _)| rest.get(..token.len()).is_some_and(|start| start.eq_ignore_ascii_case(token)));
        if let Some((token, word)) = token {
            words.push_str(word);
            rest = &rest[token.len()..];
        } else if "-/,.;: ".contains(next) {
            words.push(next);
            rest = &rest[1..];
        } else {
            return Err(Error::usage(format!("the pattern '{}' is not understood", pattern.escape_debug()))
                .why(format!("at '{}'", rest.escape_debug()))
                .remedy("its tokens are yyyy, yy, mm, dd, hh24, hh, mi, ss and the marks -/,.;: between them; strftime's begin with %"));
        }
    }
    Ok(words)
}

fn mysql(pattern: &str, purpose: Use) -> Result<String> {
    let mut words = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            words.push(letter);
            continue;
        }
        let (reads, writes) = match letters.next() {
            Some('c') => ("%m", "%-m"),
            Some('e') => ("%d", "%-d"),
            Some('f') => ("%f", "%6f"),
            Some('h') => ("%I", "%I"),
            Some('i') => ("%M", "%M"),
            Some('k') => ("%H", "%-H"),
            Some('l') => ("%I", "%-I"),
            Some('M') => ("%B", "%B"),
            Some('r') => ("%I:%M:%S %p", "%I:%M:%S %p"),
            Some('s' | 'S') => ("%S", "%S"),
            Some('T') => ("%H:%M:%S", "%H:%M:%S"),
            Some('v') => ("%V", "%V"),
            Some('W') => ("%A", "%A"),
            Some('x') => ("%G", "%G"),
            Some('%') | None => ("%%", "%%"),
            Some(same @ ('a' | 'b' | 'd' | 'H' | 'I' | 'j' | 'm' | 'p' | 'Y' | 'y')) => {
                words.push('%');
                words.push(same);
                continue;
            }
            Some(other @ ('D' | 'U' | 'u' | 'V' | 'w' | 'X')) => {
                return Err(Error::usage(format!("the pattern '{}' has %{other}", pattern.escape_debug()))
                    .why("which Trino doesn't have either")
                    .remedy("use %Y %m %d %H %i %s and their like"));
            }
            Some(other) => {
                words.push(other);
                continue;
            }
        };
        words.push_str(if purpose == Use::Reading { reads } else { writes });
    }
    Ok(words)
}

/// Patterns as a column brings them; the same one again and again, as a rule.
struct Patterns {
    language: Language,
    purpose: Use,
    last: Option<(String, String)>,
}

impl Patterns {
    fn new(language: Language, purpose: Use) -> Self {
        Self { language, purpose, last: None }
    }

    fn strftime(&mut self, pattern: &str) -> Result<&str> {
        let known = match self.last.take() {
            Some(known) if known.0 == pattern => known,
            _ => (pattern.to_owned(), self.language.strftime(pattern, self.purpose)?),
        };
        Ok(&self.last.insert(known).1)
    }
}

/// Reads texts; the result is microseconds in UTC.
fn parsed(function: &str, language: Language, arguments: &[ArrayRef], faults: Faults) -> EngineResult<Int64Array> {
    let (texts, patterns) = (arguments[0].as_string::<i32>(), arguments[1].as_string::<i32>());
    let mut known = Patterns::new(language, Use::Reading);
    let mut micros = Int64Array::builder(texts.len());
    for row in 0..texts.len() {
        if texts.is_null(row) || patterns.is_null(row) {
            micros.append_null();
            continue;
        }
        let pattern = patterns.value(row);
        match instant(texts.value(row), known.strftime(pattern).map_err(into_engine)?) {
            Some(found) => micros.append_value(found),
            None if faults == Faults::Null => micros.append_null(),
            None => return Err(unreadable(function, texts, row, "a time", &format!("the pattern '{}'", pattern.escape_debug()))),
        }
    }
    Ok(micros.finish())
}

fn instant(text: &str, strftime: &str) -> Option<i64> {
    let mut parts = BrokenDownTime::parse(strftime, text).ok()?;
    if parts.year().is_none() && parts.iso_week_year().is_none() {
        parts.set_year(Some(1970)).ok()?;
    }
    let is_dated_otherwise = parts.day_of_year().is_some() || parts.iso_week().is_some();
    if !is_dated_otherwise && parts.month().is_none() {
        parts.set_month(Some(1)).ok()?;
    }
    if !is_dated_otherwise && parts.day().is_none() {
        parts.set_day(Some(1)).ok()?;
    }
    if parts.hour().is_none() {
        parts.set_hour(Some(0)).ok()?;
    }
    if parts.minute().is_none() {
        parts.set_minute(Some(0)).ok()?;
    }
    if parts.second().is_none() {
        parts.set_second(Some(0)).ok()?;
    }
    micros(parts.to_datetime().ok()?)
}

fn formatted(function: &str, language: Language, arguments: &[ArrayRef]) -> EngineResult<ArrayRef> {
    let times = read(function, &arguments[0], Faults::Fail, "a time", "2026-11-23T09:30:00Z")?;
    let patterns = arguments[1].as_string::<i32>();
    let mut known = Patterns::new(language, Use::Writing);
    let mut texts = StringBuilder::new();
    for row in 0..times.len() {
        if times.is_null(row) || patterns.is_null(row) {
            texts.append_null();
            continue;
        }
        let strftime = known.strftime(patterns.value(row)).map_err(into_engine)?;
        let text = civil(times.value(row)).and_then(|civil| strtime::format(strftime, civil).ok());
        match text {
            Some(text) => texts.append_value(text),
            None => return Err(unreadable(function, &arguments[0], row, "a time", "2026-11-23T09:30:00Z")),
        }
    }
    Ok(Arc::new(texts.finish()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::time::EventTime;
    use proptest::prelude::*;

    fn read_as(language: Language, text: &str, pattern: &str) -> Option<String> {
        let micros = instant(text, &language.strftime(pattern, Use::Reading).unwrap())?;
        Some(EventTime::from_unix_micros(micros).unwrap().to_iso8601())
    }

    #[test]
    fn teradata_tokens_are_read() {
        let read = |text, pattern| read_as(Language::Teradata, text, pattern);
        assert_eq!(read("2026-11-23 09:30:05", "yyyy-mm-dd hh24:mi:ss").as_deref(), Some("2026-11-23T09:30:05Z"));
        assert_eq!(read("23.11.26", "DD.MM.YY").as_deref(), Some("2026-11-23T00:00:00Z"));
        assert_eq!(read("20261123", "yyyymmdd").as_deref(), Some("2026-11-23T00:00:00Z"));
        assert_eq!(read("09:30", "hh24:mi").as_deref(), Some("1970-01-01T09:30:00Z"));
        for wrong in ["2026-02-30", "2026-11", "2026-11-23 ", "x"] {
            assert_eq!(read(wrong, "yyyy-mm-dd"), None, "{wrong}");
        }
        for wrong in ["yyyy-mm-ddThh24", "Q", "é", "y"] {
            assert!(teradata(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn mysql_tokens_are_read_and_written() {
        let read = |text, pattern| read_as(Language::MySql, text, pattern);
        assert_eq!(read("2026-11-23 09:30:05.25", "%Y-%m-%d %H:%i:%s.%f").as_deref(), Some("2026-11-23T09:30:05.250Z"));
        assert_eq!(read("Nov 3 2026 9:05 PM", "%b %e %Y %l:%i %p").as_deref(), Some("2026-11-03T21:05:00Z"));
        assert_eq!(read("2026-060", "%Y-%j").as_deref(), Some("2026-03-01T00:00:00Z"));
        assert_eq!(read("26%", "%y%%").as_deref(), Some("2026-01-01T00:00:00Z"));
        let write = |micros, pattern| strtime::format(mysql(pattern, Use::Writing).unwrap(), civil(micros).unwrap()).unwrap();
        assert_eq!(write(1_500_000, "%W %M %e %c %k:%i:%S.%f %r %T"), "Thursday January 1 1 0:00:01.500000 12:00:01 AM 00:00:01");
        assert!(mysql("%D", Use::Writing).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(seconds in -62_167_219_200i64..253_402_300_800) {
            let micros = seconds * 1_000_000;
            for (language, pattern) in [(Language::Teradata, "yyyy-mm-dd hh24:mi:ss"), (Language::MySql, "%Y/%m/%d %T")] {
                let text = strtime::format(language.strftime(pattern, Use::Writing).unwrap(), civil(micros).unwrap()).unwrap();
                prop_assert_eq!(instant(&text, &language.strftime(pattern, Use::Reading).unwrap()), Some(micros));
            }
        }

        #[test]
        fn never_panics(text in "\\PC{0,30}", pattern in "\\PC{0,20}") {
            for language in [Language::Teradata, Language::MySql] {
                if let Ok(words) = language.strftime(&pattern, Use::Reading) {
                    let _ = instant(&text, &words);
                }
                if let Ok(words) = language.strftime(&pattern, Use::Writing) {
                    let _ = strtime::format(words, civil(0).unwrap());
                }
            }
        }
    }
}
