//! Profiles as rows, and back.

use std::collections::HashSet;

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row, Sqlite, Transaction};

use super::profiles::{DayLine, Population, StoredColumn, StoredProfile, Window};
use super::{from_sql, to_sql};
use crate::model::{EventTime, GroupId};

type SqlResult<T> = Result<T, sqlx::Error>;

pub(super) fn day_line(row: &SqliteRow) -> SqlResult<DayLine> {
    let feature = match row.try_get::<Option<i64>, _>(2)? {
        Some(rows) => Some((from_sql(rows), from_sql(row.try_get(3)?), row.try_get(4)?)),
        None => None,
    };
    Ok(DayLine { day: row.try_get(0)?, rows: from_sql(row.try_get(1)?), feature })
}

pub(super) async fn forget(transaction: &mut Transaction<'_, Sqlite>, group: &GroupId) -> SqlResult<()> {
    for statement in [
        "DELETE FROM profiled_files WHERE group_id = ?1",
        "DELETE FROM profiles WHERE group_id = ?1 AND population = 'events' AND grain IN ('whole', 'day')",
    ] {
        sqlx::query(statement).bind(group.bytes().as_slice()).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Writes a profile in place of the one of its population and window. Nothing happens for a group that is gone.
pub(super) async fn upsert(transaction: &mut Transaction<'_, Sqlite>, group: &GroupId, profile: &StoredProfile) -> SqlResult<()> {
    let (grain, day, label) = profile.window.parts();
    sqlx::query("DELETE FROM profiles WHERE group_id = ?1 AND population = ?2 AND grain = ?3 AND day = ?4 AND label = ?5")
        .bind(group.bytes().as_slice())
        .bind(profile.population.as_str())
        .bind(grain)
        .bind(day)
        .bind(label)
        .execute(&mut **transaction)
        .await?;
    let id: Option<i64> = sqlx::query_scalar(
        "INSERT INTO profiles (group_id, population, grain, day, label, row_count, deleted_count, oldest_event_time,
                               newest_event_time, taken)
         SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM feature_groups WHERE id = ?1 RETURNING id",
    )
    .bind(group.bytes().as_slice())
    .bind(profile.population.as_str())
    .bind(grain)
    .bind(day)
    .bind(label)
    .bind(to_sql(profile.rows))
    .bind(to_sql(profile.deleted))
    .bind(profile.oldest_event_time.map(EventTime::unix_micros))
    .bind(profile.newest_event_time.map(EventTime::unix_micros))
    .bind(profile.taken.unix_micros())
    .fetch_optional(&mut **transaction)
    .await?;
    let Some(id) = id else { return Ok(()) };
    for columns in profile.columns.chunks(COLUMNS_AT_ONCE) {
        insert_columns(transaction, id, columns).await?;
    }
    Ok(())
}

/// Columns in one statement; SQLite takes 32,766 values in one. A statement costs two switches of threads, whatever is in it, and a
/// load may write a hundred days of profiles of thousands of columns.
const COLUMNS_AT_ONCE: usize = 1_000;

async fn insert_columns(transaction: &mut Transaction<'_, Sqlite>, id: i64, columns: &[StoredColumn]) -> SqlResult<()> {
    let mut insert = QueryBuilder::<Sqlite>::new(
        "INSERT INTO profile_columns (profile_id, feature, n, n_null, mean, distinct_lo, distinct_hi, figures) ",
    );
    insert.push_values(columns, |mut row, column| {
        row.push_bind(id)
            .push_bind(&column.feature)
            .push_bind(to_sql(column.rows))
            .push_bind(to_sql(column.nulls))
            .push_bind(column.mean)
            .push_bind(column.distinct.map(|(low, _)| low))
            .push_bind(column.distinct.map(|(_, high)| high))
            .push_bind(&column.figures);
    });
    insert.build().execute(&mut **transaction).await?;
    let states: Vec<(&String, &Vec<u8>)> = columns.iter().filter_map(|column| Some((&column.feature, column.state.as_ref()?))).collect();
    if states.is_empty() {
        return Ok(());
    }
    let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO profile_sketches (profile_id, feature, bytes) ");
    insert.push_values(states, |mut row, (feature, state)| {
        row.push_bind(id).push_bind(feature).push_bind(state);
    });
    insert.build().execute(&mut **transaction).await?;
    Ok(())
}

/// The days of a group's events that have a profile.
pub(super) async fn days(connection: &mut SqliteConnection, group: &GroupId) -> SqlResult<HashSet<i64>> {
    let days = sqlx::query_scalar("SELECT day FROM profiles WHERE group_id = ?1 AND population = 'events' AND grain = 'day'");
    Ok(days.bind(group.bytes().as_slice()).fetch_all(connection).await?.into_iter().collect())
}

pub(super) async fn select(
    connection: &mut SqliteConnection,
    group: &GroupId,
    population: Population,
    window: &Window,
    with_state: bool,
) -> SqlResult<Option<StoredProfile>> {
    let (grain, day, label) = window.parts();
    let row = sqlx::query(
        "SELECT id, row_count, deleted_count, oldest_event_time, newest_event_time, taken FROM profiles
         WHERE group_id = ?1 AND population = ?2 AND grain = ?3 AND day = ?4 AND label = ?5",
    )
    .bind(group.bytes().as_slice())
    .bind(population.as_str())
    .bind(grain)
    .bind(day)
    .bind(label)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let instant = |at: usize| row.try_get::<Option<i64>, _>(at).map(|micros| micros.and_then(EventTime::from_unix_micros));
    let id: i64 = row.try_get(0)?;
    // Whoever wants scalars reads none of the pages that the states lie on.
    let columns = if with_state {
        "SELECT c.feature, c.n, c.n_null, c.mean, c.distinct_lo, c.distinct_hi, c.figures, s.bytes FROM profile_columns c
         LEFT JOIN profile_sketches s ON s.profile_id = c.profile_id AND s.feature = c.feature WHERE c.profile_id = ?1"
    } else {
        "SELECT feature, n, n_null, mean, distinct_lo, distinct_hi, figures, NULL FROM profile_columns WHERE profile_id = ?1"
    };
    let columns = sqlx::query(columns).bind(id).fetch_all(&mut *connection).await?;
    let profile = StoredProfile {
        population,
        window: window.clone(),
        rows: from_sql(row.try_get(1)?),
        deleted: from_sql(row.try_get(2)?),
        oldest_event_time: instant(3)?,
        newest_event_time: instant(4)?,
        taken: super::group_rows::instant(row.try_get(5)?)?,
        columns: columns.iter().map(column).collect::<SqlResult<_>>()?,
    };
    Ok(Some(profile))
}

fn column(row: &SqliteRow) -> SqlResult<StoredColumn> {
    Ok(StoredColumn {
        feature: row.try_get(0)?,
        rows: from_sql(row.try_get(1)?),
        nulls: from_sql(row.try_get(2)?),
        mean: row.try_get(3)?,
        distinct: row.try_get::<Option<f64>, _>(4)?.zip(row.try_get(5)?),
        figures: row.try_get(6)?,
        state: row.try_get(7)?,
    })
}
