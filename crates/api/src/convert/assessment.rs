//! The question, and the other requests of DecisionService.

use std::net::IpAddr;

use keyward_domain::{
    Action, AssertionResponse, Assessment, BreakGlass, Claim, ClaimKind, ClientContext, CoarseLocation,
    DecisionId, Device, RoleName, Roles, SessionId, SubjectKey, TenantId, Timestamp,
};
use keyward_engine::{ReportedOutcome, StepUpAnswer};

use super::telemetry::each;
use super::{Checked, Path, Violations, collect, enums, telemetry, text, time};
use crate::v1;

/// The most roles of a person.
const MAX_ROLES: usize = 16;
/// The most failed attempts that a caller may count.
const MAX_RECENT_FAILURES: u32 = 1000;
/// Half around the earth, in kilometres.
const MAX_UNCERTAINTY_KM: u16 = 20_000;
/// The longest assertion, in bytes.
const MAX_ASSERTION_BYTES: usize = 16_384;
/// The shortest and the longest justification, in characters.
const JUSTIFICATION_CHARACTERS: (usize, usize) = (10, 500);

/// Whom a nonce is for.
pub fn issue_nonce(request: v1::IssueNonceRequest) -> Result<(TenantId, SessionId), Violations> {
    collect(|found| {
        let tenant = text::tenant(request.tenant, Path::Request.field("tenant"), found);
        let session = text::id(request.session, Path::Request.field("session"), found);
        Ok((tenant?, session?))
    })
}

/// One question. `now` is the moment that claims are held against.
pub fn assess(request: v1::AssessRequest, now: Timestamp) -> Result<Assessment, Violations> {
    collect(|found| {
        let id = text::id(request.request_id, Path::Request.field("request_id"), found);
        let at = Path::Request.field("assessment");
        let question = request.assessment.ok_or_else(|| found.add(at, "must be set"))?;
        let v1::Assessment {
            tenant,
            subject,
            roles,
            session,
            device,
            action,
            client,
            claims,
            telemetry,
            assertion,
            break_glass,
        } = question;
        let who = text::subject(tenant, subject, at, found);
        let roles = self::roles(roles, at.field("roles"), found);
        let session = text::id(session, at.field("session"), found);
        let device = self::device(device, at.field("device"), found);
        let action = self::action(action.as_ref(), at.field("action"), found);
        let client = self::client(&client.unwrap_or_default(), at.field("client"), found);
        let claims = self::claims(claims, now, at.field("claims"), found);
        let telemetry = telemetry::field(telemetry.unwrap_or_default(), at.field("telemetry"), found);
        let assertion = assertion.map(|it| self::assertion(it, at.field("assertion"), found)).transpose();
        let break_glass =
            break_glass.map(|it| self::break_glass(it, at.field("break_glass"), found)).transpose();
        Ok(Assessment {
            request: id?,
            who: who?,
            roles: roles?,
            session: session?,
            device: device?,
            action: action?,
            client: client?,
            claims: claims?,
            telemetry: telemetry?,
            assertion: assertion?,
            break_glass: break_glass?,
        })
    })
}

/// The answer to a STEP_UP.
pub fn complete_step_up(request: v1::CompleteStepUpRequest) -> Result<StepUpAnswer, Violations> {
    let at = Path::Request;
    collect(|found| {
        let who = text::subject(request.tenant, request.subject, at, found);
        let session = text::id(request.session, at.field("session"), found);
        let assertion = required_assertion(request.assertion, at.field("assertion"), found);
        let break_glass =
            request.break_glass.map(|it| break_glass(it, at.field("break_glass"), found)).transpose();
        Ok(StepUpAnswer { who: who?, session: session?, assertion: assertion?, break_glass: break_glass? })
    })
}

/// Whose risk, in which session.
pub fn get_risk(request: v1::GetRiskRequest) -> Result<(SubjectKey, SessionId), Violations> {
    collect(|found| {
        let who = text::subject(request.tenant, request.subject, Path::Request, found);
        let session = text::id(request.session, Path::Request.field("session"), found);
        Ok((who?, session?))
    })
}

