//! A whole team on one machine: Redis cluster, bucket, servers side by side, and a newcomer, by the script that does it with real clients.

#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Stdio};

use crate::formats::environment;

const PACKAGES: [&str; 2] = ["moto[s3,server]>=5.2,<6", "boto3>=1.44,<2"];

#[test]
fn servers_side_by_side_give_the_answers_of_one_machine() {
    if std::env::var("LARDER_SKIP_PYTHON").is_ok_and(|value| value == "1") {
        eprintln!("LEFT OUT: LARDER_SKIP_PYTHON=1, so no servers ran side by side over moto's bucket");
        return;
    }
    let python = environment("python-team", &PACKAGES, "import boto3, moto.server");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/team/whole.py");
    let with_cluster = if cfg!(feature = "cluster") { &["--cluster"][..] } else { &[] };
    let done = Command::new(python).arg(script).arg(env!("CARGO_BIN_EXE_larder")).args(with_cluster).stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{}\n{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
}
