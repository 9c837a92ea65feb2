//! What is wrong with a deployment, one line a finding.

mod audit;
mod files;
mod parts;
mod tls;

use keyward_domain::{Clock, Timestamp};

use crate::clock::SystemClock;
use crate::settings::{Settings, Sources};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Works, but should be looked at.
    Warn,
    /// Does not work, or is not safe.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at.
    pub subject: String,
    /// What was found.
    pub text: String,
    /// What to do; empty when there is nothing to do.
    pub advice: String,
}

impl Finding {
    /// As it should be.
    pub fn ok(subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { level: Level::Ok, subject: subject.into(), text: text.into(), advice: String::new() }
    }

    /// To be looked at.
    pub fn warn(subject: impl Into<String>, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Warn, subject: subject.into(), text: text.into(), advice: advice.into() }
    }

    /// Broken or not safe.
    pub fn fail(subject: impl Into<String>, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Fail, subject: subject.into(), text: text.into(), advice: advice.into() }
    }
}

/// Runbooks by what subjects begin with; the first that fits counts. For others there is the list of them.
const RUNBOOKS: [(&str, &str); 17] = [
    ("redis.password", "key-rotation.md"),
    ("redis", "redis-outage.md"),
    ("postgres", "failover.md"),
    ("store.data_dir", "failover.md"),
    ("embedded store", "restore.md"),
    ("disk", "disk-full.md"),
    ("key ring", "restore.md"),
    ("keys", "key-rotation.md"),
    ("data keys", "key-rotation.md"),
    ("callers", "key-rotation.md"),
    ("server.tls", "certificate-expiry.md"),
    ("policy", "policy-rollback.md"),
    ("audit", "audit-verification.md"),
    ("clock", "availability.md"),
    ("settings", "availability.md"),
    ("server", "certificate-expiry.md"),
    ("", "README.md"),
];

/// Looks at everything.
pub async fn examine(sources: &Sources) -> Vec<Finding> {
    let settings = match Settings::load_unchecked(sources) {
        Ok(settings) => settings,
        Err(error) => {
            return vec![Finding::fail("settings", error.to_string(), "correct the key named")];
        }
    };
    let now = SystemClock.now();
    let mut findings = consistency(&settings);
    findings.extend(files::data_folder(&settings));
    findings.extend(files::secrets(&settings));
    findings.extend(files::token_files(&settings));
    findings.extend(tls::certificates(&settings, now));
    findings.push(clock(now, files::newest(&settings.store.data_dir)));
    findings.push(parts::policies(&settings));
    findings.extend(parts::key_ring(&settings));
    findings.extend(parts::embedded(&settings).await);
    findings.extend(parts::postgres(&settings).await);
    findings.extend(parts::data_keys(&settings).await);
    findings.extend(audit::log(&settings, now).await);
    findings.extend(parts::redis(&settings).await);
    findings
}

/// The findings as text.
pub fn report(findings: &[Finding]) -> String {
    findings.iter().map(Finding::line).collect()
}

/// Whether anything failed.
pub fn failed(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.level == Level::Fail)
}

impl Finding {
    fn line(&self) -> String {
        let level = match self.level {
            Level::Ok => "ok  ",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        let advice = if self.advice.is_empty() { String::new() } else { format!(" -> {}", self.advice) };
        let runbook = match self.runbook() {
            Some(file) => format!(" (deploy/runbooks/{file})"),
            None => String::new(),
        };
        format!("{level}  {}: {}{advice}{runbook}\n", self.subject, self.text)
    }

    /// The runbook for a finding that is not as it should be.
    fn runbook(&self) -> Option<&'static str> {
        let of_subject = |(begins, _): &&(&str, &str)| self.subject.starts_with(begins);
        let found = RUNBOOKS.iter().find(of_subject).filter(|_| self.level != Level::Ok);
        found.map(|(_, file)| *file)
    }
}

fn consistency(settings: &Settings) -> Vec<Finding> {
    let mut findings: Vec<_> = settings
        .problems()
        .into_iter()
        .map(|text| Finding::fail("settings", text, "correct the key named"))
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok("settings", "every key is known, and they fit together"));
    }
    if settings.callers.is_empty() {
        let text = "none are set: whoever can connect on this machine may act for every tenant";
        findings.push(Finding::warn("callers", text, "set [[callers]] before anyone depends on this server"));
    }
    if settings.server.allow_plaintext_beyond_loopback && !settings.server.tls() {
        let text = "plaintext beyond loopback is allowed";
        findings.push(Finding::warn(
            "server",
            text,
            "make sure that the network itself encrypts, or set TLS files",
        ));
    }
    findings
}

/// 2026-01-01: keyward is younger than that.
const BORN: Timestamp = Timestamp::from_secs(1_767_225_600);

/// Deadlines, token lifetimes and the log all stand on the clock.
fn clock(now: Timestamp, newest_file: Option<Timestamp>) -> Finding {
    let advice = "set the clock, and keep it by NTP";
    if now < BORN {
        return Finding::fail("clock", "stands before keyward was written", advice);
    }
    let ahead = newest_file.map(|file| file.since(now).as_secs()).unwrap_or_default();
    if ahead > 60 {
        return Finding::fail(
            "clock",
            format!("stands {ahead} s before the newest file of the data folder"),
            advice,
        );
    }
    Finding::ok("clock", "plausible")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(folder: &std::path::Path, flags: &[&str]) -> Sources {
        let data = format!("store.data_dir={}", folder.join("data").display());
        let flags = flags.iter().map(|f| (*f).to_owned()).chain([data]).collect();
        Sources { flags, ..Sources::default() }
    }

    #[tokio::test]
    async fn a_fresh_deployment_is_sound_and_hears_about_its_callers() {
        let folder = tempfile::tempdir().unwrap();
        let findings = examine(&sources(folder.path(), &[])).await;
        assert!(!failed(&findings), "{findings:?}");
        assert!(report(&findings).contains("warn  callers: none are set"), "{}", report(&findings));
    }

    #[tokio::test]
    async fn every_problem_of_the_settings_is_a_finding() {
        let folder = tempfile::tempdir().unwrap();
        let flags = ["server.listen=0.0.0.0:1", "store.hot=redis"];
        let findings = examine(&sources(folder.path(), &flags)).await;
        let fails = findings.iter().filter(|f| f.level == Level::Fail).count();
        assert_eq!(fails, 3, "plaintext, callers and redis.url: {findings:?}");
        let findings = examine(&sources(folder.path(), &["server.listten=x"])).await;
        assert!(findings.len() == 1 && findings[0].text.contains("server.listten"), "{findings:?}");
    }

    #[test]
    fn a_finding_names_a_runbook_that_is_there() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/runbooks");
        for (_, file) in RUNBOOKS {
            assert!(folder.join(file).is_file(), "{file}");
        }
        let finding = Finding::fail("redis", "does not answer", "start it");
        assert!(finding.line().ends_with("(deploy/runbooks/redis-outage.md)\n"), "{}", finding.line());
        assert!(!Finding::ok("redis", "answers").line().contains("runbooks"));
    }

    #[test]
    fn a_clock_behind_its_own_files_is_told() {
        let now = Timestamp::from_secs(1_800_000_000);
        assert_eq!(clock(now, None).level, Level::Ok);
        assert_eq!(clock(now, Some(Timestamp::from_secs(1_800_000_030))).level, Level::Ok);
        assert_eq!(clock(now, Some(Timestamp::from_secs(1_800_000_090))).level, Level::Fail);
        assert_eq!(clock(Timestamp::from_secs(0), None).level, Level::Fail);
    }
}
