//! A situation as a Cedar request. What never changes is built once.

use std::collections::HashMap;

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

/// One attribute of the context: its name in the schema, and how a situation tells it.
type Attribute = (&'static str, fn(&Vocabulary, &Situation) -> RestrictedExpression);

/// Every attribute of the schema's context.
pub(crate) const ATTRIBUTES: [Attribute; 24] = [
    ("factor_age_s", |v, s| v.age(s.factor_age_s())),
    ("possession_age_s", |v, s| v.age(s.possession_age_s())),
    ("passkey_age_s", |v, s| v.age(s.passkey_age_s())),
    ("hardware_passkey_age_s", |v, s| v.age(s.hardware_passkey_age_s())),
    ("password_age_s", |v, s| v.age(s.password_age_s)),
    ("badge_age_s", |v, s| v.age(s.badge_age_s)),
    ("sso_age_s", |v, s| v.age(s.sso_age_s)),
    ("device", |v, s| v.devices[s.device as usize].clone()),
    ("device_known", |v, s| v.flag(s.device_known)),
    ("network_known", |v, s| v.flag(s.network_known)),
    ("care_team", |v, s| v.care_team[care_team(s.in_care_team)].clone()),
    ("behaviour", |v, s| v.behaviours[behaviour(s.behaviour)].clone()),
    ("maturity", |v, s| v.maturities[s.maturity as usize].clone()),
    ("replayed", |v, s| v.flag(s.integrity.replayed)),
    ("machine_like", |v, s| v.flag(s.integrity.machine_like)),
    ("nonce", |v, s| v.nonces[nonce(s.integrity.nonce)].clone()),
    ("record_access_burst", |v, s| v.flag(s.record_access_burst)),
    ("counter_regressed", |v, s| v.flag(s.authenticator.counter_regressed)),
    ("backup_changed", |v, s| v.flag(s.authenticator.backup_changed)),
    ("recent_failures", |_, s| RestrictedExpression::new_long(i64::from(s.recent_failures))),
    ("attempts_limited", |v, s| v.flag(s.attempts_limited)),
    ("hot_store_missing", |v, s| v.flag(s.hot_store_missing)),
    ("model_missing", |v, s| v.flag(s.model_missing)),
    ("break_glass", |v, s| v.flag(s.break_glass)),
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
    /// The person with no role that any policy names.
    nobody: Entities,
    /// The person with one role, for each role that some policy names.
    by_role: HashMap<String, Entities>,
}

impl Vocabulary {
    /// For policies that name these roles.
    pub(crate) fn new(roles: impl IntoIterator<Item = String>) -> Result<Self, PolicyError> {
        let words = |type_name: &str, names: &[&str]| {
            names
                .iter()
                .map(|name| Ok(RestrictedExpression::new_entity_uid(uid(type_name, name)?)))
                .collect::<Result<Vec<_>, PolicyError>>()
        };
        let by_role = roles.into_iter().map(|role| person(&[&role]).map(|entities| (role, entities)));
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
            nobody: person(&[])?,
            by_role: by_role.collect::<Result<_, _>>()?,
        })
    }

    /// The roles that policies name.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &str> {
        self.by_role.keys().map(String::as_str)
    }

    pub(crate) fn action(&self, kind: ActionKind) -> &EntityUid {
        &self.actions[kind as usize]
    }

    pub(crate) fn sensitivity(&self, sensitivity: Sensitivity) -> &EntityUid {
        &self.sensitivities[sensitivity as usize]
    }

    /// Hands the person with these roles to `ask`. Roles that no policy names cannot matter and are left out.
    pub(crate) fn with_person<T>(
        &self,
        roles: &[RoleName],
        ask: impl FnOnce(&Entities) -> T,
    ) -> Result<T, PolicyError> {
        let mut named: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
        named.retain(|role| self.by_role.contains_key(*role));
        match named.as_slice() {
            [] => Ok(ask(&self.nobody)),
            [role] => Ok(ask(&self.by_role[*role])),
            many => Ok(ask(&person(many)?)),
        }
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
            let (name, value) = ATTRIBUTES[*attribute];
            (name.to_owned(), value(self, situation))
        });
        let context = Context::from_pairs(pairs).map_err(|_| PolicyError::Request)?;
        let action = self.action(situation.kind).clone();
        let resource = self.sensitivity(situation.sensitivity).clone();
        Request::new(self.subject.clone(), action, resource, context, None).map_err(|_| PolicyError::Request)
    }

    fn flag(&self, value: bool) -> RestrictedExpression {
        self.bools[usize::from(value)].clone()
    }

    fn age(&self, age_s: i64) -> RestrictedExpression {
        if age_s == NEVER_S {
            return self.never.clone();
        }
        RestrictedExpression::new_long(age_s)
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

fn person(roles: &[&str]) -> Result<Entities, PolicyError> {
    let parents = roles.iter().map(|role| uid("Role", role)).collect::<Result<_, _>>()?;
    let person = Entity::new_no_attrs(subject()?, parents);
    Entities::from_entities([person], None).map_err(|_| PolicyError::Request)
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
