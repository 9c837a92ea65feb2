//! Questions as a well-behaved caller asks them: domain values, and the messages that say the same.

use keyward_api::convert::{WireEnum as _, telemetry_to_wire};
use keyward_api::v1;
use keyward_domain::{
    Action, ActionKind, AssertionResponse, Assessment, BreakGlass, CeremonyId, Claim, ClaimKind,
    ClientContext, CoarseLocation, Device, DeviceClass, DeviceId, FieldLabel, InputQuality, KeyEvents,
    KeyZone, KeystrokeSample, PointerSample, RecordAccess, RequestId, RoleName, Sensitivity, SessionId,
    SubjectId, SubjectKey, Telemetry, TelemetryNonce, TenantId, Timestamp,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// The moment at which the questions are asked.
pub(crate) const NOW: Timestamp = Timestamp { micros: 1_764_000_000_123_456 };

const ID: &str = "[!-z~]{1,128}";
/// Without the asterisk: alone, it stands for no person and no tenant.
const WHO: &str = "[!-)+-z~]{1,128}";

pub(crate) fn assessment() -> impl Strategy<Value = Assessment> {
    let ids = (ID, WHO, WHO, ID, vec(ID, 1..=16));
    let context = (device(), action(), client(), claims());
    let shown = (option::of((ID, "[ -~]{1,300}")), option::of("[a-zäöü]{10,500}"));
    (ids, context, telemetry(), shown).prop_map(|(ids, context, telemetry, (assertion, words))| {
        let (request, tenant, subject, session, roles) = ids;
        let (device, action, client, claims) = context;
        Assessment {
            request: RequestId::parse(request).expect("valid"),
            who: SubjectKey {
                tenant: TenantId::parse(tenant).expect("valid"),
                subject: SubjectId::parse(subject).expect("valid"),
            },
            roles: roles.into_iter().map(|role| RoleName::parse(role).expect("valid")).collect(),
            session: SessionId::parse(session).expect("valid"),
            device,
            action,
            client,
            claims,
            telemetry,
            assertion: assertion.map(|(ceremony, credential_json)| AssertionResponse {
                ceremony: CeremonyId::parse(ceremony).expect("valid"),
                credential_json,
            }),
            break_glass: words.map(|justification| BreakGlass { justification }),
        }
    })
}

pub(crate) fn telemetry() -> impl Strategy<Value = Telemetry> {
    let keystrokes = vec(keystrokes(), 0..=8).prop_map(|mut samples| {
        let mut labels = std::collections::HashSet::new();
        samples.retain(|sample| labels.insert(sample.field.clone()));
        samples
    });
    let access = (1..=86_400_u32, vec(0..=1_000_000_u32, 5)).prop_map(|(window_s, n)| RecordAccess {
        window_s,
        reads: n[0],
        distinct_patients: n[1],
        searches: n[2],
        changes: n[3],
        exports: n[4],
    });
    (option::of(ID), keystrokes, option::of(pointer()), option::of(access)).prop_map(
        |(nonce, keystrokes, pointer, record_access)| Telemetry {
            nonce: nonce.map(|nonce| TelemetryNonce::parse(nonce).expect("valid")),
            keystrokes,
            pointer,
            record_access,
        },
    )
}

/// The message that asks a question.
pub(crate) fn to_wire(asked: &Assessment) -> v1::AssessRequest {
    let question = v1::Assessment {
        tenant: asked.who.tenant.to_string(),
        subject: asked.who.subject.to_string(),
        roles: asked.roles.iter().map(ToString::to_string).collect(),
        session: asked.session.to_string(),
        device: Some(v1::Device {
            id: asked.device.id.as_ref().map(ToString::to_string).unwrap_or_default(),
            device_class: asked.device.class.number(),
        }),
        action: Some(v1::Action {
            kind: asked.action.kind.number(),
            sensitivity: asked.action.sensitivity.number(),
            in_care_team: asked.action.in_care_team,
        }),
        client: Some(v1::ClientContext {
            ip: asked.client.ip.map(|ip| ip.to_string()).unwrap_or_default(),
            recent_failures: asked.client.recent_failures,
            location: asked.client.location.map(|there| v1::CoarseLocation {
                latitude_tenths: there.latitude_tenths.into(),
                longitude_tenths: there.longitude_tenths.into(),
                uncertainty_km: there.uncertainty_km.into(),
            }),
        }),
        claims: asked.claims.iter().map(claim_to_wire).collect(),
        telemetry: Some(telemetry_to_wire(&asked.telemetry)),
        assertion: asked.assertion.as_ref().map(|it| v1::PasskeyAssertion {
            ceremony_id: it.ceremony.to_string(),
            credential_json: it.credential_json.clone(),
        }),
        break_glass: asked
            .break_glass
            .as_ref()
            .map(|it| v1::BreakGlass { justification: it.justification.clone() }),
    };
    v1::AssessRequest { request_id: asked.request.to_string(), assessment: Some(question) }
}

fn claim_to_wire(claim: &Claim) -> v1::Claim {
    let (seconds, micros) = (claim.verified_at.secs(), claim.verified_at.micros.rem_euclid(1_000_000));
    let nanos = i32::try_from(micros * 1000).expect("below a second");
    v1::Claim { kind: claim.kind.number(), verified_at: Some(prost_types::Timestamp { seconds, nanos }) }
}

fn device() -> impl Strategy<Value = Device> {
    (option::of(ID), select(DeviceClass::ALL))
        .prop_map(|(id, class)| Device { id: id.map(|id| DeviceId::parse(id).expect("valid")), class })
}

fn action() -> impl Strategy<Value = Action> {
    (select(ActionKind::ALL), select(Sensitivity::ALL), any::<Option<bool>>())
        .prop_map(|(kind, sensitivity, in_care_team)| Action { kind, sensitivity, in_care_team })
}

fn client() -> impl Strategy<Value = ClientContext> {
    let location = (-900_i16..=900, -1800_i16..=1800, 0..=20_000_u16).prop_map(|(north, east, km)| {
        CoarseLocation { latitude_tenths: north, longitude_tenths: east, uncertainty_km: km }
    });
    (any::<Option<std::net::IpAddr>>(), 0..=1000_u32, option::of(location)).prop_map(
        |(ip, recent_failures, location)| ClientContext {
            ip: ip.map(|ip| ip.to_canonical()),
            recent_failures,
            location,
        },
    )
}

fn claims() -> impl Strategy<Value = Vec<Claim>> {
    let kinds = subsequence(ClaimKind::ALL.to_vec(), 0..=ClaimKind::ALL.len()).prop_shuffle();
    (kinds, -62_135_596_800_000_000..=NOW.micros + 60_000_000).prop_map(|(kinds, micros)| {
        kinds.into_iter().map(|kind| Claim { kind, verified_at: Timestamp { micros } }).collect()
    })
}

fn keystrokes() -> impl Strategy<Value = KeystrokeSample> {
    let presses = vec((any::<u16>(), select(KeyZone::ALL), 0..300_000_u32, 0..300_000_u32), 0..60);
    let quality = any::<[bool; 5]>().prop_map(|[pasted, autofilled, composed, coarse_clock, free_text]| {
        InputQuality { pasted, autofilled, composed, coarse_clock, free_text }
    });
    (ID, presses, quality).prop_map(|(field, presses, quality)| {
        let mut now = 0;
        let down: Vec<u32> = presses
            .iter()
            .map(|(_, _, gap, _)| {
                now += gap;
                now
            })
            .collect();
        let up = down.iter().zip(&presses).map(|(down, (_, _, _, held))| down + held).collect();
        let (position, zone) = presses.iter().map(|(position, zone, _, _)| (*position, *zone)).unzip();
        let events = KeyEvents::new(position, zone, down, up).expect("made to hold");
        KeystrokeSample { field: FieldLabel::parse(field).expect("valid"), events, quality }
    })
}

fn pointer() -> impl Strategy<Value = PointerSample> {
    let px = || -100_000..=100_000_i32;
    vec((0..=600_000_000_u32, px(), px(), any::<bool>()), 0..50).prop_map(|mut moves| {
        moves.sort_by_key(|(t, ..)| *t);
        let mut sample = PointerSample::default();
        for (t, x, y, pressed) in moves {
            sample.t_us.push(t);
            sample.x.push(x);
            sample.y.push(y);
            sample.pressed.push(pressed);
        }
        sample
    })
}
