//! `larder serve`: the store over Amazon SageMaker Feature Store's wire API.
//!
//! The one line on standard output tells scripts that the server answers, and where. A signal is how it is meant to end, so
//! a stop that finished what was under way is success (0); a second signal ends the process where it stands.

use clap::Args;
use serde::Serialize;

use super::console::{Console, output_failure};
use super::exit::{Exit, Failure, Verdict};
use super::interrupt::{Begun, Stopped, stopping_on_signal};
use super::place::Place;
use super::sdk::{Account, environment, write_files};
use crate::server::{ServeSettings, Server};
use crate::store::settings::parse_address;

/// Answer Amazon SageMaker Feature Store's API over HTTP
#[derive(Args, Debug)]
#[command(after_help = "\
Programs that speak to SageMaker Feature Store through boto3 or the SageMaker SDK work against it once \
AWS_ENDPOINT_URL names it; --print-env prints what they need. The store is made if there is none; browser and other \
verbs may use it at the same time.

Other machines need a key: serve.keys in larder.toml or LARDER_SERVE_KEYS (ID:SECRET, ID:SECRET:read-only, \
ID:SECRET:read-write:group-*,other). Besides the API there are /healthz, /readyz and /metrics. \
LARDER_LOG=larder=info logs every request.

Examples:
  larder serve
  larder serve --bind 127.0.0.1:0
  eval \"$(larder serve --print-env)\"
  LARDER_SERVE_KEYS=AKIDEXAMPLE:a-long-secret larder serve --bind 0.0.0.0:8400")]
pub(crate) struct Serve {
    /// Listen here; port 0 takes a free one [env: LARDER_SERVE_BIND] [default: 127.0.0.1:8400]
    #[arg(long, value_name = "ADDR")]
    bind: Option<String>,
    /// Let other machines in without a key
    #[arg(long)]
    insecure_no_auth: bool,
    /// Print the variables that point AWS clients at the server, write the files that the SageMaker SDK needs into the store, and end
    #[arg(long)]
    print_env: bool,
}

/// The document of `serve --json`: one line once the server answers.
#[derive(Serialize)]
struct Listening {
    address: String,
    tls: bool,
}

impl Serve {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open_or_make().await?;
        let mut settings = ServeSettings::of(store.settings());
        if let Some(bind) = &self.bind {
            settings.bind = parse_address("--bind", bind)?;
        }
        settings.without_keys = self.insecure_no_auth;
        if self.print_env {
            let of = Account { region: &store.settings().region, account: &store.settings().account };
            let folder = std::path::absolute(store.folder()).unwrap_or_else(|_| store.folder().to_owned()).join("sdk");
            write_files(&folder, of)?;
            let text = environment(&settings, of, &folder);
            store.close().await?;
            console.line(text.trim_end())?;
            return Ok(Exit::Done);
        }
        let server = Server::bind(store.clone(), settings).await?;
        let scheme = if server.is_secure() { "https" } else { "http" };
        let address = format!("{scheme}://{}", server.address()?);
        if console.json() {
            console.document(&Listening { address, tls: server.is_secure() })?;
        } else {
            console.line(format!("listening on {address}"))?;
        }
        console.out().flush().map_err(output_failure)?;
        let handle = server.stop_handle();
        let stopped = stopping_on_signal(server.run(), || {
            handle.stop();
            Begun::Yes
        })
        .await;
        let ended = match stopped {
            Stopped::No(ended) | Stopped::Amid(ended, _) => ended,
            Stopped::Before(number) => return Err(Failure::Signal(number)),
        };
        store.close().await?;
        ended?;
        Ok(Exit::Done)
    }
}
