//! A situation as a Cedar request. What never changes is built once.

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};
use keyward_domain::{ActionKind, Band, DeviceClass, Maturity, RoleName, Sensitivity};

use crate::PolicyError;
use crate::facts::NonceState;
use crate::situation::{NEVER_S, Situation};

/// The schema's names of a nonce's states, in the order of [`NonceState`].
const NONCE_STATES: [&str; 5] = ["valid", "missing", "stale", "reused", "unverified"];
const BEHAVIOURS: [&str; 4] = ["silent", "low", "medium", "high"];
const CARE_TEAM: [&str; 3] = ["member", "other", "unknown"];

/// How a situation tells an attribute.
#[derive(Clone, Copy)]
pub(crate) enum Reading {
    Flag(fn(&Situation) -> bool),
    Number(fn(&Situation) -> i64),
    /// A position among the words of its type.
    Word(fn(&Situation) -> usize, fn(&Vocabulary) -> &[RestrictedExpression]),
}

use Reading::{Flag, Number, Word};

/// Every attribute of the schema's context: its name, and how a situation tells it.
pub(crate) const ATTRIBUTES: [(&str, Reading); 26] = [
    ("factor_age_s", Number(Situation::factor_age_s)),
    ("possession_age_s", Number(Situation::possession_age_s)),
    ("passkey_age_s", Number(Situation::passkey_age_s)),
    ("hardware_passkey_age_s", Number(Situation::hardware_passkey_age_s)),
    ("password_age_s", Number(|s| s.password_age_s)),
    ("badge_age_s", Number(|s| s.badge_age_s)),
    ("sso_age_s", Number(|s| s.sso_age_s)),
    ("device", Word(|s| s.device as usize, |v| &v.devices)),
    ("device_known", Flag(|s| s.device_known)),
    ("network_known", Flag(|s| s.network_known)),
    ("travel_impossible", Flag(|s| s.travel_impossible)),
    ("care_team", Word(|s| care_team(s.in_care_team), |v| &v.care_team)),
    ("behaviour", Word(|s| behaviour(s.behaviour), |v| &v.behaviours)),
    ("maturity", Word(|s| s.maturity as usize, |v| &v.maturities)),
    ("typing_proof_due", Flag(|s| s.typing_proof_due)),
    ("replayed", Flag(|s| s.integrity.replayed)),
    ("machine_like", Flag(|s| s.integrity.machine_like)),
    ("nonce", Word(|s| nonce(s.integrity.nonce), |v| &v.nonces)),
    ("record_access_burst", Flag(|s| s.record_access_burst)),
    ("counter_regressed", Flag(|s| s.authenticator.counter_regressed)),
    ("backup_changed", Flag(|s| s.authenticator.backup_changed)),
    ("recent_failures", Number(|s| i64::from(s.recent_failures))),
    ("attempts_limited", Flag(|s| s.attempts_limited)),
    ("hot_store_missing", Flag(|s| s.hot_store_missing)),
    ("model_missing", Flag(|s| s.model_missing)),
    ("break_glass", Flag(|s| s.break_glass)),
];

/// Every entity that a request can name, built once for a policy set.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    subject: EntityUid,
    actions: Vec<EntityUid>,
    sensitivities: Vec<EntityUid>,
    devices: Vec<RestrictedExpression>,
    behaviours: Vec<RestrictedExpression>,
    maturities: Vec<RestrictedExpression>,
    nonces: Vec<RestrictedExpression>,
    care_team: Vec<RestrictedExpression>,
    bools: [RestrictedExpression; 2],
    never: RestrictedExpression,
    /// The roles that some policy names, in order.
    roles: Vec<String>,
}

/// The roles that a person has, as positions among the roles that policies name, in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Person(pub(crate) Vec<usize>);

