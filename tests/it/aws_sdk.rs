//! The SageMaker SDK, versions 2 and 3, against the real binary: a first hour, and every call of its feature store.
//!
//! The suites of `tests/aws` run in environments under `target/` with the SDK from the package index; `LARDER_SKIP_PYTHON=1` leaves them
//! out, and says so. AWS's own integration tests are run by `tests/aws/integration.py`, which is not part of `cargo test`: it fetches them.

#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Stdio};

use crate::formats::environment;
use crate::server::Serving;

/// The SDK makes a client while it is imported, and a client wants a region.
const IMPORT_V3: &str = "import os; os.environ.setdefault('AWS_DEFAULT_REGION', 'us-east-1'); import sagemaker.mlops.feature_store";

fn run(suite: &str, name: &str, packages: &[&str], check: &str) {
    if std::env::var("LARDER_SKIP_PYTHON").is_ok_and(|value| value == "1") {
        eprintln!("LEFT OUT: LARDER_SKIP_PYTHON=1, so the SageMaker SDK has not spoken to the server");
        return;
    }
    let python = environment(name, packages, check);
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws").join(suite);
    let store = tempfile::tempdir().unwrap();
    let serving = Serving::start(store.path(), None);
    // As README says to do it.
    let done = Command::new("sh")
        .args(["-c", r#"eval "$("$0" --store "$1" serve --print-env)" && exec "$2" "$3""#, env!("CARGO_BIN_EXE_larder")])
        .args([store.path(), &python, &suite])
        .env("LARDER_SERVE_BIND", &serving.address)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}\n{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_first_hour_with_the_sdk_2_and_pandas_2() {
    let packages = ["sagemaker>=2.257,<3", "boto3>=1.44,<2", "pandas>=2.3,<3"];
    run("sdk_v2.py", "python-sagemaker-v2", &packages, "import sagemaker.feature_store.feature_group");
}

#[test]
fn a_first_hour_with_the_sdk_3_and_pandas_3() {
    let packages = ["sagemaker>=3.27", "sagemaker-mlops>=1.27", "boto3>=1.44,<2", "pandas>=3"];
    run("sdk_v3.py", "python-sagemaker-v3", &packages, IMPORT_V3);
}
