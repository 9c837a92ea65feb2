//! What a policy says of itself beside its rule: `@id`, `@description`, `@obligation`, `@reason`,
//! `@valid_for_s`.

use std::time::Duration;

use cedar_policy::{Effect, Policy};
use keyward_domain::{Obligation, PolicyId, ReasonCode};

use crate::PolicyError;

/// The longest time that a permit may let a caller act on it: a shift, in seconds.
const MAX_VALID_FOR_S: u64 = 43_200;

/// A policy's annotations, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) id: PolicyId,
    /// With a permit: what comes with ALLOW. With a forbid: what comes with the STEP_UP or DENY that it
    /// causes.
    pub(crate) obligations: Vec<Obligation>,
    /// Of a forbid: the reason that it stands for.
    pub(crate) reason: Option<ReasonCode>,
    /// Of a permit: how long the caller may act on it.
    pub(crate) valid_for: Option<Duration>,
}

impl Meta {
    /// Reads the annotations of a policy that begins at `line`.
    pub(crate) fn read(policy: &Policy, line: usize) -> Result<Self, PolicyError> {
        let id = policy.annotation("id").ok_or(PolicyError::MissingId { line })?;
        let id = PolicyId::parse(id).map_err(|cause| PolicyError::BadId { line, cause })?;
        let mut meta = Self { id, obligations: Vec::new(), reason: None, valid_for: None };
        for (name, value) in policy.annotations() {
            meta.read_one(policy.effect(), name, value).map_err(|problem| PolicyError::Annotation {
                id: meta.id.clone(),
                line,
                name: name.to_owned(),
                problem,
            })?;
        }
        Ok(meta)
    }

    fn read_one(&mut self, effect: Effect, name: &str, value: &str) -> Result<(), String> {
        match (name, effect) {
            ("description", _) if value.trim().is_empty() => return Err("is empty".into()),
            ("id" | "description", _) => {}
            ("obligation", _) => self.obligations = obligations(value)?,
            ("reason", Effect::Forbid) => self.reason = Some(reason(value)?),
            ("valid_for_s", Effect::Permit) => self.valid_for = Some(valid_for(value)?),
            ("reason", Effect::Permit) => return Err("belongs to a forbid".into()),
            ("valid_for_s", Effect::Forbid) => return Err("belongs to a permit".into()),
            _ => {
                return Err(
                    "is unknown; known are id, description, obligation, reason and valid_for_s".into()
                );
            }
        }
        Ok(())
    }
}

fn obligations(value: &str) -> Result<Vec<Obligation>, String> {
    let one = |name: &str| {
        let found = Obligation::ALL.iter().find(|obligation| obligation.name() == name);
        found.copied().ok_or_else(|| format!("names no obligation: `{name}`"))
    };
    value.split(',').map(|name| one(name.trim())).collect()
}

fn reason(value: &str) -> Result<ReasonCode, String> {
    let found = ReasonCode::ALL.iter().find(|reason| reason.code() == value);
    found.copied().ok_or_else(|| format!("names no reason code: `{value}`"))
}

fn valid_for(value: &str) -> Result<Duration, String> {
    let seconds = value.parse().ok().filter(|seconds| (1..=MAX_VALID_FOR_S).contains(seconds));
    let seconds = seconds.ok_or_else(|| format!("must be whole seconds from 1 to {MAX_VALID_FOR_S}"))?;
    Ok(Duration::from_secs(seconds))
}
