//! Profiles and the rights over them.

use keyward_domain::{DeviceClass, KeystrokeSample, SubjectKey};
use keyward_engine::{BehaviourConsent, ConsentSet, Erased, ProfileKey, ProfileStatus};

use super::telemetry::{each, keystrokes};
use super::time::timestamp_to_wire;
use super::{Checked, Path, Violations, WireEnum, collect, enums, text};
use crate::v1;

/// The most samples in one import.
const MAX_IMPORT: usize = 200;

/// Whose profiles.
pub fn get_profile_status(request: v1::GetProfileStatusRequest) -> Result<SubjectKey, Violations> {
    collect(|found| text::subject(request.tenant, request.subject, Path::Request, found))
}

/// What to forget: one profile, or all of the person's.
pub fn reset_profile(
    request: v1::ResetProfileRequest,
) -> Result<(SubjectKey, Option<ProfileKey>), Violations> {
    collect(|found| {
        let who = text::subject(request.tenant, request.subject, Path::Request, found);
        let key = if !request.field.is_empty() {
            profile_key(request.field, request.device_class, found).map(Some)
        } else if request.device_class != 0 {
            // Else a forgotten label would cost every profile of the person.
            Err(found.add(Path::Request.field("field"), "must be given with a device class"))
        } else {
            Ok(None)
        };
        Ok((who?, key?))
    })
}

/// Which profile, and the version to go back to.
pub fn roll_back_profile(
    request: v1::RollBackProfileRequest,
) -> Result<(SubjectKey, ProfileKey, u64), Violations> {
    collect(|found| {
        let who = text::subject(request.tenant, request.subject, Path::Request, found);
        let key = profile_key(request.field, request.device_class, found);
        let version = match request.version {
            0 => Err(found.add(Path::Request.field("version"), "must be at least 1")),
            version => Ok(version),
        };
        Ok((who?, key?, version?))
    })
}

/// Samples of one field and the device class that they were typed on.
pub fn import_samples(
    request: v1::ImportSamplesRequest,
) -> Result<(SubjectKey, DeviceClass, Vec<KeystrokeSample>), Violations> {
    collect(|found| {
        let who = text::subject(request.tenant, request.subject, Path::Request, found);
        let class = enums::value(request.device_class, Path::Request.field("device_class"), found);
        let samples = imported(request.samples, Path::Request.field("samples"), found);
        Ok((who?, class?, samples?))
    })
}

/// Whom to erase.
pub fn erase_subject(request: v1::EraseSubjectRequest) -> Result<SubjectKey, Violations> {
    collect(|found| text::subject(request.tenant, request.subject, Path::Request, found))
}

/// Whose data to give.
pub fn export_subject(request: v1::ExportSubjectRequest) -> Result<SubjectKey, Violations> {
    collect(|found| text::subject(request.tenant, request.subject, Path::Request, found))
}

/// Whose word on behaviour, and whether it is against.
pub fn set_behaviour_consent(
    request: v1::SetBehaviourConsentRequest,
) -> Result<(SubjectKey, bool), Violations> {
    collect(|found| {
        let who = text::subject(request.tenant, request.subject, Path::Request, found);
        let opted_out = match v1::BehaviourConsent::try_from(request.consent) {
            Ok(v1::BehaviourConsent::OptedIn) => Ok(false),
            Ok(v1::BehaviourConsent::OptedOut) => Ok(true),
            _ => Err(found.add(Path::Request.field("consent"), "must be OPTED_IN or OPTED_OUT")),
        };
        Ok((who?, opted_out?))
    })
}

/// A word on behaviour, as the contract writes it.
pub fn behaviour_consent(consent: Option<BehaviourConsent>) -> v1::BehaviourConsent {
    match consent {
        Some(BehaviourConsent { opted_out: true, .. }) => v1::BehaviourConsent::OptedOut,
        Some(_) | None => v1::BehaviourConsent::OptedIn,
    }
}

/// What became of a word on behaviour, as the contract writes it.
pub fn consent_set(set: ConsentSet) -> v1::SetBehaviourConsentResponse {
    v1::SetBehaviourConsentResponse {
        consent: behaviour_consent(Some(set.consent)).into(),
        since: Some(timestamp_to_wire(set.consent.at)),
        erased_profiles: set.erased_profiles,
        audit_index: set.audit_index,
    }
}

/// The receipt of an erasure, as the contract writes it.
pub fn erased(erased: Erased) -> v1::EraseSubjectResponse {
    v1::EraseSubjectResponse {
        erased: erased.removed.anything(),
        audit_index: erased.audit_index,
        leaf_hash: erased.leaf_hash.to_vec(),
        passkeys: erased.removed.credentials,
        documents: erased.removed.documents,
        samples: erased.removed.samples,
        audit_records: erased.removed.audit_records,
    }
}

