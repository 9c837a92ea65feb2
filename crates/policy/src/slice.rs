//! The policies that can matter to a request. Cedar evaluates every policy of a set at each question, so
//! policies that cannot match are left out beforehand; the answers are the same, which a test checks against
//! the whole set.

use std::collections::BTreeSet;

use cedar_policy::{ActionConstraint, EntityUid, Policy, PolicySet, ResourceConstraint};
use keyward_domain::{ActionKind, Sensitivity};
use serde_json::Value;

use crate::PolicyError;
use crate::memo::Classes;
use crate::request::{ATTRIBUTES, Vocabulary};
use crate::situation::Situation;
use crate::trigger::Trigger;

/// For each action and sensitivity, the policies whose scope covers both.
#[derive(Debug)]
pub(crate) struct Slices(Vec<Slice>);

#[derive(Debug)]
struct Slice {
    /// All of them.
    all: Part,
    /// Those that wait for nothing: enough while no trigger holds.
    calm: Part,
    triggers: Vec<Trigger>,
}

/// Some policies, and what they look at.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) policies: PolicySet,
    /// Positions in [`ATTRIBUTES`].
    pub(crate) attributes: Vec<usize>,
    /// Unique among the parts of all slices.
    pub(crate) number: u16,
    /// How questions to these policies are told apart; `None` when their answers cannot be kept.
    pub(crate) classes: Option<Classes>,
}

/// A policy, and what was read from its condition.
struct Read<'a> {
    policy: &'a Policy,
    json: Value,
    trigger: Option<Trigger>,
    mentioned: BTreeSet<String>,
}

impl Slices {
    pub(crate) fn new(vocabulary: &Vocabulary, policies: &[Policy]) -> Result<Self, PolicyError> {
        let read = policies.iter().map(Read::new).collect::<Result<Vec<_>, _>>()?;
        let pairs = ActionKind::ALL.iter().flat_map(|kind| Sensitivity::ALL.iter().map(move |s| (*kind, *s)));
        let slices = pairs.zip(0..).map(|((kind, sensitivity), number)| {
            let (action, resource) = (vocabulary.action(kind), vocabulary.sensitivity(sensitivity));
            let covering: Vec<&Read> = read.iter().filter(|r| covers(r.policy, action, resource)).collect();
            Slice::new(&covering, 2 * number)
        });
        slices.collect::<Result<_, _>>().map(Self)
    }

    /// The policies to ask about a situation.
    pub(crate) fn of(&self, situation: &Situation) -> &Part {
        let slice =
            &self.0[situation.kind as usize * Sensitivity::ALL.len() + situation.sensitivity as usize];
        if slice.triggers.iter().any(|trigger| trigger.holds(situation)) { &slice.all } else { &slice.calm }
    }
}

impl Slice {
    fn new(policies: &[&Read], number: u16) -> Result<Self, PolicyError> {
        let calm: Vec<&Read> = policies.iter().copied().filter(|read| read.trigger.is_none()).collect();
        Ok(Self {
            all: Part::new(policies, number)?,
            calm: Part::new(&calm, number + 1)?,
            triggers: policies.iter().filter_map(|read| read.trigger).collect(),
        })
    }
}

impl Part {
    fn new(policies: &[&Read], number: u16) -> Result<Self, PolicyError> {
        let mentioned = |name| policies.iter().any(|read| read.mentioned.contains(name));
        let attributes: Vec<usize> = (0..ATTRIBUTES.len()).filter(|i| mentioned(ATTRIBUTES[*i].0)).collect();
        let classes = Classes::of(policies.iter().map(|read| &read.json), &attributes);
        let policies = set_of(policies.iter().map(|read| read.policy.clone()))?;
        Ok(Self { policies, attributes, number, classes })
    }
}

impl<'a> Read<'a> {
    fn new(policy: &'a Policy) -> Result<Self, PolicyError> {
        let json = policy.to_json().map_err(|_| PolicyError::Request)?;
        let mut mentioned = BTreeSet::new();
        mention(&json, &mut mentioned);
        Ok(Self { policy, trigger: Trigger::of(&json), mentioned, json })
    }
}

/// Collects the attributes of the context that an expression looks at.
fn mention(expression: &Value, mentioned: &mut BTreeSet<String>) {
    match expression {
        Value::Object(fields) => {
            if fields.get("Var").is_some_and(|var| var == "context") {
                // The context as a whole, not one attribute of it.
                mentioned.extend(ATTRIBUTES.iter().map(|(name, _)| (*name).to_owned()));
            }
            for (key, value) in fields {
                match context_attribute(key, value) {
                    Some(name) => drop(mentioned.insert(name.to_owned())),
                    None => mention(value, mentioned),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| mention(item, mentioned)),
        _ => {}
    }
}

/// The name in `context.name` and in `context has name`.
fn context_attribute<'a>(operator: &str, operands: &'a Value) -> Option<&'a str> {
    let of_context = operands.get("left")?.get("Var")? == "context";
    operands.get("attr")?.as_str().filter(|_| of_context && matches!(operator, "." | "has"))
}

/// A set of policies whose ids are known to be unique.
pub(crate) fn set_of(policies: impl IntoIterator<Item = Policy>) -> Result<PolicySet, PolicyError> {
    PolicySet::from_policies(policies).map_err(|_| PolicyError::Request)
}

/// Whether the scope can match. The schema has no action groups and no groups of resources, so `in` is
/// equality.
fn covers(policy: &Policy, action: &EntityUid, resource: &EntityUid) -> bool {
    let action_covered = match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(one) => one == *action,
        ActionConstraint::In(some) => some.contains(action),
    };
    let resource_covered = match policy.resource_constraint() {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => true,
        ResourceConstraint::Eq(one) | ResourceConstraint::In(one) | ResourceConstraint::IsIn(_, one) => {
            one == *resource
        }
    };
    action_covered && resource_covered
}