/// What became of which decision.
pub fn report_outcome(
    request: v1::ReportOutcomeRequest,
) -> Result<(SubjectKey, DecisionId, ReportedOutcome), Violations> {
    collect(|found| {
        let who = text::subject(request.tenant, request.subject, Path::Request, found);
        let decision = text::decision_id(&request.decision_id, Path::Request.field("decision_id"), found);
        let outcome = enums::value(request.outcome, Path::Request.field("outcome"), found);
        Ok((who?, decision?, outcome?))
    })
}

/// An assertion that must be there.
pub(super) fn required_assertion(
    message: Option<v1::PasskeyAssertion>,
    at: Path<'_>,
    found: &mut Violations,
) -> Checked<AssertionResponse> {
    match message {
        Some(message) => assertion(message, at, found),
        None => Err(found.add(at, "must be set")),
    }
}

fn roles(names: Vec<String>, at: Path<'_>, found: &mut Violations) -> Checked<Roles> {
    if !(1..=MAX_ROLES).contains(&names.len()) {
        return Err(found.add(at, format_args!("must be 1 to {MAX_ROLES} roles")));
    }
    each(names, at, found, text::id::<RoleName>)
}

fn device(message: Option<v1::Device>, at: Path<'_>, found: &mut Violations) -> Checked<Device> {
    let message = message.ok_or_else(|| found.add(at, "must be set"))?;
    let id = text::optional_id(message.id, at.field("id"), found);
    let class = enums::value(message.device_class, at.field("device_class"), found);
    Ok(Device { id: id?, class: class? })
}

fn action(message: Option<&v1::Action>, at: Path<'_>, found: &mut Violations) -> Checked<Action> {
    let message = message.ok_or_else(|| found.add(at, "must be set"))?;
    let kind = enums::value(message.kind, at.field("kind"), found);
    let sensitivity = enums::value(message.sensitivity, at.field("sensitivity"), found);
    Ok(Action { kind: kind?, sensitivity: sensitivity?, in_care_team: message.in_care_team })
}

fn client(message: &v1::ClientContext, at: Path<'_>, found: &mut Violations) -> Checked<ClientContext> {
    let ip = ip(&message.ip, at.field("ip"), found);
    let recent_failures = match message.recent_failures {
        n if n > MAX_RECENT_FAILURES => {
            Err(found.add(at.field("recent_failures"), format_args!("must be at most {MAX_RECENT_FAILURES}")))
        }
        n => Ok(n),
    };
    let location = message.location.map(|it| self::location(it, at.field("location"), found)).transpose();
    Ok(ClientContext { ip: ip?, recent_failures: recent_failures?, location: location? })
}

fn location(message: v1::CoarseLocation, at: Path<'_>, found: &mut Violations) -> Checked<CoarseLocation> {
    let tenths = |value: i32, most: i16, at: Path<'_>, found: &mut Violations| {
        let value = i16::try_from(value).ok().filter(|value| (-most..=most).contains(value));
        value.ok_or_else(|| found.add(at, format_args!("must be between -{most} and {most}")))
    };
    let latitude = tenths(message.latitude_tenths, 900, at.field("latitude_tenths"), found);
    let longitude = tenths(message.longitude_tenths, 1800, at.field("longitude_tenths"), found);
    let uncertainty = u16::try_from(message.uncertainty_km).ok().filter(|km| *km <= MAX_UNCERTAINTY_KM);
    let uncertainty = uncertainty.ok_or_else(|| {
        found.add(at.field("uncertainty_km"), format_args!("must be at most {MAX_UNCERTAINTY_KM}"))
    });
    Ok(CoarseLocation {
        latitude_tenths: latitude?,
        longitude_tenths: longitude?,
        uncertainty_km: uncertainty?,
    })
}

/// An IPv4 address that came as IPv6 (`::ffff:192.0.2.1`) is the same network as the IPv4 address.
fn ip(text: &str, at: Path<'_>, found: &mut Violations) -> Checked<Option<IpAddr>> {
    if text.is_empty() {
        return Ok(None);
    }
    let ip = text.parse::<IpAddr>().map_err(|_| found.add(at, "must be an IPv4 or IPv6 address"))?;
    Ok(Some(ip.to_canonical()))
}

