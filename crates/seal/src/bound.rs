//! What a ciphertext is bound to, and the one encoding that everything authenticated here goes through.

use keyward_domain::SubjectKey;

/// What a ciphertext belongs to. It opens only under the same five values; they are authenticated, not
/// stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound<'a> {
    /// Whose it is.
    pub who: &'a SubjectKey,
    /// The kind of thing, such as `document`, `sample` or `session`.
    pub kind: &'a str,
    /// Its name within the kind, such as `keystroke/password/personal`.
    pub name: &'a str,
    /// Its version, so that an older ciphertext cannot be put in the place of a newer one. 0 where there are
    /// none.
    pub version: u64,
}

impl Bound<'_> {
    /// The AEAD additional data, after the header of the sealed form.
    pub(crate) fn additional_data(&self, header: &[u8]) -> Vec<u8> {
        encode(&[
            header,
            self.who.tenant.as_str().as_bytes(),
            self.who.subject.as_str().as_bytes(),
            self.kind.as_bytes(),
            self.name.as_bytes(),
            &self.version.to_be_bytes(),
        ])
    }
}

/// Each part after its length (8 bytes, big-endian), so that no two lists of parts encode alike.
pub(crate) fn encode(parts: &[&[u8]]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(parts.iter().map(|part| 8 + part.len()).sum());
    for part in parts {
        encoded.extend_from_slice(&(part.len() as u64).to_be_bytes());
        encoded.extend_from_slice(part);
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn moving_a_byte_between_parts_changes_the_encoding() {
        assert_ne!(encode(&[b"ab", b"c"]), encode(&[b"a", b"bc"]));
        assert_ne!(encode(&[b"ab"]), encode(&[b"ab", b""]));
        assert_eq!(encode(&[b"a"]), [0, 0, 0, 0, 0, 0, 0, 1, b'a']);
    }
}
