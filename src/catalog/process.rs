//! Which process holds something, told so that a later process can see whether it still lives.
//!
//! A process id alone is not enough: the system hands it out again. With its start time it names one process of one
//! machine since its last boot, so that is what is kept. On another machine (or in another container, which has process
//! ids of its own) nobody can tell; such a process counts as alive, because taking over the work of a living one
//! does harm and waiting does not.

use std::sync::OnceLock;

/// Longest principal that is kept, in characters.
const MAX_PRINCIPAL: usize = 128;

/// One process of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The id the system gave it.
    pub id: u32,
    /// When it started, in the system's own words; compared, never parsed.
    pub started: String,
    /// Machine, boot and process-id namespace in which `id` means something.
    pub machine: String,
}

impl Process {
    /// Returns the process that asks.
    pub fn current() -> &'static Process {
        static CURRENT: OnceLock<Process> = OnceLock::new();
        CURRENT.get_or_init(|| {
            let id = std::process::id();
            Process { id, started: start_of(id).unwrap_or_default(), machine: machine() }
        })
    }

    /// Returns false once the process is known to be gone.
    ///
    /// True when it lives, and when that cannot be known: it runs elsewhere, or this system does not tell start times.
    pub fn may_be_alive(&self) -> bool {
        let current = Self::current();
        if self.machine != current.machine {
            // A boot id or namespace of the same host that is no longer ours has died with all its processes only if
            // it was an earlier boot of this very machine.
            return !is_earlier_boot(&self.machine, &current.machine);
        }
        if current.started.is_empty() || self.started.is_empty() {
            return true;
        }
        start_of(self.id).is_some_and(|started| started == self.started)
    }
}

/// `LARDER_PRINCIPAL`, else the user of the system.
pub fn principal() -> String {
    let named =
        ["LARDER_PRINCIPAL", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|text| !text.trim().is_empty()));
    let name = named.unwrap_or_else(|| format!("uid:{}", rustix::process::getuid().as_raw()));
    name.trim().chars().filter(|letter| !letter.is_control()).take(MAX_PRINCIPAL).collect()
}

/// `host boot namespace`, each a dash where the system does not say.
fn machine() -> String {
    let line = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let host = line("/proc/sys/kernel/hostname").or_else(|| std::env::var("HOSTNAME").ok());
    let boot = line("/proc/sys/kernel/random/boot_id");
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok().map(|link| link.to_string_lossy().into_owned());
    let word = |part: Option<String>| part.map_or_else(|| "-".to_owned(), |text| text.replace(char::is_whitespace, "_"));
    format!("{} {} {}", word(host), word(boot), word(namespace))
}

/// True if both are one host in one namespace and only the boot differs.
fn is_earlier_boot(then: &str, now: &str) -> bool {
    let split = |text: &str| {
        let mut words = text.split(' ').map(str::to_owned);
        Some((words.next()?, words.next()?, words.next()?))
    };
    match (split(then), split(now)) {
        (Some(then), Some(now)) => then.0 == now.0 && then.2 == now.2 && then.1 != now.1 && then.1 != "-" && now.1 != "-",
        _ => false,
    }
}

/// When the process of that id started; none if there is none, or if the system does not tell.
#[cfg(target_os = "linux")]
fn start_of(id: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold spaces and parentheses itself.
    let after_name = &stat[stat.rfind(')')? + 1..];
    // A zombie has ended, only its parent has not looked yet.
    let mut fields = after_name.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    // Field 22 of proc(5); the state just taken was field 3.
    fields.nth(18).map(str::to_owned)
}

/// When the process of that id started; none if there is none, or if the system does not tell.
#[cfg(not(target_os = "linux"))]
fn start_of(id: u32) -> Option<String> {
    let output = std::process::Command::new("ps").args(["-o", "lstart=", "-p", &id.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_living_process_is_told_from_a_dead_one_and_from_its_successor() {
        let current = Process::current();
        assert!(current.may_be_alive());

        let successor = Process { started: format!("{}0", current.started), ..current.clone() };
        assert!(!successor.may_be_alive(), "same id, other start time: that process is gone");

        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let id = child.id();
        let held = Process { id, started: start_of(id).unwrap(), machine: current.machine.clone() };
        assert!(held.may_be_alive());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!held.may_be_alive());
    }

    #[test]
    fn a_process_elsewhere_counts_as_alive_until_its_machine_was_booted_again() {
        assert!(Process { id: 1, started: "1".into(), machine: "elsewhere boot-1 pid:[1]".into() }.may_be_alive());
        assert!(is_earlier_boot("host boot-1 pid:[1]", "host boot-2 pid:[1]"));
        assert!(!is_earlier_boot("other boot-1 pid:[1]", "host boot-2 pid:[1]"));
        assert!(!is_earlier_boot("host boot-1 pid:[2]", "host boot-2 pid:[1]"), "another container");
        assert!(!is_earlier_boot("host - -", "host boot-2 -"));
    }
}
