//! Answers that were given before. A ruling depends on the person's roles, on which policies are asked, and on the
//! attributes that they look at; of a number it depends only on where it lies among the constants that policies compare
//! it with. So two logins a second apart are one question, and Cedar is asked once.
//!
//! A number that a policy does anything else with (adds it, puts it into a set) keeps the questions of its policies out
//! of the memo.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use serde_json::Value;

use crate::request::{ATTRIBUTES, Person, Reading};
use crate::set::Ruling;
use crate::situation::Situation;

/// Answers that are kept. A client that varies what it can vary empties the memo, and pays with Cedar's time.
const CAPACITY: usize = 8192;
/// The most roles that a policy set may name for its answers to be kept.
const MAX_ROLES: usize = 64;

/// The constants that one attribute is compared with, in order; `None` when it is used otherwise.
type Limits = Option<Vec<i64>>;

/// What some policies make of the attributes that they look at.
#[derive(Debug, Clone)]
pub(crate) struct Classes {
    /// Attribute and, for a number, its limits.
    looked_at: Vec<(usize, Vec<i64>)>,
}

/// A question, up to what cannot change its answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    /// Bits of [`Person`].
    roles: u64,
    part: u16,
    classes: [u16; ATTRIBUTES.len()],
}

/// Answers by question. Holds no person and no behaviour beyond the band.
#[derive(Debug, Default)]
pub(crate) struct Memo(RwLock<HashMap<Question, Ruling>>);

impl Classes {
    /// For policies in Cedar's JSON form that look at these attributes; `None` if their answers cannot be kept.
    pub(crate) fn of<'a>(policies: impl Iterator<Item = &'a Value>, attributes: &[usize]) -> Option<Self> {
        let mut limits: Vec<Limits> = vec![Some(Vec::new()); ATTRIBUTES.len()];
        policies.for_each(|policy| collect(policy, &mut limits));
        let looked_at = attributes.iter().map(|attribute| {
            let mut limits = limits[*attribute].take()?;
            limits.sort_unstable();
            limits.dedup();
            Some((*attribute, limits))
        });
        Some(Self { looked_at: looked_at.collect::<Option<_>>()? })
    }

    /// The question that a person in a situation asks of the policies numbered `part`.
    pub(crate) fn question(&self, part: u16, person: &Person, situation: &Situation) -> Option<Question> {
        let roles =
            person.0.iter().try_fold(0, |bits, role| (*role < MAX_ROLES).then(|| bits | 1_u64 << role))?;
        let mut classes = [0; ATTRIBUTES.len()];
        for (attribute, limits) in &self.looked_at {
            let class = match ATTRIBUTES[*attribute].1 {
                Reading::Flag(flag) => usize::from(flag(situation)),
                Reading::Word(word, _) => word(situation),
                Reading::Number(number) => class(number(situation), limits),
            };
            classes[*attribute] = u16::try_from(class).ok()?;
        }
        Some(Question { roles, part, classes })
    }
}

/// Where a number lies: below, at or above each limit.
fn class(number: i64, limits: &[i64]) -> usize {
    let below = limits.partition_point(|limit| *limit < number);
    2 * below + usize::from(limits.get(below) == Some(&number))
}

impl Memo {
    pub(crate) fn get(&self, question: &Question) -> Option<Ruling> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(question).cloned()
    }

    pub(crate) fn put(&self, question: Question, ruling: Ruling) {
        let mut answers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= CAPACITY {
            answers.clear();
        }
        answers.insert(question, ruling);
    }
}

/// Notes what the numbers in an expression are compared with.
fn collect(expression: &Value, limits: &mut [Limits]) {
    match expression {
        Value::Object(fields) => fields.iter().for_each(|(operator, operands)| {
            if let Some((attribute, limit)) = comparison(operator, operands) {
                if let Some(limits) = &mut limits[attribute] {
                    limits.push(limit);
                }
            } else if let Some(attribute) = number(fields.get(".").filter(|_| operator == ".")) {
                limits[attribute] = None;
            } else if operator == "Var" && operands == "context" {
                // The context as a whole.
                limits.fill(None);
            } else if operator == "." && of_context(operands) || operator == "has" && of_context(operands) {
                // A flag, a word, or whether an attribute is there: known by its class.
            } else {
                collect(operands, limits);
            }
        }),
        Value::Array(items) => items.iter().for_each(|item| collect(item, limits)),
        _ => {}
    }
}

/// A number of the context beside a constant, in either order.
fn comparison(operator: &str, operands: &Value) -> Option<(usize, i64)> {
    if !matches!(operator, "<" | "<=" | ">" | ">=" | "==" | "!=") {
        return None;
    }
    let (left, right) = (operands.get("left")?, operands.get("right")?);
    let pair = |attribute: &Value, constant: &Value| {
        Some((number(attribute.get("."))?, constant.get("Value")?.as_i64()?))
    };
    pair(left, right).or_else(|| pair(right, left))
}

/// The number that an access (`context.name`) names.
fn number(access: Option<&Value>) -> Option<usize> {
    let name = access.filter(|access| of_context(access))?.get("attr")?.as_str()?;
    let at = ATTRIBUTES.iter().position(|(attribute, _)| *attribute == name)?;
    matches!(ATTRIBUTES[at].1, Reading::Number(_)).then_some(at)
}

fn of_context(access: &Value) -> bool {
    access.get("left").and_then(|left| left.get("Var")).is_some_and(|var| var == "context")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits_of(condition: &str) -> Vec<Limits> {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};");
        let policy: cedar_policy::Policy = text.parse().unwrap();
        let mut limits = vec![Some(Vec::new()); ATTRIBUTES.len()];
        collect(&policy.to_json().unwrap(), &mut limits);
        limits
    }

    #[test]
    fn a_number_is_known_by_the_constants_that_it_is_compared_with() {
        let limits = limits_of(
            "context.passkey_age_s <= 300 && (60 < context.password_age_s || context.passkey_age_s == 5)",
        );
        assert_eq!((&limits[2], &limits[4]), (&Some(vec![300, 5]), &Some(vec![60])));
        assert!(limits.iter().all(Option::is_some));
        let classes: Vec<usize> = [4, 5, 6, 299, 300, 301].map(|n| class(n, &[5, 300])).into();
        assert_eq!(classes, [0, 1, 2, 2, 3, 4]);
    }

    #[test]
    fn a_number_used_otherwise_is_known_by_nothing() {
        assert_eq!(limits_of("context.passkey_age_s + 5 < 300")[2], None);
        assert_eq!(limits_of("context.passkey_age_s < context.password_age_s")[2], None);
        assert_eq!(limits_of("context.passkey_age_s < context.password_age_s")[4], None);
        assert_eq!(limits_of("[1, 2].contains(context.sso_age_s)")[6], None);
        assert_eq!(
            limits_of("context[\"sso_age_s\"] > -5 && context.replayed")[6],
            Some(vec![-5]),
            "however it is written"
        );
        assert!(limits_of("context == context").iter().all(Option::is_none));
        assert!(limits_of("context has sso_age_s && context.replayed").iter().all(Option::is_some));
    }
}
