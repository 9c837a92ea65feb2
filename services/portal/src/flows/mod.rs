//! The flows, one a file. Each is what another portal would write.

pub mod administer;
pub mod chart;
pub mod checkpoint;
pub mod enrol;
pub mod my_data;
pub mod not_me;
pub mod passkeys;
pub mod prescribe;
pub mod settings;
pub mod sign_in;
pub mod sign_in_badge;
pub mod sign_in_passkey;
pub mod sign_in_password;
pub mod step_up;
pub mod today;
pub mod unlock;