impl Vocabulary {
    /// For policies that name these roles.
    pub(crate) fn new(roles: impl IntoIterator<Item = String>) -> Result<Self, PolicyError> {
        let words = |type_name: &str, names: &[&str]| {
            names
                .iter()
                .map(|name| Ok(RestrictedExpression::new_entity_uid(uid(type_name, name)?)))
                .collect::<Result<Vec<_>, PolicyError>>()
        };
        Ok(Self {
            subject: subject()?,
            actions: uids("Action", ActionKind::ALL.iter().map(|kind| kind.name()))?,
            sensitivities: uids("Sensitivity", Sensitivity::ALL.iter().map(|s| s.name()))?,
            devices: words("Device", &DeviceClass::ALL.iter().map(|d| d.name()).collect::<Vec<_>>())?,
            behaviours: words("Behaviour", &BEHAVIOURS)?,
            maturities: words("Maturity", &Maturity::ALL.iter().map(|m| m.name()).collect::<Vec<_>>())?,
            nonces: words("Nonce", &NONCE_STATES)?,
            care_team: words("CareTeam", &CARE_TEAM)?,
            bools: [false, true].map(RestrictedExpression::new_bool),
            never: RestrictedExpression::new_long(NEVER_S),
            roles: roles.into_iter().collect(),
        })
    }

    /// The roles that policies name.
    pub(crate) fn roles(&self) -> &[String] {
        &self.roles
    }

    pub(crate) fn action(&self, kind: ActionKind) -> &EntityUid {
        &self.actions[kind as usize]
    }

    pub(crate) fn sensitivity(&self, sensitivity: Sensitivity) -> &EntityUid {
        &self.sensitivities[sensitivity as usize]
    }

    /// Who has these roles. Roles that no policy names cannot matter and are left out.
    pub(crate) fn person(&self, roles: &[RoleName]) -> Person {
        let position = |role: &RoleName| self.roles.iter().position(|named| named == role.as_str());
        let mut held: Vec<usize> = roles.iter().filter_map(position).collect();
        held.sort_unstable();
        held.dedup();
        Person(held)
    }

    /// The person as Cedar sees them.
    pub(crate) fn entities(&self, person: &Person) -> Result<Entities, PolicyError> {
        let parents =
            person.0.iter().map(|held| uid("Role", &self.roles[*held])).collect::<Result<_, _>>()?;
        let person = Entity::new_no_attrs(self.subject.clone(), parents);
        Entities::from_entities([person], None).map_err(|_| PolicyError::Request)
    }

    /// The request that asks about a situation, with these of the [`ATTRIBUTES`].
    ///
    /// It is not validated against the schema again: every attribute is named and typed right here, and a
    /// test validates requests of every kind.
    pub(crate) fn request(
        &self,
        situation: &Situation,
        attributes: &[usize],
    ) -> Result<Request, PolicyError> {
        let pairs = attributes.iter().map(|attribute| {
            let (name, reading) = ATTRIBUTES[*attribute];
            (name.to_owned(), self.value(reading, situation))
        });
        let context = Context::from_pairs(pairs).map_err(|_| PolicyError::Request)?;
        let action = self.action(situation.kind).clone();
        let resource = self.sensitivity(situation.sensitivity).clone();
        Request::new(self.subject.clone(), action, resource, context, None).map_err(|_| PolicyError::Request)
    }

    fn value(&self, reading: Reading, situation: &Situation) -> RestrictedExpression {
        match reading {
            Flag(flag) => self.bools[usize::from(flag(situation))].clone(),
            Word(word, words) => words(self)[word(situation)].clone(),
            Number(number) => match number(situation) {
                NEVER_S => self.never.clone(),
                number => RestrictedExpression::new_long(number),
            },
        }
    }
}

const fn behaviour(band: Option<Band>) -> usize {
    match band {
        None => 0,
        Some(Band::Low) => 1,
        Some(Band::Medium) => 2,
        Some(Band::High) => 3,
    }
}

const fn nonce(state: NonceState) -> usize {
    match state {
        NonceState::Valid => 0,
        NonceState::Missing => 1,
        NonceState::Stale => 2,
        NonceState::Reused => 3,
        NonceState::Unverified => 4,
    }
}

const fn care_team(member: Option<bool>) -> usize {
    match member {
        Some(true) => 0,
        Some(false) => 1,
        None => 2,
    }
}

/// The person of every request. One id for all: a policy that could name a person would be about that person.
fn subject() -> Result<EntityUid, PolicyError> {
    uid("Subject", "subject")
}

fn uids<'a>(
    type_name: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<EntityUid>, PolicyError> {
    names.into_iter().map(|name| uid(type_name, name)).collect()
}

fn uid(type_name: &str, name: &str) -> Result<EntityUid, PolicyError> {
    let type_name: EntityTypeName = type_name.parse().map_err(|_| PolicyError::Request)?;
    Ok(EntityUid::from_type_name_and_id(type_name, EntityId::new(name)))
}
