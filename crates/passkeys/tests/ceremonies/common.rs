//! A relying party, a user and ceremonies run to their end.

use keyward_passkeys::{Passkeys, Registered, RelyingParty, UserIdentity};
use keyward_simulate::authenticator::SoftAuthenticator;

pub(crate) const ORIGIN: &str = "https://portal.example.org";

pub(crate) fn party() -> RelyingParty {
    RelyingParty {
        id: "example.org".into(),
        name: "Example Clinic".into(),
        origins: vec![ORIGIN.into(), "https://admin.example.org".into()],
        attestation_roots_pem: vec![],
    }
}

pub(crate) fn passkeys() -> Passkeys {
    Passkeys::new(&party()).expect("sound settings")
}

pub(crate) fn mary() -> UserIdentity {
    UserIdentity { handle: [7; 16], name: "mary@example.org".into(), display_name: "Dr Mary".into() }
}

pub(crate) fn register(passkeys: &Passkeys, authenticator: &SoftAuthenticator) -> Registered {
    let begun = passkeys.begin_registration(&mary(), &[], false).expect("begins");
    let response = authenticator.register(&begun.options_json).expect("the authenticator answers");
    passkeys.finish_registration(&begun.state, &response).expect("registers")
}
