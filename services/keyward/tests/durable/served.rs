//! The program as an operator runs it, and questions to a served one.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use keyward::clock::SystemClock;
use keyward_api::v1;
use keyward_domain::Clock as _;

/// The arguments of a command that serves on a free port.
pub(crate) const SERVE: &[&str] = &["serve", "--listen", "127.0.0.1:0"];

pub(crate) fn command(data: &Path, postgres: Option<&str>, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command.args(arguments).arg("--data-dir").arg(data);
    command.args(["--set", "http.enabled=false", "--set", "limits.caller_calls_per_second=0"]);
    // A kill comes whenever it comes; who asks under load may wait a little.
    command.args([
        "--set",
        "assessment.default_deadline_ms=4000",
        "--set",
        "limits.attempts_per_window=1000000",
    ]);
    if let Some(url) = postgres {
        command.args(["--set", "store.durable=postgres", "--set", "postgres.tls=off"]);
        command.args(["--set", &format!("postgres.url={url}")]);
        command.args([
            "--set",
            "postgres.connect_timeout_ms=20000",
            "--set",
            "postgres.response_timeout_ms=20000",
        ]);
    }
    command
}

pub(crate) fn run(data: &Path, postgres: Option<&str>, arguments: &[&str]) -> Output {
    command(data, postgres, arguments).output().expect("the program runs")
}

pub(crate) fn told(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

pub(crate) fn refused(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{text}");
    text
}

/// A served keyward, killed when it is dropped.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    _out: BufReader<std::process::ChildStdout>,
}

impl Served {
    pub(crate) fn start(data: &Path, postgres: Option<&str>) -> Self {
        Self::started_by(command(data, postgres, SERVE))
    }

    /// As the command says, which must be one that serves.
    pub(crate) fn started_by(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let address = loop {
            let mut line = String::new();
            assert!(out.read_line(&mut line).expect("read") > 0, "it ended before it served");
            if let Some(address) =
                line.trim_start().strip_prefix("gRPC").and_then(|rest| rest.split_whitespace().next())
            {
                break address.parse().expect("an address");
            }
        };
        Self { child, address, _out: out }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // An error means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Someone at the front desk looks at a schedule: allowed by policy with a password alone.
pub(crate) fn question(request: u64) -> v1::AssessRequest {
    let now = SystemClock.now();
    let now = prost_types::Timestamp { seconds: now.secs(), nanos: 0 };
    v1::AssessRequest {
        request_id: format!("request-{request}"),
        assessment: Some(v1::Assessment {
            tenant: "st-mary".to_owned(),
            subject: format!("front-{}", request % 5),
            roles: vec!["front_desk".to_owned()],
            session: format!("session-{request}"),
            device: Some(v1::Device {
                id: "desk".to_owned(),
                device_class: v1::DeviceClass::SharedWorkstation.into(),
            }),
            action: Some(v1::Action {
                kind: v1::ActionKind::Read.into(),
                sensitivity: v1::Sensitivity::Routine.into(),
                in_care_team: None,
            }),
            claims: vec![v1::Claim { kind: v1::ClaimKind::Password.into(), verified_at: Some(now) }],
            ..v1::Assessment::default()
        }),
    }
}