fn claims(
    messages: Vec<v1::Claim>,
    now: Timestamp,
    at: Path<'_>,
    found: &mut Violations,
) -> Checked<Vec<Claim>> {
    if messages.len() > ClaimKind::ALL.len() {
        return Err(found.add(at, "must have each kind at most once"));
    }
    let claims = each(messages, at, found, |message, at, found| claim(&message, now, at, found))?;
    let repeats =
        |(index, claim): &(usize, &Claim)| claims[..*index].iter().any(|earlier| earlier.kind == claim.kind);
    match claims.iter().enumerate().find(repeats) {
        Some((index, _)) => Err(found.add(at.entry(index).field("kind"), "must not repeat an earlier claim")),
        None => Ok(claims),
    }
}

fn claim(message: &v1::Claim, now: Timestamp, at: Path<'_>, found: &mut Violations) -> Checked<Claim> {
    let kind = enums::value(message.kind, at.field("kind"), found);
    let verified_at = time::past(message.verified_at, now, at.field("verified_at"), found);
    Ok(Claim { kind: kind?, verified_at: verified_at? })
}

fn assertion(
    message: v1::PasskeyAssertion,
    at: Path<'_>,
    found: &mut Violations,
) -> Checked<AssertionResponse> {
    let ceremony = text::id(message.ceremony_id, at.field("ceremony_id"), found);
    let json =
        text::document(message.credential_json, MAX_ASSERTION_BYTES, at.field("credential_json"), found);
    Ok(AssertionResponse { ceremony: ceremony?, credential_json: json? })
}

