//! The shapes of the keys. The part in braces is what Redis Cluster hashes: all keys of a subject lie in one slot.
//! Ids hold no braces and no bars, so that no two keys of different meaning are equal.

use keyward_domain::{CeremonyId, RequestId, SessionId, SubjectKey, TelemetryNonce, TenantId};

/// Makes keys that begin with a prefix of the deployment's.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub(crate) fn session(&self, who: &SubjectKey, id: &SessionId) -> String {
        format!("{}:h:{{{}|{}}}:s:{id}", self.prefix, who.tenant, who.subject)
    }

    pub(crate) fn reply(&self, who: &SubjectKey, id: &RequestId) -> String {
        format!("{}:h:{{{}|{}}}:r:{id}", self.prefix, who.tenant, who.subject)
    }

    pub(crate) fn nonce(&self, who: &SubjectKey, id: &TelemetryNonce) -> String {
        format!("{}:h:{{{}|{}}}:n:{id}", self.prefix, who.tenant, who.subject)
    }

    pub(crate) fn attempts(&self, who: &SubjectKey) -> String {
        format!("{}:h:{{{}|{}}}:a", self.prefix, who.tenant, who.subject)
    }

    pub(crate) fn false_alarms(&self, who: &SubjectKey) -> String {
        format!("{}:h:{{{}|{}}}:f", self.prefix, who.tenant, who.subject)
    }

    pub(crate) fn announced(&self, who: &SubjectKey) -> String {
        format!("{}:h:{{{}|{}}}:v", self.prefix, who.tenant, who.subject)
    }

    /// All of a tenant's lie in one slot. No ceremony's or subject's key has braces without a bar.
    pub(crate) fn count(&self, tenant: &TenantId, name: &str) -> String {
        format!("{}:l:{{{tenant}}}:{name}", self.prefix)
    }

    /// What stands in the braces of all keys of a subject.
    pub(crate) fn tag(who: &SubjectKey) -> String {
        format!("{}|{}", who.tenant, who.subject)
    }

    /// What stands in the braces of a ceremony's key.
    pub(crate) fn ceremony_tag(tenant: &TenantId, id: &CeremonyId) -> String {
        format!("{tenant}|{id}")
    }

    /// What every key of the subject begins with, and no other key.
    pub(crate) fn beginning(&self, who: &SubjectKey) -> String {
        format!("{}:h:{{{}|{}}}:", self.prefix, who.tenant, who.subject)
    }

    pub(crate) fn ceremony(&self, tenant: &TenantId, id: &CeremonyId) -> String {
        format!("{}:c:{{{tenant}|{id}}}", self.prefix)
    }

    /// A pattern of SCAN that matches every key of the subject and no other.
    pub(crate) fn all_of(&self, who: &SubjectKey) -> String {
        let literal = self.beginning(who);
        let mut pattern = String::with_capacity(literal.len() + 8);
        for character in literal.chars() {
            if matches!(character, '*' | '?' | '[' | ']' | '\\') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        pattern.push('*');
        pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_domain::SubjectId;

    #[test]
    fn a_pattern_takes_ids_literally() {
        let who = SubjectKey {
            tenant: TenantId::parse("t*").expect("legal"),
            subject: SubjectId::parse(r"a[b]?\c").expect("legal"),
        };
        assert_eq!(Keys::new("keyward").all_of(&who), r"keyward:h:{t\*|a\[b\]\?\\c}:*");
    }
}
