//! Ceremonies and passkeys.

use keyward_domain::{
    AssertionResponse, CredentialId, SessionId, SubjectId, SubjectKey, Telemetry, TenantId,
};
use keyward_engine::{Authenticated, BegunCeremony, NewPasskey, PasskeyInfo, PasskeyResponse};

use super::time::timestamp_to_wire;
use super::{Checked, Path, Violations, assessment, collect, telemetry, text};
use crate::v1;

/// The longest account and display name, in characters.
const MAX_USER_NAME: usize = 128;
/// The longest name of a passkey, in characters.
const MAX_PASSKEY_NAME: usize = 64;
/// The name of a passkey that was given none.
const DEFAULT_PASSKEY_NAME: &str = "passkey";
/// The longest registration response, in bytes: attestation carries certificates.
const MAX_REGISTRATION_BYTES: usize = 65_536;

/// A sign-in to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticationStart {
    /// The tenant.
    pub tenant: TenantId,
    /// The person; none for a username-less sign-in.
    pub subject: Option<SubjectId>,
    /// The session.
    pub session: SessionId,
    /// The telemetry that the challenge will be bound to.
    pub telemetry: Option<Telemetry>,
}

/// A registration to begin.
pub fn begin_registration(request: v1::BeginRegistrationRequest) -> Result<NewPasskey, Violations> {
    let at = Path::Request;
    collect(|found| {
        let who = text::subject(request.tenant, request.subject, at, found);
        let session = text::id(request.session, at.field("session"), found);
        let user_name = text::words(request.user_name, 1, MAX_USER_NAME, at.field("user_name"), found);
        let display_name =
            text::words(request.display_name, 1, MAX_USER_NAME, at.field("display_name"), found);
        Ok(NewPasskey {
            who: who?,
            session: session?,
            user_name: user_name?,
            display_name: display_name?,
            hardware_bound: request.hardware_bound,
        })
    })
}

/// The browser's answer to a registration.
pub fn finish_registration(request: v1::FinishRegistrationRequest) -> Result<PasskeyResponse, Violations> {
    let at = Path::Request;
    collect(|found| {
        let who = text::subject(request.tenant, request.subject, at, found);
        let session = text::id(request.session, at.field("session"), found);
        let ceremony = text::id(request.ceremony_id, at.field("ceremony_id"), found);
        let json = at.field("credential_json");
        let credential_json = text::document(request.credential_json, MAX_REGISTRATION_BYTES, json, found);
        let name = if request.name.is_empty() {
            Ok(DEFAULT_PASSKEY_NAME.to_owned())
        } else {
            passkey_name(request.name, found)
        };
        Ok(PasskeyResponse {
            who: who?,
            session: session?,
            ceremony: ceremony?,
            credential_json: credential_json?,
            name: name?,
        })
    })
}

/// A sign-in to begin.
pub fn begin_authentication(
    request: v1::BeginAuthenticationRequest,
) -> Result<AuthenticationStart, Violations> {
    let at = Path::Request;
    collect(|found| {
        let tenant = text::tenant(request.tenant, at.field("tenant"), found);
        let subject = text::optional_person(request.subject, at.field("subject"), found);
        let session = text::id(request.session, at.field("session"), found);
        let telemetry =
            request.telemetry.map(|it| telemetry::field(it, at.field("telemetry"), found)).transpose();
        Ok(AuthenticationStart {
            tenant: tenant?,
            subject: subject?,
            session: session?,
            telemetry: telemetry?,
        })
    })
}

/// The browser's answer to a sign-in.
pub fn finish_authentication(
    request: v1::FinishAuthenticationRequest,
) -> Result<(TenantId, SessionId, AssertionResponse), Violations> {
    let at = Path::Request;
    collect(|found| {
        let tenant = text::tenant(request.tenant, at.field("tenant"), found);
        let session = text::id(request.session, at.field("session"), found);
        let assertion = assessment::required_assertion(request.assertion, at.field("assertion"), found);
        Ok((tenant?, session?, assertion?))
    })
}

/// Whose passkeys.
pub fn list_passkeys(request: v1::ListPasskeysRequest) -> Result<SubjectKey, Violations> {
    collect(|found| text::subject(request.tenant, request.subject, Path::Request, found))
}

/// Which passkey, and its new name.
pub fn rename_passkey(
    request: v1::RenamePasskeyRequest,
) -> Result<(SubjectKey, CredentialId, String), Violations> {
    collect(|found| {
        let who = text::subject(request.tenant, request.subject, Path::Request, found);
        let id = passkey_id(&request.passkey_id, found);
        let name = passkey_name(request.name, found);
        Ok((who?, id?, name?))
    })
}

/// Which passkey.
pub fn revoke_passkey(request: v1::RevokePasskeyRequest) -> Result<(SubjectKey, CredentialId), Violations> {
    collect(|found| {
        let who = text::subject(request.tenant, request.subject, Path::Request, found);
        let id = passkey_id(&request.passkey_id, found);
        Ok((who?, id?))
    })
}

