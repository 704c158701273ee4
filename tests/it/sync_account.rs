//! Sync from a SageMaker account that does what accounts do: throttle, break off, answer half, deny, run out of keys.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::{Larder, Outcome};
use crate::scripted::{Answer, Asked, Scripted};

const SECRET: &str = "wJalrXUtnFEMI-a-secret";
/// Groups of a page of the account.
const PAGE: usize = 2;

/// A group of the account.
#[derive(Clone)]
struct Group {
    name: String,
    made: i64,
    description: String,
    /// Description of its feature `score`, and when that was written.
    score: (String, i64),
    /// Stands in the search in place of what it is.
    garbled: bool,
}

/// An account: groups and what goes wrong.
#[derive(Clone, Default)]
struct Account {
    groups: Arc<Mutex<Vec<Group>>>,
    number: Arc<Mutex<Option<&'static str>>>,
}

type Trouble = dyn Fn(usize, &Asked) -> Option<Answer> + Send + Sync;

impl Account {
    fn with(names: &[&str]) -> Self {
        let account = Self::default();
        names.iter().for_each(|name| account.make(name, 1_700_000_000));
        account
    }

    fn make(&self, name: &str, made: i64) {
        let group = Group {
            name: name.into(),
            made,
            description: format!("about {name}"),
            score: (format!("score of {name}"), made),
            garbled: false,
        };
        self.groups.lock().unwrap().push(group);
    }

    fn change(&self, name: &str, change: impl Fn(&mut Group)) {
        self.groups.lock().unwrap().iter_mut().filter(|group| group.name == name).for_each(change);
    }

    fn drop(&self, name: &str) {
        self.groups.lock().unwrap().retain(|group| group.name != name);
    }

    fn serve(&self) -> Scripted {
        self.serve_with(|_, _| None)
    }

    /// Serves with trouble where the function has an answer of its own.
    fn serve_with(&self, trouble: impl Fn(usize, &Asked) -> Option<Answer> + Send + Sync + 'static) -> Scripted {
        let account = self.clone();
        let trouble: Box<Trouble> = Box::new(trouble);
        Scripted::start(Arc::new(move |number, asked| trouble(number, asked).unwrap_or_else(|| Answer::Json(account.answer(asked)))))
    }

    fn arn(&self, name: &str) -> String {
        format!("arn:aws:sagemaker:eu-west-1:{}:feature-group/{name}", self.number.lock().unwrap().unwrap_or("111111111111"))
    }

    fn answer(&self, asked: &Asked) -> Value {
        let groups = self.groups.lock().unwrap().clone();
        let from: usize = asked.body["NextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let page = |all: Vec<Value>, key: &str| {
            let mut answer = json!({ (key): all.iter().skip(from).take(PAGE).collect::<Vec<_>>() });
            if from + PAGE < all.len() {
                answer["NextToken"] = (from + PAGE).to_string().into();
            }
            answer
        };
        let named = || groups.iter().find(|group| asked.body["FeatureGroupName"] == group.name.as_str()).unwrap();
        match (asked.operation.as_str(), asked.body["Resource"].as_str()) {
            ("ListFeatureGroups", _) => {
                let summary = |group: &Group| json!({"FeatureGroupName": group.name, "FeatureGroupArn": self.arn(&group.name), "CreationTime": group.made});
                page(groups.iter().map(summary).collect(), "FeatureGroupSummaries")
            }
            ("Search", Some("FeatureGroup")) => {
                let whole = |group: &Group| {
                    let mut document = self.describe(group);
                    document["Tags"] = json!([{"Key": "team", "Value": "growth"}]);
                    json!({"FeatureGroup": document})
                };
                page(groups.iter().map(whole).collect(), "Results")
            }
            ("Search", Some("FeatureMetadata")) => {
                let filter = &asked.body["SearchExpression"]["Filters"][0];
                let wanted = |group: &&Group| match filter["Name"].as_str() {
                    Some("FeatureGroupName") => filter["Value"] == group.name.as_str(),
                    // Only one far in the future is later than what a run asks for.
                    Some("LastModifiedTime") => group.score.1 > 4_000_000_000,
                    _ => true,
                };
                let told = groups.iter().filter(wanted).map(|group| json!({"FeatureMetadata": metadata(group)}));
                page(told.collect(), "Results")
            }
            ("DescribeFeatureGroup", _) => self.describe(named()),
            ("DescribeFeatureMetadata", _) => metadata(named()),
            ("ListTags", _) => json!({"Tags": [{"Key": "team", "Value": "growth"}]}),
            other => panic!("{other:?}"),
        }
    }

