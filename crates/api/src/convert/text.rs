//! Texts: ids, names, documents.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward_domain::{CredentialId, DecisionId, IdError, SubjectId, SubjectKey, TenantId};
use uuid::Uuid;

use super::{Checked, Path, Violations};

/// The longest credential id that WebAuthn Level 3 allows (§ 4), in bytes.
const MAX_CREDENTIAL_ID_BYTES: usize = 1023;

/// A text identifier.
pub(super) fn id<T>(text: String, at: Path<'_>, found: &mut Violations) -> Checked<T>
where
    T: TryFrom<String, Error = IdError>,
{
    T::try_from(text).map_err(|error| found.add(at, error))
}

/// A text identifier that may be left empty.
pub(super) fn optional_id<T>(text: String, at: Path<'_>, found: &mut Violations) -> Checked<Option<T>>
where
    T: TryFrom<String, Error = IdError>,
{
    if text.is_empty() { Ok(None) } else { id(text, at, found).map(Some) }
}

/// The person, from the fields `tenant` and `subject` beside each other.
pub(super) fn subject(
    tenant: String,
    subject: String,
    at: Path<'_>,
    found: &mut Violations,
) -> Checked<SubjectKey> {
    let tenant = self::tenant(tenant, at.field("tenant"), found);
    let subject = person(subject, at.field("subject"), found);
    Ok(SubjectKey { tenant: tenant?, subject: subject? })
}

/// A tenant. `*` stands for all of them where callers are set, and for none that can be named here.
pub(super) fn tenant(text: String, at: Path<'_>, found: &mut Violations) -> Checked<TenantId> {
    if text == NOBODY { Err(found.add(at, RESERVED)) } else { id(text, at, found) }
}

/// A person within a tenant. `*` stands for the tenant as a whole, whose key no caller may touch.
pub(super) fn person(text: String, at: Path<'_>, found: &mut Violations) -> Checked<SubjectId> {
    if text == NOBODY { Err(found.add(at, RESERVED)) } else { id(text, at, found) }
}

/// A person who may be left unnamed.
pub(super) fn optional_person(
    text: String,
    at: Path<'_>,
    found: &mut Violations,
) -> Checked<Option<SubjectId>> {
    if text.is_empty() { Ok(None) } else { person(text, at, found).map(Some) }
}

const NOBODY: &str = "*";
const RESERVED: &str = "must not be an asterisk alone";

/// A text of between `min` and `max` characters, not counting white space around it.
pub(super) fn words(
    text: String,
    min: usize,
    max: usize,
    at: Path<'_>,
    found: &mut Violations,
) -> Checked<String> {
    // The text as it came is bounded too: white space is no way around the limit.
    let fits = text.trim().chars().take(min).count() == min && text.chars().take(max + 1).count() <= max;
    if fits { Ok(text) } else { Err(found.add(at, format_args!("must be {min} to {max} characters long"))) }
}

/// A document of at most `max` bytes.
pub(super) fn document(text: String, max: usize, at: Path<'_>, found: &mut Violations) -> Checked<String> {
    match text.len() {
        0 => Err(found.add(at, "must not be empty")),
        n if n > max => Err(found.add(at, format_args!("must be at most {max} bytes long"))),
        _ => Ok(text),
    }
}

/// A decision id: a UUID in its hyphenated form.
pub(super) fn decision_id(text: &str, at: Path<'_>, found: &mut Violations) -> Checked<DecisionId> {
    let hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
    let parsed = hyphenated.then(|| Uuid::try_parse(text).ok()).flatten();
    parsed.map(DecisionId).ok_or_else(|| found.add(at, "must be a UUID with hyphens"))
}

/// A credential id: base64url without padding.
pub(super) fn credential_id(text: &str, at: Path<'_>, found: &mut Violations) -> Checked<CredentialId> {
    let longest = MAX_CREDENTIAL_ID_BYTES.div_ceil(3) * 4;
    let bytes = if text.len() <= longest { URL_SAFE_NO_PAD.decode(text).ok() } else { None };
    match bytes {
        Some(bytes) if (1..=MAX_CREDENTIAL_ID_BYTES).contains(&bytes.len()) => Ok(CredentialId(bytes)),
        _ => Err(found.add(at, "must be a credential id in base64url without padding")),
    }
}

/// A credential id as the contract writes it.
pub(super) fn credential_id_to_wire(id: &CredentialId) -> String {
    URL_SAFE_NO_PAD.encode(&id.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts<T>(convert: impl FnOnce(Path<'_>, &mut Violations) -> Checked<T>) -> bool {
        super::super::collect(|found| convert(Path::Request.field("x"), found)).is_ok()
    }

    #[test]
    fn nobody_can_be_named() {
        let fits =
            |tenant: &str, who: &str| accepts(|at, found| subject(tenant.into(), who.into(), at, found));
        assert!(fits("t", "u") && fits("t", "**"));
        assert!(!fits("*", "u") && !fits("t", "*"));
    }

    #[test]
    fn words_are_counted_in_characters() {
        let fits = |text: &str| accepts(|at, found| words(text.into(), 3, 5, at, found));
        assert!(fits("äöü") && fits("abcde") && fits(" abc "));
        assert!(!fits("äö") && !fits("abcdef") && !fits("     ") && !fits("  a  ") && !fits("abc   "));
    }

    #[test]
    fn credential_ids_have_one_spelling() {
        let fits = |text: &str| accepts(|at, found| credential_id(text, at, found));
        assert!(fits("AQID") && fits("AQ") && fits(&"A".repeat(1364)));
        for bad in ["", "AQ==", "A", "AQI/", "AR", &"A".repeat(1365), &"A".repeat(1368)] {
            assert!(!fits(bad), "{bad}");
        }
        let id = CredentialId(vec![251, 255, 1]);
        let back =
            super::super::collect(|found| credential_id(&credential_id_to_wire(&id), Path::Request, found));
        assert_eq!(back, Ok(id));
    }

    #[test]
    fn decision_ids_have_one_spelling() {
        let fits = |text: &str| accepts(|at, found| decision_id(text, at, found));
        assert!(fits("0193f0a0-0000-7000-8000-000000000000"));
        for bad in ["", "0193f0a0000070008000000000000000", "{0193f0a0-0000-7000-8000-000000000000}", "x"] {
            assert!(!fits(bad), "{bad}");
        }
    }
}
