//! Contract to domain and back. Whatever arrives is hostile until it came through here.
//!
//! A conversion takes a message by value, moves its columns where it can, and looks at every field before it gives up, so
//! that a client learns of all its mistakes in one answer.

mod assessment;
mod audit;
mod decision;
mod enums;
mod passkey;
mod profile;
mod records;
mod telemetry;
mod text;
mod time;
mod violations;

pub use assessment::{assess, complete_step_up, get_risk, issue_nonce, report_outcome};
pub use audit::{add_cosignature, checkpoint, consistency_proof, get_consistency_proof, inclusion_proof};
pub use decision::{decision, issued_nonce, risk};
pub use enums::WireEnum;
pub use passkey::{
    AuthenticationStart, authenticated, begin_authentication, begin_registration, begun_authentication,
    begun_registration, finish_authentication, finish_registration, list_passkeys, passkey, rename_passkey,
    revoke_passkey,
};
pub use profile::{
    behaviour_consent, consent_set, erase_subject, erased, export_subject, get_profile_status,
    import_samples, profile_status, reset_profile, roll_back_profile, set_behaviour_consent,
};
pub use records::{get_record, query_records, record, records, trial, try_policy, watch_records};
pub use telemetry::{keystrokes_to_wire, telemetry, telemetry_to_wire};
pub(crate) use time::timestamp_to_wire;
pub use violations::{FieldViolation, MAX_VIOLATIONS, Violations};

use violations::{Checked, Path, collect};