    fn describe(&self, group: &Group) -> Value {
        json!({
            "FeatureGroupName": group.name, "FeatureGroupArn": self.arn(&group.name), "CreationTime": group.made, "LastModifiedTime": group.made,
            "RecordIdentifierFeatureName": "id", "EventTimeFeatureName": "at", "Description": group.description, "FeatureGroupStatus": "Created",
            "FeatureDefinitions": if group.garbled { json!("none") } else {
                json!([{"FeatureName": "id", "FeatureType": "String"}, {"FeatureName": "at", "FeatureType": "Fractional"},
                       {"FeatureName": "score", "FeatureType": "Fractional"}])
            },
            "OnlineStoreConfig": {"EnableOnlineStore": true},
        })
    }
}

fn metadata(group: &Group) -> Value {
    json!({"FeatureGroupName": group.name, "FeatureName": "score", "FeatureType": "Fractional", "Description": group.score.0,
           "Parameters": [{"Key": "unit", "Value": "ratio"}]})
}

/// A store that syncs from an account.
fn reader(server: &Scripted, options: &[&str]) -> Larder {
    let reader = Larder::new();
    let mut words = vec!["source", "add", "prod", "aws", "eu-west-1", "--endpoint-url", &server.url, "--option", "rate=1000"];
    options.iter().for_each(|option| words.extend(["--option", option]));
    reader.run_words(&words).ok();
    reader
}

/// Runs a command with keys in the environment and none elsewhere.
fn run(reader: &Larder, words: &str) -> Outcome {
    run_with(reader, words, &[("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", SECRET)])
}

fn run_with(reader: &Larder, words: &str, variables: &[(&str, &str)]) -> Outcome {
    let mut command = reader.command(&words.split_whitespace().collect::<Vec<_>>());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    let done = command.env("AWS_EC2_METADATA_DISABLED", "true").envs(variables.iter().copied()).output().unwrap();
    let (out, err) = (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap());
    assert!(!out.contains(SECRET) && !err.contains(SECRET), "a secret was told: {out}{err}");
    Outcome { words: words.to_owned(), code: done.status.code(), out, err }
}

