//! The program itself, as an operator starts it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use keyward::clock::SystemClock;
use keyward_api::v1;
use keyward_domain::Clock as _;
use tonic::transport::{Channel, Endpoint};

/// A served keyward on free ports, killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    _out: BufReader<ChildStdout>,
}

impl Program {
    /// Starts it, and returns when it says that it serves.
    pub(crate) fn start(data: &Path, settings: &[String]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).arg("--data-dir").arg(data);
        let ours = ["http.listen=127.0.0.1:0".to_owned(), "server.shutdown_notice_ms=0".to_owned()];
        for setting in ours.iter().chain(settings) {
            command.args(["--set", setting]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut address = |name: &str, before: &str| loop {
            let mut line = String::new();
            assert!(out.read_line(&mut line).unwrap() > 0, "it ended before it served");
            if let Some(rest) = line.trim_start().strip_prefix(name) {
                let shown = rest.trim_start().trim_start_matches(before);
                let end = shown.find(['/', ' ']).unwrap();
                break shown[..end].parse().unwrap();
            }
        };
        let (grpc, http) = (address("gRPC", ""), address("HTTP", "http://"));
        Self { child, grpc, http, _out: out }
    }

    pub(crate) async fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.grpc)).unwrap().connect().await.unwrap()
    }

    /// Asks it to end, and waits.
    pub(crate) fn stop(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success(), "it ends well");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // An error means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Someone whose password was just typed rightly asks for what is routine.
pub(crate) fn question(subject: &str, role: &str, request: &str) -> v1::AssessRequest {
    let now = SystemClock.now();
    let verified_at = prost_types::Timestamp { seconds: now.secs(), nanos: 0 };
    v1::AssessRequest {
        request_id: request.to_owned(),
        assessment: Some(v1::Assessment {
            tenant: "st-mary".to_owned(),
            subject: subject.to_owned(),
            roles: vec![role.to_owned()],
            session: format!("session-of-{subject}"),
            device: Some(v1::Device {
                id: "desk".to_owned(),
                device_class: v1::DeviceClass::SharedWorkstation.into(),
            }),
            action: Some(v1::Action {
                kind: v1::ActionKind::Read.into(),
                sensitivity: v1::Sensitivity::Routine.into(),
                in_care_team: None,
            }),
            claims: vec![v1::Claim { kind: v1::ClaimKind::Password.into(), verified_at: Some(verified_at) }],
            ..v1::Assessment::default()
        }),
    }
}
