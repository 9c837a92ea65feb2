//! Generated from `proto/keyward/v1`: messages, servers and clients.

use std::fmt;

mod generated {
    #![expect(
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        clippy::pedantic,
        reason = "generated code is not written to these lints"
    )]
    tonic::include_proto!("keyward.v1");
}

pub use generated::*;

/// The descriptor set of the contract, with its comments, as reflection serves it.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Writes a `Debug` that shows the named fields only: behaviour, credentials, tokens and a person's words stay out of logs.
macro_rules! redacted {
    ($($message:ident { $($field:ident),* })*) => {$(
        impl fmt::Debug for $message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($message))$(.field(stringify!($field), &self.$field))*.finish_non_exhaustive()
            }
        }
    )*};
}

redacted! {
    BreakGlass {}
    CoarseLocation {}
    Decision { id, outcome, audit_index }
    FinishRegistrationRequest { tenant, session, ceremony_id }
    KeystrokeSample { field, pasted, autofilled, composed, coarse_clock, free_text }
    PasskeyAssertion { ceremony_id }
    PointerSample {}
    RecordAccess { window_s }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_behaviour_and_no_secret() {
        let telemetry = Telemetry {
            keystrokes: vec![KeystrokeSample {
                field: "password".into(),
                down_us: vec![271_828],
                ..Default::default()
            }],
            pointer: Some(PointerSample { x: vec![271_828], ..Default::default() }),
            record_access: Some(RecordAccess { reads: 271_828, ..Default::default() }),
            ..Default::default()
        };
        let request = AssessRequest {
            assessment: Some(Assessment {
                telemetry: Some(telemetry),
                assertion: Some(PasskeyAssertion { credential_json: "271828".into(), ..Default::default() }),
                break_glass: Some(BreakGlass { justification: "271828".into() }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let response =
            AssessResponse { decision: Some(Decision { token: "271828".into(), ..Default::default() }) };
        let shown = format!("{request:?} {response:?}");
        assert!(shown.contains("password") && !shown.contains("271828"), "{shown}");
    }
}
