//! Servers as processes of their own, each on a core of its own where the machine has two, and what they cost.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::demo::portal::Failed;

/// Linux reports processor time in ticks of this length, whatever its own timer does.
const TICK: Duration = Duration::from_millis(10);

/// Who runs where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cores {
    /// Servers that are measured.
    pub(super) server: usize,
    /// The generator, and Redis.
    pub(super) generator: usize,
}

impl Cores {
    /// Two cores of those that this process may use, where there are two and `taskset` can be run.
    pub(super) fn choose() -> Option<Self> {
        let found = Command::new("taskset").arg("-V").stdout(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            return None;
        }
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let mut cores = allowed(field(&status, "Cpus_allowed_list:")?).into_iter();
        Some(Self { server: cores.next()?, generator: cores.next()? })
    }

    /// Binds this process, and the threads that it will start, to the generator's core.
    pub(super) fn bind_generator(self) -> Result<(), Failed> {
        let outcome = Command::new("taskset")
            .args(["-cp", &self.generator.to_string(), &std::process::id().to_string()])
            .stdout(Stdio::null())
            .status()?;
        if outcome.success() { Ok(()) } else { Err("taskset refused to bind the generator to a core".into()) }
    }
}

/// "0-2,5" as numbers.
fn allowed(ranges: &str) -> Vec<usize> {
    ranges
        .split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
        })
        .flatten()
        .collect()
}

/// Keeps the settings of this process's environment from a program that it starts.
pub(super) fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KEYWARD_") {
            command.env_remove(name);
        }
    }
}

/// A server of this program's own, killed when dropped.
pub(super) struct Process {
    child: Child,
    /// Kept open: the server may print more.
    _out: BufReader<ChildStdout>,
    pub(super) address: SocketAddr,
}

impl Process {
    /// Starts this program with arguments, and waits until it says where it serves gRPC. Settings of this process's
    /// environment do not reach it.
    pub(super) fn start(cores: Option<Cores>, arguments: &[String]) -> Result<Self, Failed> {
        let program = std::env::current_exe()?;
        let mut command = match cores {
            Some(cores) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &cores.server.to_string()]).arg(program);
                command
            }
            None => Command::new(program),
        };
        without_settings(&mut command);
        let mut child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let out = child.stdout.take().ok_or("a server without output")?;
        let mut out = BufReader::new(out);
        let address = address_of(&mut out);
        let mut process = Self { child, _out: out, address: ([0, 0, 0, 0], 0).into() };
        process.address = address?;
        Ok(process)
    }

    /// Processor time of all its threads so far, user and system, to 10 ms.
    pub(super) fn cpu(&self) -> Result<Duration, Failed> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, in parentheses, may hold blanks. utime and stime are fields 14 and 15 of proc_pid_stat(5).
        let (_, rest) = stat.rsplit_once(')').ok_or("unreadable /proc stat")?;
        let ticks: u32 =
            rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
        Ok(TICK * ticks)
    }

    /// Memory that it holds, in bytes.
    pub(super) fn resident_bytes(&self) -> Result<f64, Failed> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = field(&status, "VmRSS:").ok_or("no VmRSS in /proc status")?;
        let kib: f64 = line.trim_end_matches("kB").trim().parse()?;
        Ok(kib * 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn address_of(out: &mut impl BufRead) -> Result<SocketAddr, Failed> {
    for line in out.lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        if words.next() == Some("gRPC") {
            return Ok(words.next().unwrap_or_default().parse()?);
        }
    }
    Err("the server ended before it said where it listens".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_and_addresses_are_read() {
        assert_eq!(allowed("0-2,5"), [0, 1, 2, 5]);
        let banner = "keyward 0.1.0 is serving\n  gRPC    127.0.0.1:4321 (plaintext)\n";
        let address = address_of(&mut banner.as_bytes()).unwrap();
        assert_eq!(address, ([127, 0, 0, 1], 4321).into());
        assert!(address_of(&mut "nothing\n".as_bytes()).is_err());
    }
}