/// A registered passkey as the contract writes it.
pub fn passkey(info: PasskeyInfo) -> v1::Passkey {
    v1::Passkey {
        id: text::credential_id_to_wire(&info.id),
        name: info.name,
        created_at: Some(timestamp_to_wire(info.created_at)),
        last_used_at: info.last_used_at.map(timestamp_to_wire),
        hardware_bound: info.hardware_bound,
        backed_up: info.backed_up,
    }
}

/// Options for `navigator.credentials.create`.
pub fn begun_registration(ceremony: BegunCeremony) -> v1::BeginRegistrationResponse {
    v1::BeginRegistrationResponse {
        ceremony_id: ceremony.id.into(),
        options_json: ceremony.options_json,
        expires_at: Some(timestamp_to_wire(ceremony.expires_at)),
    }
}

/// Options for `navigator.credentials.get`.
pub fn begun_authentication(ceremony: BegunCeremony) -> v1::BeginAuthenticationResponse {
    v1::BeginAuthenticationResponse {
        ceremony_id: ceremony.id.into(),
        options_json: ceremony.options_json,
        expires_at: Some(timestamp_to_wire(ceremony.expires_at)),
    }
}

/// Whose passkey answered.
pub fn authenticated(found: Authenticated) -> v1::FinishAuthenticationResponse {
    v1::FinishAuthenticationResponse { subject: found.subject.into(), passkey: Some(passkey(found.passkey)) }
}

fn passkey_id(text: &str, found: &mut Violations) -> Checked<CredentialId> {
    text::credential_id(text, Path::Request.field("passkey_id"), found)
}

fn passkey_name(name: String, found: &mut Violations) -> Checked<String> {
    text::words(name, 1, MAX_PASSKEY_NAME, Path::Request.field("name"), found)
}

#[cfg(test)]
mod tests {
    use keyward_domain::Timestamp;

    use super::*;

    fn fields<T: std::fmt::Debug>(refused: Result<T, Violations>) -> Vec<String> {
        refused.unwrap_err().into_named().into_iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn empty_requests_are_told_what_they_lack() {
        let expected = ["tenant", "subject", "session", "user_name", "display_name"];
        assert_eq!(fields(begin_registration(v1::BeginRegistrationRequest::default())), expected);
        let expected = ["tenant", "subject", "session", "ceremony_id", "credential_json"];
        assert_eq!(fields(finish_registration(v1::FinishRegistrationRequest::default())), expected);
        assert_eq!(
            fields(begin_authentication(v1::BeginAuthenticationRequest::default())),
            ["tenant", "session"]
        );
        let expected = ["tenant", "session", "assertion"];
        assert_eq!(fields(finish_authentication(v1::FinishAuthenticationRequest::default())), expected);
        let expected = ["tenant", "subject", "passkey_id", "name"];
        assert_eq!(fields(rename_passkey(v1::RenamePasskeyRequest::default())), expected);
    }

    #[test]
    fn a_registration_has_a_name_and_bounds() {
        let request = |bytes: usize, name: &str| v1::FinishRegistrationRequest {
            tenant: "t".into(),
            subject: "u".into(),
            session: "s".into(),
            ceremony_id: "c".into(),
            credential_json: "x".repeat(bytes),
            name: name.into(),
        };
        assert_eq!(finish_registration(request(65_536, "")).unwrap().name, "passkey");
        assert_eq!(finish_registration(request(1, "left pocket")).unwrap().name, "left pocket");
        assert_eq!(
            fields(finish_registration(request(65_537, &"n".repeat(65)))),
            ["credential_json", "name"]
        );
    }

    #[test]
    fn nobody_may_be_named_at_the_start_and_telemetry_may_be_absent() {
        let request =
            v1::BeginAuthenticationRequest { tenant: "t".into(), session: "s".into(), ..Default::default() };
        let start = begin_authentication(request.clone()).unwrap();
        assert_eq!((start.subject, start.telemetry), (None, None));
        let request = v1::BeginAuthenticationRequest { telemetry: Some(v1::Telemetry::default()), ..request };
        assert_eq!(begin_authentication(request).unwrap().telemetry, Some(Telemetry::default()));
    }

    #[test]
    fn a_passkey_is_written_with_its_id_in_base64url() {
        let info = PasskeyInfo {
            id: CredentialId(vec![255, 254, 253]),
            name: "n".into(),
            created_at: Timestamp::from_secs(5),
            last_used_at: None,
            hardware_bound: true,
            backed_up: false,
        };
        let wire = passkey(info);
        assert_eq!((wire.id.as_str(), wire.last_used_at, wire.hardware_bound), ("__79", None, true));
        assert_eq!(wire.created_at, Some(prost_types::Timestamp { seconds: 5, nanos: 0 }));
    }
}
