//! `larder source`: the places that `larder sync` reads.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::pairs::parse_pair;
use super::place::{Place, now};
use super::table::{Side, Table};
use super::text::{relative_time, visible};
use crate::model::EventTime;
use crate::sync::{KINDS, NewSource, ObservedGroup, ObservedKind, SourceView, SyncedGroup, add_source, remove_source, sources, told_by};

/// Add, list or remove the places to sync from
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder source add team larder /srv/team-store
  larder source add shop feast ../feast-repository
  larder source list
  larder source show shop
  larder source remove team")]
pub(crate) struct Source {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    Add(Add),
    List(List),
    Show(Show),
    Remove(Remove),
    Forget(Forget),
}

const ADD_EXAMPLES: &str = "\
Examples:
  larder source add team larder /srv/team-store
  larder source add serving larder http://10.0.0.7:8400
  larder source add prod aws eu-west-1 --profile prod
  larder source add prod aws 123456789012/eu-west-1 --priority 10
  larder source add local aws us-east-1 --endpoint-url http://127.0.0.1:5000
  larder source add meant definitions ./features
  larder source add shop feast ../feast-repository
  larder source add lake parquet s3://lake/features --option id=customer_id --option event-time=at

Keys come from where all tools of AWS have them: the environment, a profile, single sign-on, a process,
a container or the machine. They are never kept in the catalog.";

/// Add a source; the next sync reads it
#[derive(Args, Debug)]
#[command(after_help = kinds_and_examples())]
struct Add {
    /// Name of the source
    name: String,
    /// Kind of the source, one of those below
    kind: String,
    /// Where it is
    location: String,
    /// Say more about the source, repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_pair)]
    option: Vec<(String, String)>,
    /// Short for --option profile=NAME
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Short for --option region=NAME
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// Short for --option endpoint-url=URL
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Show its groups before those of sources with a lower number
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    priority: i64,
}

/// List the sources
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder source list
  larder source list --json")]
struct List {}

/// Show everything a source told: groups, entities, services, datasets, data sources
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder source show shop
  larder source show shop --json | jq -r '.[] | select(.kind == \"service\").name'")]
struct Show {
    /// Name of the source
    name: String,
}

/// Remove a source and keep what it told
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder source remove team")]
struct Remove {
    /// Name of the source
    name: String,
}

/// Remove a source and all it told
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder source forget team")]
struct Forget {
    /// Name of the source
    name: String,
}

impl Source {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        match self.action {
            Action::Add(add) => add.run(place, console).await,
            Action::List(_) => list(place, console).await,
            Action::Show(show) => show_told(&show.name, place, console).await,
            Action::Remove(remove) => take_away(&remove.name, false, place, console).await,
            Action::Forget(forget) => take_away(&forget.name, true, place, console).await,
        }
    }
}

impl Add {
    async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open_or_make().await?;
        let flags = [("profile", self.profile), ("region", self.region), ("endpoint-url", self.endpoint_url)];
        let flags = flags.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let new = NewSource {
            name: self.name,
            kind: self.kind,
            location: self.location,
            options: self.option.into_iter().chain(flags).collect(),
            priority: self.priority,
        };
        let added = add_source(&store, new).await?;
        console.confirm(format!("added source {}", added.name), &document(&added))?;
        store.close().await?;
        Ok(Exit::Done)
    }
}

/// What every kind takes, and the examples.
fn kinds_and_examples() -> String {
    let mut text = "Kinds, what LOCATION is, and KEY=VALUE of --option:\n".to_owned();
    for kind in KINDS {
        text.push_str(&format!("  {:<12} {}\n", kind.name, kind.location.replace('\n', &format!("\n{:15}", ""))));
        for (option, meaning) in kind.options {
            text.push_str(&format!("  {:<12}   {:<18} {meaning}\n", "", format!("{option}=…")));
        }
    }
    text + "\n" + ADD_EXAMPLES
}

async fn list(place: &Place, console: &mut Console) -> Verdict {
    let store = place.open().await?;
    let found = sources(&store).await?;
    if console.json() {
        console.document(&found.iter().map(document).collect::<Vec<_>>())?;
    } else if found.is_empty() {
        console.hint("there is no source: `larder source add NAME KIND LOCATION` adds one");
    } else {
        let mut table = Table::new(&[
            ("NAME", Side::Left),
            ("KIND", Side::Left),
            ("LOCATION", Side::Left),
            ("PRIORITY", Side::Right),
            ("SEEN", Side::Left),
        ]);
        for source in &found {
            let seen = source.seen.map_or_else(|| "never".to_owned(), |seen| relative_time(seen.unix_micros(), now()));
            table.row([&source.name, &source.kind, &source.location, &source.priority.to_string(), &seen]);
        }
        console.table(&table)?;
    }
    Ok(Exit::Done)
}

async fn show_told(name: &str, place: &Place, console: &mut Console) -> Verdict {
    let store = place.open().await?;
    let told = told_by(&store, name).await?;
    if console.json() {
        console.document(&told.iter().map(told_document).collect::<Vec<_>>())?;
    } else if told.is_empty() {
        console.hint("it has told nothing yet: `larder sync` reads it");
    } else {
        let mut table = Table::new(&["KIND", "NAME", "IS", "OF", "OWNER", "DESCRIPTION"].map(|name| (name, Side::Left)));
        for ObservedGroup { kind, name, native_kind, entity, record_identifier, location, s3_uri, owner, description, .. } in
            told.iter().map(|told| &told.group)
        {
            let place = location.as_deref().or(s3_uri.as_deref());
            let of = match kind {
                ObservedKind::Group => entity.as_deref().or(record_identifier.as_deref()),
                ObservedKind::Entity => record_identifier.as_deref(),
                _ => place,
            };
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            table.row([
                kind.as_str(),
                name,
                &text(native_kind.as_deref()),
                &text(of),
                &text(owner.as_deref()),
                &text(description.as_deref()),
            ]);
        }
        console.table(&table)?;
    }
    Ok(Exit::Done)
}

/// What a source told, as it is kept, with what is known of the telling.
fn told_document(told: &SyncedGroup) -> Value {
    let mut document = json!({"kind": told.group.kind.as_str(), "source": told.source, "fault": told.fault,
        "seen": told.seen.map(EventTime::to_iso8601)});
    if let (Some(whole), Ok(Value::Object(fields))) = (document.as_object_mut(), serde_json::to_value(&told.group)) {
        whole.extend(fields);
    }
    document
}

async fn take_away(name: &str, forget: bool, place: &Place, console: &mut Console) -> Verdict {
    let store = place.open().await?;
    remove_source(&store, name, forget).await?;
    let what = if forget { "forgot" } else { "removed" };
    console.confirm(format!("{what} source {}", visible(name)), &json!({"name": name, "forgotten": forget}))?;
    store.close().await?;
    Ok(Exit::Done)
}

fn document(source: &SourceView) -> Value {
    json!({
        "name": source.name,
        "kind": source.kind,
        "location": source.location,
        "options": source.options,
        "priority": source.priority,
        "added": source.added.to_iso8601(),
        "seen": source.seen.map(EventTime::to_iso8601),
    })
}
