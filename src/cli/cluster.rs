//! `larder cluster`: the two programs of a cluster, and the flags that send work to one.
//!
//! Each program tells on one line of standard output when it is ready, and where it can be reached. Nobody is asked for a key there, so
//! neither listens for other machines unless that is spelled out.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::console::{Console, output_failure};
use super::exit::{Exit, Failure, Verdict};
use super::interrupt::until_signal;
use super::on_all_cores;
use super::place::Place;
use crate::model::{Error, Result};
use crate::store::cluster::{ClusterOptions, ClusterWorker, check_built, run_scheduler};
use crate::store::settings::{parse_address, parse_bytes};

/// Run a cluster for large questions: a scheduler and workers
#[derive(Args, Debug)]
#[command(
    subcommand_help_heading = "Verbs",
    subcommand_value_name = "VERB",
    after_help = "\
A scheduler cuts a question into tasks, workers run them; `query` and `dataset build` ask with --cluster ADDR and get the answer that \
one machine gives. All workers must reach the files of whoever asks: the same bucket, or the same folder. Machines of a cluster \
trust each other and run one version of larder: keep it on loopback or in a private network.

Examples:
  larder cluster scheduler
  larder cluster worker --scheduler 127.0.0.1:50050
  larder query --cluster 127.0.0.1:50050 'select count(*) from trips'"
)]
pub(crate) struct Cluster {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    Scheduler(Scheduler),
    Worker(Worker),
}

impl Cluster {
    /// Runs the program until a signal ends it.
    pub(crate) fn act(self, place: &Place, console: &mut Console) -> Verdict {
        match self.verb {
            Verb::Scheduler(scheduler) => on_all_cores(until_signal(scheduler.run(console))),
            Verb::Worker(worker) => on_all_cores(worker.run(place, console)),
        }
    }
}

/// Give work to workers
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder cluster scheduler
  larder cluster scheduler --bind 10.0.0.5:50050 --insecure-no-auth")]
struct Scheduler {
    /// Listen here; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50050")]
    bind: String,
    /// Let other machines in: nobody is asked for a key
    #[arg(long)]
    insecure_no_auth: bool,
}

/// Do work for a scheduler, on the files of the store
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder cluster worker --scheduler 127.0.0.1:50050
  larder --object-store s3://features/team cluster worker --scheduler 10.0.0.5:50050 --bind 10.0.0.7:50060 --insecure-no-auth")]
struct Worker {
    /// Ask this scheduler for work
    #[arg(long, value_name = "ADDR")]
    scheduler: String,
    /// Let rows be fetched here, and tasks come to the next port; port 0 takes two free ones
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    bind: String,
    /// What other machines call this one [default: the address it listens on]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Run so many tasks at once [default: one a core]
    #[arg(long, value_name = "N")]
    cores: Option<usize>,
    /// Hold at most this much in memory, such as 8GiB [default: half of the machine's]
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// Keep rows that others will fetch in this folder [default: that for temporary files]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Let other machines in: nobody is asked for a key
    #[arg(long)]
    insecure_no_auth: bool,
}

/// The flags that send work to a cluster.
#[derive(Args, Debug)]
pub(crate) struct OnCluster {
    /// Let the cluster whose scheduler listens here do the work
    #[arg(long, value_name = "ADDR")]
    cluster: Option<String>,
    /// Divide the work into so many parts: as many as all workers have cores is right [default: 8]
    #[arg(long, value_name = "N", requires = "cluster")]
    parts: Option<usize>,
}

/// Parts that work is divided into if nothing else is said.
const PARTS: usize = 8;
/// Most of them: each is a task on a worker.
const MAX_PARTS: usize = 4_096;

impl OnCluster {
    /// The cluster that was named.
    pub(crate) fn options(&self) -> Result<Option<ClusterOptions>> {
        let Some(scheduler) = &self.cluster else { return Ok(None) };
        check_built()?;
        let parts = self.parts.unwrap_or(PARTS);
        if !(1..=MAX_PARTS).contains(&parts) {
            return Err(Error::usage(format!("{parts} is no number of parts")).remedy(format!("give --parts 1 to {MAX_PARTS}")));
        }
        Ok(Some(ClusterOptions { scheduler: scheduler_address("--cluster", scheduler)?, parts }))
    }
}

/// The document of a program that is ready, with `--json`.
#[derive(Serialize)]
struct Ready {
    address: String,
}

fn tell(console: &mut Console, words: &str, address: SocketAddr) -> Result<()> {
    let said =
        if console.json() { console.document(&Ready { address: address.to_string() }) } else { console.line(format!("{words} {address}")) };
    let said = said.and_then(|()| console.out().flush().map_err(output_failure));
    said.map_err(|failure| match failure {
        Failure::Error(error) => error,
        _ => Error::interrupted("nobody reads what this program says"),
    })
}

/// An address of this machine to listen on.
fn bind_address(text: &str, is_open: bool) -> Result<SocketAddr> {
    let address = parse_address("--bind", text)?;
    if !address.ip().is_loopback() && !is_open {
        return Err(Error::usage(format!("{address} can be reached from other machines, and nobody is asked for a key"))
            .remedy("bind to 127.0.0.1, or, in a private network, add --insecure-no-auth"));
    }
    Ok(address)
}

/// The address of a scheduler, perhaps by its host's name.
fn scheduler_address(flag: &str, text: &str) -> Result<SocketAddr> {
    match parse_address(flag, text) {
        Ok(address) => Ok(address),
        Err(error) if text.contains(':') => text.to_socket_addrs().ok().and_then(|mut found| found.next()).ok_or_else(|| error.repeated()),
        Err(error) => Err(error),
    }
}

impl Scheduler {
    async fn run(self, console: &mut Console) -> Verdict {
        check_built()?;
        let bind = bind_address(&self.bind, self.insecure_no_auth)?;
        run_scheduler(bind, &mut |address| tell(console, "listening on", address)).await?;
        Ok(Exit::Done)
    }
}

impl Worker {
    async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        check_built()?;
        let options = ClusterWorker {
            scheduler: scheduler_address("--scheduler", &self.scheduler)?,
            bind: bind_address(&self.bind, self.insecure_no_auth)?,
            host: self.host,
            cores: self.cores,
            memory: self.memory.as_deref().map(|text| parse_bytes("--memory", text)).transpose()?,
            folder: self.folder,
        };
        let store = place.open_for_worker().await?;
        // It hears signals itself: running tasks are let to end.
        store.run_worker(options, &mut |address| tell(console, "working at", address)).await?;
        store.close().await?;
        Ok(Exit::Done)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn other_machines_are_let_in_only_when_that_is_spelled_out() {
        assert!(bind_address("127.0.0.1:0", false).is_ok());
        assert!(bind_address("[::1]:50050", false).is_ok());
        let error = bind_address("0.0.0.0:50050", false).unwrap_err();
        assert!(error.to_string().contains("--insecure-no-auth"), "{error}");
        assert!(bind_address("0.0.0.0:50050", true).is_ok());
    }

    #[test]
    fn a_scheduler_may_be_named() {
        assert_eq!(scheduler_address("--cluster", "localhost:50050").unwrap(), "127.0.0.1:50050".parse().unwrap());
        assert!(scheduler_address("--cluster", "50050").is_err());
    }
}