fn names(reader: &Larder) -> Vec<String> {
    let list = reader.run("list --json").ok().json();
    list.as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_account_is_read_whole_once_and_then_only_what_changed() {
    let account = Account::with(&["a", "b", "c"]);
    let server = account.serve();
    let reader = reader(&server, &[]);
    run(&reader, "sync --check").ended(4);
    let first = run(&reader, "sync --json").ok().json();
    assert_eq!((&first["sources"][0]["created"], &first["sources"][0]["retries"]), (&json!(3), &json!(0)));
    let page = reader.run("describe b --json").ok().json();
    assert_eq!((&page["description"], &page["tags"]), (&json!("about b"), &json!({"team": "growth"})));
    let score = page["features"].as_array().unwrap().iter().find(|feature| feature["name"] == "score").unwrap();
    assert_eq!((&score["description"], &score["parameters"]), (&json!("score of b"), &json!({"unit": "ratio"})));
    let second = run(&reader, "sync --json").ok().json();
    assert_eq!((&second["sources"][0]["fetched"], &second["changes"]), (&json!(0), &json!([])));
    run(&reader, "sync --check").ended(0);
    account.change("b", |group| group.description = "anew".into());
    let third = run(&reader, "sync --json").ok().json();
    assert_eq!((&third["sources"][0]["fetched"], &third["sources"][0]["updated"]), (&json!(1), &json!(1)));
    assert!(server.asked().iter().all(|asked| asked.authorization.as_ref().is_some_and(|header| header.contains("eu-west-1/sagemaker"))));
}

#[test]
fn a_feature_described_anew_is_found_though_its_group_looks_the_same() {
    let account = Account::with(&["a", "b"]);
    let server = account.serve();
    let reader = reader(&server, &[]);
    run(&reader, "sync").ok();
    account.change("a", |group| group.score = ("better".into(), 5_000_000_000));
    let report = run(&reader, "sync --json").ok().json();
    assert_eq!(report["sources"][0]["fetched"], 1);
    assert_eq!(report["changes"][0]["fields"], json!([{"path": "features.score.description", "old": "score of a", "new": "better"}]));
}

#[test]
fn a_group_deleted_and_made_again_is_a_new_one_and_one_that_is_gone_goes() {
    let account = Account::with(&["a", "b", "c"]);
    let server = account.serve();
    let reader = reader(&server, &[]);
    run(&reader, "sync").ok();
    account.drop("a");
    account.make("a", 1_800_000_000);
    account.drop("c");
    let report = run(&reader, "sync --json").ok().json();
    let changes: Vec<(&str, &str)> =
        report["changes"].as_array().unwrap().iter().map(|one| (one["op"].as_str().unwrap(), one["id"].as_str().unwrap())).collect();
    assert_eq!(changes, [("replace", "a"), ("delete", "c")]);
    assert_eq!(names(&reader), ["a", "b"]);
}

#[test]
fn throttling_and_half_an_answer_are_outlasted() {
    let account = Account::with(&["a", "b", "c"]);
    let server = account.serve_with({
        let account = account.clone();
        move |number, asked| match number {
            0 => Some(Answer::Fault(400, "ThrottlingException")),
            1 => Some(Answer::Fault(503, "ServiceUnavailable")),
            3 => Some(Answer::Half(account.answer(asked))),
            _ => None,
        }
    });
    let reader = reader(&server, &[]);
    let report = run(&reader, "sync --json").ok().json();
    assert_eq!((&report["sources"][0]["created"], &report["sources"][0]["retries"]), (&json!(3), &json!(3)));
}

#[test]
fn a_listing_that_is_cut_short_deletes_nothing() {
    let account = Account::with(&["a", "b", "c"]);
    run(&reader(&account.serve(), &[]), "sync").ok();
    let broken: Arc<Mutex<bool>> = Arc::default();
    let server = account.serve_with({
        let broken = broken.clone();
        move |_, asked| {
            let is_second = asked.operation == "Search" && !asked.body["NextToken"].is_null();
            (*broken.lock().unwrap() && is_second).then_some(Answer::Fault(500, "InternalFailure"))
        }
    });
    let reader = reader(&server, &["attempts=2"]);
    run(&reader, "sync").ok();
    *broken.lock().unwrap() = true;
    let report = run(&reader, "sync --json").ended(1).json();
    assert_eq!((&report["sources"][0]["status"], &report["sources"][0]["errors"][0]["retryable"]), (&json!("failed"), &json!(true)));
    assert_eq!(names(&reader), ["a", "b", "c"]);
}

#[test]
fn a_search_that_holds_back_and_an_empty_one_delete_nothing() {
    let account = Account::with(&["a", "b"]);
    let hits: Arc<Mutex<Option<Value>>> = Arc::default();
    let server = account.serve_with({
        let hits = hits.clone();
        move |_, asked| match (asked.operation.as_str(), hits.lock().unwrap().clone()) {
            // Without the list the search is all there is.
            ("ListFeatureGroups", _) => Some(Answer::Fault(400, "AccessDeniedException")),
            ("Search", Some(answer)) => Some(Answer::Json(answer)),
            _ => None,
        }
    });
    let reader = reader(&server, &[]);
    run(&reader, "sync").ok();
    *hits.lock().unwrap() = Some(json!({"Results": [], "TotalHits": {"Value": 2, "Relation": "EqualTo"}}));
    assert_eq!(run(&reader, "sync --json").ended(3).json()["sources"][0]["withheld"], 2);
    *hits.lock().unwrap() = Some(json!({"Results": []}));
    assert_eq!(run(&reader, "sync --json").ended(5).json()["sources"][0]["withheld"], 2);
    assert_eq!(names(&reader), ["a", "b"]);
}

#[test]
fn what_the_index_has_not_yet_is_described() {
    let account = Account::with(&["a", "b"]);
    let server = account.serve_with({
        let account = account.clone();
        move |_, asked| {
            let lagging = Account::with(&["a", "ghost"]);
            (asked.body["Resource"] == "FeatureGroup").then(|| Answer::Json(lagging.answer(asked))).or_else(|| {
                // Whatever else is asked is the truth.
                Some(Answer::Json(account.answer(asked)))
            })
        }
    });
    let reader = reader(&server, &[]);
    run(&reader, "sync").ok();
    assert_eq!(names(&reader), ["a", "b"]);
    assert_eq!(server.count("DescribeFeatureGroup"), 1);
}

#[test]
fn keys_that_may_not_search_get_along_with_lists_and_descriptions() {
    let account = Account::with(&["a", "b", "c"]);
    let server = account.serve_with(|_, asked| (asked.operation == "Search").then_some(Answer::Fault(400, "AccessDeniedException")));
    let reader = reader(&server, &[]);
    assert_eq!(run(&reader, "sync --json").ok().json()["sources"][0]["created"], 3);
    let page = reader.run("describe c --json").ok().json();
    assert_eq!(page["tags"], json!({"team": "growth"}));
    assert!(page["features"].to_string().contains("score of c"));
    assert_eq!(run(&reader, "sync --json").ok().json()["changes"], json!([]));
}

#[test]
fn one_group_that_can_not_be_read_hides_no_other_and_stays() {
    let account = Account::with(&["a", "b"]);
    let server = account.serve();
    let reader = reader(&server, &[]);
    run(&reader, "sync").ok();
    account.change("a", |group| group.garbled = true);
    account.change("b", |group| group.description = "anew".into());
    let report = run(&reader, "sync --json").ended(3).json();
    assert_eq!((&report["sources"][0]["faulty"], &report["sources"][0]["updated"]), (&json!(1), &json!(1)));
    assert_eq!(report["sources"][0]["errors"][0]["code"], "corrupt");
    assert_eq!(names(&reader), ["a", "b"]);
}

#[test]
fn keys_that_ran_out_are_one_error_with_the_remedy() {
    let account = Account::with(&["a", "b", "c"]);
    let expired: Arc<Mutex<bool>> = Arc::default();
    let server = account.serve_with({
        let expired = expired.clone();
        move |_, _| expired.lock().unwrap().then_some(Answer::Fault(400, "ExpiredTokenException"))
    });
    let reader = reader(&server, &[]);
    run(&reader, "sync").ok();
    *expired.lock().unwrap() = true;
    let before = server.asked().len();
    let failed = run(&reader, "sync").ended(1).says(&["ExpiredTokenException", "aws sso login"]);
    assert_eq!(failed.err.lines().count(), 1, "{}", failed.err);
    assert_eq!(server.asked().len(), before + 1, "it does not help to ask again");
    assert_eq!(names(&reader), ["a", "b", "c"]);
    let nobody = run_with(&reader, "sync", &[]).ended(1).says(&["no usable AWS credentials", "AWS_ACCESS_KEY_ID"]);
    assert_eq!(nobody.err.lines().count(), 1, "{}", nobody.err);
}

#[test]
fn a_profile_and_a_credential_process_give_keys() {
    let account = Account::with(&["a"]);
    let server = account.serve();
    let reader = Larder::new();
    std::fs::create_dir(reader.path(".aws")).unwrap();
    let script = reader.file("keys.sh", &format!(r#"echo '{{"Version":1,"AccessKeyId":"AKIDPROCESS","SecretAccessKey":"{SECRET}"}}'"#));
    let config =
        format!("[profile prod]\nregion = eu-central-1\nendpoint_url = {}\ncredential_process = sh {}\n", server.url, script.display());
    reader.file(".aws/config", &config);
    reader.run("source add prod aws default --profile prod").ok();
    run_with(&reader, "sync", &[]).ok();
    let header = server.asked()[0].authorization.clone().unwrap();
    assert!(header.contains("AKIDPROCESS/") && header.contains("/eu-central-1/"), "{header}");
    reader.run("source add none aws eu-west-1 --profile nobody").ok();
    // Keys of the environment may belong to somebody else.
    run(&reader, "sync none").ended(1).says(&["profile 'nobody'", "~/.aws/config"]);
}

#[test]
fn a_server_that_says_nothing_fails_in_time() {
    let account = Account::with(&["a"]);
    let server = account.serve_with(|_, _| Some(Answer::Silence(Duration::from_secs(20))));
    let reader = reader(&server, &["timeout=1s", "attempts=2"]);
    let begun = std::time::Instant::now();
    run(&reader, "sync").ended(1).says(&["did not answer", "in time"]);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn keys_of_another_account_change_nothing() {
    let account = Account::with(&["a", "b"]);
    let server = account.serve();
    let reader = reader(&server, &[]);
    run(&reader, "sync").ok();
    *account.number.lock().unwrap() = Some("222222222222");
    account.drop("b");
    run(&reader, "sync").ended(1).says(&["222222222222", "111111111111"]);
    assert_eq!(names(&reader), ["a", "b"]);
    reader.run_words(&["source", "add", "named", "aws", "111111111111/eu-west-1", "--endpoint-url", &server.url]).ok();
    run(&reader, "sync named").ended(1).says(&["111111111111"]);
}

#[test]
fn an_answer_that_is_no_json_and_pages_without_end_are_told() {
    let account = Account::with(&["a"]);
    let server = account.serve_with(|_, _| Some(Answer::Text(200, "<html>a proxy</html>".into())));
    run(&reader(&server, &[]), "sync").ended(1).says(&["can't be read"]);
    let server = account.serve_with(|_, _| Some(Answer::Json(json!({"Results": [], "NextToken": "again"}))));
    run(&reader(&server, &[]), "sync").ended(1).says(&["never end"]);
}

#[test]
fn status_and_show_tell_what_runs_brought() {
    let account = Account::with(&["a", "b"]);
    let server = account.serve();
    let reader = reader(&server, &[]);
    assert_eq!(reader.run("sync status --json").ok().json()[0]["report"], Value::Null);
    let run_id = run(&reader, "sync --json").ok().json()["run_id"].as_str().unwrap().to_owned();
    let status = reader.run("sync status --json").ok().json();
    assert_eq!((&status[0]["run_id"], &status[0]["report"]["listed"]), (&json!(run_id), &json!(2)));
    account.change("a", |group| group.garbled = true);
    run(&reader, "sync").ended(3);
    reader.run("sync status").ok().shows(&["degraded", "can't be read"]);
    let first = reader.run(&format!("sync show {run_id} --json")).ok().json();
    assert_eq!((&first["status"], first["changes"].as_array().unwrap().len()), (&json!("done"), 2));
    reader.run("sync show latest").ok().shows(&["prod: degraded", "? a: "]);
    reader.run("sync show 0").ended(2);
    reader.run("sync show nothing").ended(1).says(&["latest"]);
}

#[test]
fn what_makes_no_sense_is_refused_when_the_source_is_added() {
    let reader = Larder::new();
    for words in [
        "source add x aws Nowhere",
        "source add x aws eu-west-1 --option rate=0",
        "source add x aws eu-west-1 --option ragion=eu-west-1",
        "source add x aws eu-west-1 --endpoint-url http://key:secret@host",
        "source add x larder http://key:secret@host",
        "source add x larder gs://bucket/x",
    ] {
        reader.run(words).ended(2);
    }
    reader.run("source add x aws eu-west-1 --option profil=x").ended(2).says(&["did you mean 'profile'?"]);
    reader.run("source add x aws default").ok();
    run(&reader, "sync").ended(1).says(&["region"]);
}

/// Starts a sync whose keys are in the environment, and waits until the server holds a request of it back.
fn start_and_wait(reader: &Larder, words: &[&str], held: &AtomicBool) -> std::process::Child {
    let mut command = reader.command(words);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    let keys = [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_EC2_METADATA_DISABLED", "true")];
    let mut child = command.envs(keys).spawn().unwrap();
    while !held.load(Ordering::SeqCst) {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before it asked so much");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

#[test]
fn killed_amid_any_request_the_next_run_brings_all_once() {
    // Requests of a whole first run, then one that is killed while it waits for each of them.
    let account = Account::with(&["a", "b", "c", "d", "e"]);
    let whole = account.serve();
    run(&reader(&whole, &[]), "sync").ok();
    let requests = whole.asked().len();
    assert!(requests >= 3);
    for number in 0..requests {
        let (held, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let server = account.serve_with({
            let (held, over) = (held.clone(), over.clone());
            move |asked, _| {
                let stops = asked >= number && !over.load(Ordering::SeqCst);
                stops.then(|| {
                    held.store(true, Ordering::SeqCst);
                    Answer::Silence(Duration::from_secs(5))
                })
            }
        });
        let reader = reader(&server, &[]);
        let mut child = start_and_wait(&reader, &["sync", "-q"], &held);
        child.kill().unwrap();
        child.wait().unwrap();
        over.store(true, Ordering::SeqCst);
        assert_eq!(names(&reader), Vec::<String>::new(), "killed at request {number}: half of a source is there");
        let report = run(&reader, "sync --json").ok().json();
        assert_eq!(report["sources"][0]["created"], 5, "killed at request {number}");
        assert_eq!(run(&reader, "sync --json").ok().json()["changes"], json!([]), "killed at request {number}");
        assert_eq!(run(&reader, "sync history --since 1h --json").ok().json().as_array().unwrap().len(), 5, "each is told once");
    }
}

#[test]
fn a_signal_ends_a_run_after_the_source_it_is_at() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let (held, account) = (Arc::new(AtomicBool::new(false)), Account::with(&["a"]));
        let server = account.serve_with({
            let held = held.clone();
            move |_, _| {
                let first = !held.swap(true, Ordering::SeqCst);
                first.then_some(Answer::Silence(Duration::from_secs(2)))
            }
        });
        let reader = reader(&server, &["timeout=1s", "attempts=2"]);
        let other = account.serve();
        reader.run_words(&["source", "add", "second", "aws", "eu-west-1", "--endpoint-url", &other.url, "--option", "rate=1000"]).ok();
        let mut child = start_and_wait(&reader, &["sync", "-q"], &held);
        assert!(std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert_eq!(names(&reader), ["a"], "what was begun is finished");
        let status = run(&reader, "sync status --json").ok().json();
        assert_eq!((&status[0]["report"]["status"], &status[1]["report"]), (&json!("complete"), &json!(null)), "{status}");
        run(&reader, "sync").ok();
    }
}