fn break_glass(message: v1::BreakGlass, at: Path<'_>, found: &mut Violations) -> Checked<BreakGlass> {
    let (min, max) = JUSTIFICATION_CHARACTERS;
    let justification = text::words(message.justification, min, max, at.field("justification"), found)?;
    Ok(BreakGlass { justification })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_764_000_000);

    fn claim_at(kind: v1::ClaimKind, seconds: i64) -> v1::Claim {
        v1::Claim { kind: kind.into(), verified_at: Some(prost_types::Timestamp { seconds, nanos: 0 }) }
    }

    fn question() -> v1::Assessment {
        v1::Assessment {
            tenant: "st-mary".into(),
            subject: "u-1".into(),
            roles: vec!["clinician".into()],
            session: "s-1".into(),
            device: Some(v1::Device { id: String::new(), device_class: v1::DeviceClass::Kiosk.into() }),
            action: Some(v1::Action {
                kind: v1::ActionKind::Login.into(),
                sensitivity: v1::Sensitivity::Clinical.into(),
                in_care_team: Some(false),
            }),
            client: Some(v1::ClientContext {
                ip: "::ffff:192.0.2.1".into(),
                recent_failures: 1000,
                location: Some(v1::CoarseLocation {
                    latitude_tenths: -900,
                    longitude_tenths: 1800,
                    uncertainty_km: 20_000,
                }),
            }),
            claims: vec![claim_at(v1::ClaimKind::Password, NOW.secs())],
            ..Default::default()
        }
    }

    fn ask(spoil: impl FnOnce(&mut v1::Assessment)) -> Result<Assessment, Vec<String>> {
        let mut question = question();
        spoil(&mut question);
        let request = v1::AssessRequest { request_id: "r-1".into(), assessment: Some(question) };
        assess(request, NOW)
            .map_err(|found| found.into_named().into_iter().map(|violation| violation.field).collect())
    }

    fn refused(spoil: impl FnOnce(&mut v1::Assessment)) -> Vec<String> {
        ask(spoil).unwrap_err()
    }

    #[test]
    fn a_question_arrives_as_it_was_asked() {
        let asked = ask(|_| {}).unwrap();
        assert_eq!((asked.who.tenant.as_str(), asked.who.subject.as_str()), ("st-mary", "u-1"));
        assert_eq!(asked.device, Device { id: None, class: keyward_domain::DeviceClass::Kiosk });
        assert_eq!(asked.action.in_care_team, Some(false));
        assert_eq!(asked.client.ip, Some(IpAddr::from([192, 0, 2, 1])));
        let there = CoarseLocation { latitude_tenths: -900, longitude_tenths: 1800, uncertainty_km: 20_000 };
        assert_eq!(asked.client.location, Some(there));
        assert_eq!(asked.claims, [Claim { kind: ClaimKind::Password, verified_at: NOW }]);
        assert_eq!(asked.telemetry, keyward_domain::Telemetry::default());
    }

    #[test]
    fn an_empty_question_is_told_all_that_it_lacks() {
        let found = assess(v1::AssessRequest::default(), NOW).unwrap_err();
        let fields: Vec<_> = found.named().iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["request_id", "assessment"]);
        let fields = refused(|question| *question = v1::Assessment::default());
        let expected = ["tenant", "subject", "roles", "session", "device", "action"];
        assert_eq!(fields, expected.map(|field| format!("assessment.{field}")));
    }

    #[test]
    fn each_fault_is_named_where_it_is() {
        assert_eq!(refused(|q| q.roles[0] = "a b".into()), ["assessment.roles[0]"]);
        assert_eq!(refused(|q| q.roles = vec!["r".into(); 17]), ["assessment.roles"]);
        assert_eq!(refused(|q| q.device = Some(v1::Device::default())), ["assessment.device.device_class"]);
        let fields = refused(|q| {
            q.action = Some(v1::Action { kind: 99, sensitivity: -1, in_care_team: None });
        });
        assert_eq!(fields, ["assessment.action.kind", "assessment.action.sensitivity"]);
        let fields = refused(|q| {
            q.client = Some(v1::ClientContext {
                ip: "::1%eth0".into(),
                recent_failures: 1001,
                location: Some(v1::CoarseLocation {
                    latitude_tenths: 901,
                    longitude_tenths: i32::MIN,
                    uncertainty_km: 20_001,
                }),
            });
        });
        let location = ["latitude_tenths", "longitude_tenths", "uncertainty_km"];
        let expected = ["ip", "recent_failures"].into_iter().map(str::to_owned);
        let expected = expected.chain(location.map(|field| format!("location.{field}")));
        let expected: Vec<_> = expected.map(|field| format!("assessment.client.{field}")).collect();
        assert_eq!(fields, expected);
    }

    #[test]
    fn claims_are_of_the_past_and_each_kind_once() {
        assert_eq!(refused(|q| q.claims.extend(question().claims)), ["assessment.claims[1].kind"]);
        assert_eq!(refused(|q| q.claims = vec![q.claims[0]; 4]), ["assessment.claims"]);
        let ahead = |by| {
            move |q: &mut v1::Assessment| q.claims = vec![claim_at(v1::ClaimKind::Badge, NOW.secs() + by)]
        };
        assert_eq!(refused(ahead(61)), ["assessment.claims[0].verified_at"]);
        assert!(ask(ahead(60)).is_ok());
        let fields = refused(|q| q.claims = vec![v1::Claim::default(), v1::Claim::default()]);
        let expected = ["[0].kind", "[0].verified_at", "[1].kind", "[1].verified_at"];
        assert_eq!(fields, expected.map(|field| format!("assessment.claims{field}")));
    }

    #[test]
    fn credentials_and_words_are_bounded() {
        let with = |bytes: usize, words: usize| {
            move |q: &mut v1::Assessment| {
                q.assertion = Some(v1::PasskeyAssertion {
                    ceremony_id: "c".into(),
                    credential_json: "x".repeat(bytes),
                });
                q.break_glass = Some(v1::BreakGlass { justification: "ä".repeat(words) });
            }
        };
        assert!(ask(with(16_384, 10)).is_ok() && ask(with(1, 500)).is_ok());
        let both = ["assessment.assertion.credential_json", "assessment.break_glass.justification"];
        assert_eq!(refused(with(16_385, 9)), both);
        assert_eq!(refused(with(0, 501)), both);
    }
}
