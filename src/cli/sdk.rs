//! What AWS clients need to find the server: variables, and two small files for the SageMaker SDK.
//!
//! boto3 needs the variables alone. The SDK reports every call to Amazon unless a settings file forbids it, and asks Amazon's own STS who
//! is calling, whatever the variables say; the files end both. They lie in `<store>/sdk` and are written anew each time, so they
//! belong to this program and nobody edits them.

use std::fs;
use std::path::Path;

use super::place::shell_word;
use crate::model::{Error, Result};
use crate::server::ServeSettings;

/// Read by Python at its start when its folder is on `PYTHONPATH`.
const SITECUSTOMIZE: &str = include_str!("../../assets/sdk/sitecustomize.py");

/// Who the clients are, for the names they make.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account<'a> {
    /// Region.
    pub(super) region: &'a str,
    /// Twelve digits.
    pub(super) account: &'a str,
}

/// Writes the files of the SDK into a folder.
///
/// # Errors
/// `Io` if they can't be written.
pub(super) fn write_files(folder: &Path, of: Account<'_>) -> Result<()> {
    let settings = format!(
        "# Written by `larder serve --print-env`; SAGEMAKER_USER_CONFIG_OVERRIDE names it.\nSchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n      Session:\n        DefaultS3Bucket: sagemaker-{}-{}\n",
        of.region, of.account
    );
    let written = fs::create_dir_all(folder)
        .and_then(|()| fs::write(folder.join("config.yaml"), settings))
        .and_then(|()| fs::write(folder.join("sitecustomize.py"), SITECUSTOMIZE));
    written.map_err(|error| Error::io(format!("'{}' can't be written", folder.display()), error))
}

/// Shell lines that point AWS clients at the server; `sdk` is the folder of the files.
pub(super) fn environment(settings: &ServeSettings, of: Account<'_>, sdk: &Path) -> String {
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let mut address = settings.bind;
    // What listens everywhere is reached here.
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { std::net::Ipv4Addr::LOCALHOST.into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    let key = settings.keys.first();
    let (id, secret) = key.map_or(("larder", "larder-does-not-check"), |key| (key.id.as_str(), key.secret.as_str()));
    let lines: String = [
        ("AWS_ENDPOINT_URL", format!("{scheme}://{address}")),
        ("AWS_REGION", of.region.to_owned()),
        ("AWS_DEFAULT_REGION", of.region.to_owned()),
        ("AWS_ACCESS_KEY_ID", id.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
        // A proxy must not see what stays on this machine; credentials come from here, not from a cloud's own service.
        ("NO_PROXY", "127.0.0.1,localhost".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("SAGEMAKER_USER_CONFIG_OVERRIDE", sdk.join("config.yaml").to_string_lossy().into_owned()),
    ]
    .iter()
    .map(|(name, value)| format!("export {name}={}\n", shell_word(value)))
    .collect();
    let folder = shell_word(&sdk.to_string_lossy());
    format!("{lines}export PYTHONPATH={folder}${{PYTHONPATH:+:$PYTHONPATH}}\n")
}
