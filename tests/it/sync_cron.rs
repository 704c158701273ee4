//! The recipes of README for cron, timers and CI, run as they stand there, tick after tick.

use std::process::{Command, Output};

use serde_json::json;

use crate::cli::{Larder, READINGS};

/// What the chapter on cron says.
fn chapter() -> &'static str {
    let readme = include_str!("../../README.md");
    readme.split("\n### ").find(|chapter| chapter.starts_with("From cron, a timer, CI")).expect("the chapter is there")
}

/// The line of the crontab: five fields of time, and what the shell gets.
fn crontab() -> (Vec<&'static str>, String) {
    let line = chapter().lines().find(|line| line.starts_with("*/")).expect("a line of a crontab");
    let fields: Vec<&str> = line.split_whitespace().collect();
    (fields[..5].to_vec(), fields[5..].join(" "))
}

fn setting(name: &str) -> &'static str {
    chapter().lines().find_map(|line| line.strip_prefix(name)).expect(name)
}

/// One tick, as cron and CI run a line: by a shell that finds `larder` on its path, without a terminal.
fn tick(reader: &Larder, line: &str) -> Output {
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_larder")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    Command::new("/bin/sh")
        .args(["-c", line])
        .env("PATH", path)
        .env("LARDER_STORE", reader.store())
        .env("HOME", reader.path(""))
        .current_dir(reader.path(""))
        .output()
        .unwrap()
}

#[track_caller]
fn silent(output: &Output, code: i32) {
    assert_eq!(
        (output.status.code(), String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
        (Some(code), "".into(), "".into())
    );
}

fn team() -> (Larder, Larder) {
    let team = Larder::new();
    team.file("readings.csv", READINGS);
    team.run("create one --from readings.csv --id sensor --event-time at").ok();
    let reader = Larder::new();
    reader.run_words(&["source", "add", "team", "larder", team.store().to_str().unwrap()]).ok();
    (team, reader)
}

fn lock(reader: &Larder) -> std::fs::File {
    let path = reader.store().join("catalog.db.sync.lock");
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path).unwrap();
    file.lock().unwrap();
    file
}

#[test]
fn the_crontab_of_readme_is_silent_while_all_is_well_and_tells_when_not() {
    let (times, line) = crontab();
    assert!(times.iter().all(|field| field.chars().all(|c| c.is_ascii_digit() || "*/,-".contains(c))), "{times:?}");
    let (team, reader) = team();
    silent(&tick(&reader, &line), 0);
    assert_eq!(reader.run("list --json").ok().json()[0]["name"], "one");
    let runs = |reader: &Larder| reader.run("sync history --since 1h --json").ok().json().as_array().unwrap().len();
    let before = runs(&reader);
    silent(&tick(&reader, &line), 0);
    assert_eq!(runs(&reader), before, "a second tick changes nothing");
    team.run("tag one team=growth").ok();
    silent(&tick(&reader, &line), 0);
    assert_eq!(reader.run("describe one --json").ok().json()["tags"], json!({"team": "growth"}));

    // Another run is at it: told, and no failure.
    let held = lock(&reader);
    let busy = tick(&reader, &line);
    assert_eq!(busy.status.code(), Some(0), "{busy:?}");
    drop(held);

    // What is not well ends otherwise and is told, so that cron writes a mail.
    std::fs::rename(team.store(), team.path("away")).unwrap();
    let away = tick(&reader, &line);
    assert!(away.status.code() != Some(0) && String::from_utf8_lossy(&away.stderr).starts_with("larder: team: "), "{away:?}");
    std::fs::rename(team.path("away"), team.store()).unwrap();
    silent(&tick(&reader, &line), 0);
}

#[test]
fn the_timer_of_readme_takes_a_busy_run_for_a_good_one() {
    let start = setting("ExecStart=");
    let (_team, reader) = team();
    silent(&tick(&reader, start), 0);
    silent(&tick(&reader, start), 0);
    let held = lock(&reader);
    let code = tick(&reader, start).status.code().unwrap();
    assert_eq!(code.to_string(), setting("SuccessExitStatus="));
    drop(held);
    assert_eq!((setting("Type="), setting("Persistent=")), ("oneshot", "true"));
}

#[test]
fn the_line_for_ci_fails_until_the_sync_was_made() {
    let line = chapter().lines().find(|line| line.starts_with("larder ") && line.contains("--check")).expect("a line for CI");
    let (_team, reader) = team();
    assert_eq!(tick(&reader, line).status.code(), Some(4));
    reader.run("sync -q").ok();
    assert_eq!(tick(&reader, line).status.code(), Some(0));
}