/// What a profile knows, as the contract writes it.
pub fn profile_status(status: ProfileStatus) -> v1::ProfileStatus {
    v1::ProfileStatus {
        field: status.key.field.into(),
        device_class: status.key.device_class.number(),
        maturity: status.maturity.number(),
        samples: status.samples,
        version: status.version,
        updated_at: Some(timestamp_to_wire(status.updated_at)),
        kept_versions: status.kept_versions,
    }
}

fn profile_key(field: String, class: i32, found: &mut Violations) -> Checked<ProfileKey> {
    let field = text::id(field, Path::Request.field("field"), found);
    let device_class = enums::value(class, Path::Request.field("device_class"), found);
    Ok(ProfileKey { field: field?, device_class: device_class? })
}

fn imported(
    messages: Vec<v1::KeystrokeSample>,
    at: Path<'_>,
    found: &mut Violations,
) -> Checked<Vec<KeystrokeSample>> {
    if !(1..=MAX_IMPORT).contains(&messages.len()) {
        return Err(found.add(at, format_args!("must be 1 to {MAX_IMPORT} samples")));
    }
    let samples = each(messages, at, found, keystrokes)?;
    match samples.iter().position(|sample| sample.field != samples[0].field) {
        Some(index) => Err(found.add(at.entry(index).field("field"), "must be the same in all samples")),
        None => Ok(samples),
    }
}

#[cfg(test)]
mod tests {
    use keyward_domain::{FieldLabel, Maturity, Timestamp};

    use super::*;

    fn fields<T: std::fmt::Debug>(refused: Result<T, Violations>) -> Vec<String> {
        refused.unwrap_err().into_named().into_iter().map(|violation| violation.field).collect()
    }

    fn reset(field: &str, class: i32) -> Result<Option<ProfileKey>, Vec<String>> {
        let request = v1::ResetProfileRequest {
            tenant: "t".into(),
            subject: "u".into(),
            field: field.into(),
            device_class: class,
        };
        reset_profile(request)
            .map(|(_, key)| key)
            .map_err(|found| found.into_named().into_iter().map(|violation| violation.field).collect())
    }

    #[test]
    fn a_forgotten_label_does_not_reset_everything() {
        let key = ProfileKey { field: FieldLabel::parse("f").unwrap(), device_class: DeviceClass::Vdi };
        assert_eq!(reset("f", 4), Ok(Some(key)));
        assert_eq!(reset("", 0), Ok(None));
        assert_eq!(reset("", 4), Err(vec!["field".to_owned()]));
        assert_eq!(reset("f", 0), Err(vec!["device_class".to_owned()]));
        assert_eq!(reset("f", 77), Err(vec!["device_class".to_owned()]));
    }

    #[test]
    fn an_import_is_of_one_field() {
        let sample = |field: &str| v1::KeystrokeSample { field: field.into(), ..Default::default() };
        let request = |samples| v1::ImportSamplesRequest {
            tenant: "t".into(),
            subject: "u".into(),
            device_class: 1,
            samples,
        };
        assert_eq!(import_samples(request(vec![sample("f"); 200])).unwrap().2.len(), 200);
        assert_eq!(fields(import_samples(request(vec![sample("f"); 201]))), ["samples"]);
        assert_eq!(fields(import_samples(request(vec![]))), ["samples"]);
        let mixed = vec![sample("f"), sample("f"), sample("g")];
        assert_eq!(fields(import_samples(request(mixed))), ["samples[2].field"]);
    }

    #[test]
    fn a_roll_back_names_a_version() {
        let request =
            v1::RollBackProfileRequest { tenant: "t".into(), subject: "u".into(), ..Default::default() };
        assert_eq!(fields(roll_back_profile(request)), ["field", "device_class", "version"]);
    }

    #[test]
    fn a_word_on_behaviour_is_one_of_two() {
        let request =
            |consent| v1::SetBehaviourConsentRequest { tenant: "t".into(), subject: "u".into(), consent };
        let said = |consent| set_behaviour_consent(request(consent)).map(|(_, opted_out)| opted_out);
        assert_eq!((said(1), said(2)), (Ok(false), Ok(true)));
        for odd in [0, 3, -1] {
            assert_eq!(fields(set_behaviour_consent(request(odd))), ["consent"]);
        }
    }

    #[test]
    fn a_status_is_written_whole() {
        let status = ProfileStatus {
            key: ProfileKey { field: FieldLabel::parse("f").unwrap(), device_class: DeviceClass::Phone },
            maturity: Maturity::Mature,
            samples: 7,
            version: 3,
            updated_at: Timestamp::from_secs(9),
            kept_versions: vec![3, 2],
        };
        let expected = v1::ProfileStatus {
            field: "f".into(),
            device_class: v1::DeviceClass::Phone.into(),
            maturity: v1::Maturity::Mature.into(),
            samples: 7,
            version: 3,
            updated_at: Some(prost_types::Timestamp { seconds: 9, nanos: 0 }),
            kept_versions: vec![3, 2],
        };
        assert_eq!(profile_status(status), expected);
    }
}
