//! Signed notes (C2SP signed-note), with the two kinds of signature that a checkpoint carries: the log's own, and the
//! cosignatures of witnesses (C2SP tlog-cosignature, `cosignature/v1`).

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::hash::sha256;

/// The longest note that is read, in bytes.
const MAX_NOTE_BYTES: usize = 64 * 1024;
/// The most signatures that a note may carry.
const MAX_SIGNATURES: usize = 100;

/// Why a note or key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not a signed note.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// It is not a key.
    #[error("not a key of a signed note: {0}")]
    Key(&'static str),
    /// No signature of this key is under the note.
    #[error("not signed by {0}")]
    Unsigned(String),
    /// The signature of this key is not one over this note.
    #[error("the signature of {0} is wrong")]
    Wrong(String),
}

/// A text with signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text that is signed, with its last newline.
    pub text: String,
    /// The signatures under it.
    pub signatures: Vec<Signature>,
}

/// A signature under a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The name of the key.
    pub name: String,
    /// The id of the key.
    pub key_id: u32,
    /// What the key made.
    pub bytes: Vec<u8>,
}

impl Note {
    /// Reads a note. No signature is checked.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        use NoteError::Malformed;
        if note.len() > MAX_NOTE_BYTES {
            return Err(Malformed("too long"));
        }
        if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(Malformed("has a control character"));
        }
        let split = note.rfind("\n\n").ok_or(Malformed("no empty line before the signatures"))?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(Malformed("no newline at the end"))?;
        let signatures: Option<Vec<_>> =
            lines.split('\n').take(MAX_SIGNATURES + 1).map(Signature::parse).collect();
        let signatures = signatures.ok_or(Malformed("a line under the text is no signature"))?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(Malformed("too many signatures"));
        }
        Ok(Self { text: text.to_owned(), signatures })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl Signature {
    /// Reads a signature line, without its newline.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
        let decoded = STANDARD.decode(encoded).ok()?;
        let (id, bytes) = decoded.split_first_chunk::<4>()?;
        let fits = is_name(name) && !bytes.is_empty();
        fits.then(|| Self { name: name.to_owned(), key_id: u32::from_be_bytes(*id), bytes: bytes.to_vec() })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.key_id.to_be_bytes(), &self.bytes[..]].concat();
        write!(f, "— {} {}", self.name, STANDARD.encode(bytes))
    }
}

/// Whether a key may be called so.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+' || c.is_control())
}

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Notes: what a log's key does.
    Note,
    /// Checkpoints with the time: what a witness's key does.
    Cosignature,
}

impl KeyKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Note => 0x01,
            Self::Cosignature => 0x04,
        }
    }
}

/// A public key with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    id: u32,
    public: [u8; 32],
}

impl VerifierKey {
    /// A key from its parts.
    pub fn new(name: &str, kind: KeyKind, public: [u8; 32]) -> Self {
        let hash = sha256(&[name.as_bytes(), b"\n", &[kind.byte()], &public]);
        let id = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
        Self { name: name.to_owned(), kind, id, public }
    }

    /// Reads a key in the form `name+id+base64`.
    ///
    /// # Errors
    /// [`NoteError::Key`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        use NoteError::Key;
        let (name, rest) = text.split_once('+').ok_or(Key("must look like name+id+base64"))?;
        let (id, encoded) = rest.split_once('+').ok_or(Key("must look like name+id+base64"))?;
        let decoded = STANDARD.decode(encoded).map_err(|_| Key("its last part is not base64"))?;
        let (kind, public) = match decoded.split_first() {
            Some((0x01, public)) => (KeyKind::Note, public),
            Some((0x04, public)) => (KeyKind::Cosignature, public),
            _ => return Err(Key("it is not an Ed25519 key of a log or witness")),
        };
        let public = public.try_into().map_err(|_| Key("an Ed25519 key has 32 bytes"))?;
        let key = Self::new(name, kind, public);
        let spelled = id.len() == 8 && u32::from_str_radix(id, 16) == Ok(key.id);
        if is_name(name) && spelled { Ok(key) } else { Err(Key("its id is not the one of its name and key")) }
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Name and id, which tell a key apart from others.
    pub fn label(&self) -> String {
        format!("{}+{:08x}", self.name, self.id)
    }

    /// Checks this key's signature under a note, and returns it.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] when there is none, [`NoteError::Wrong`] when there is a wrong one.
    pub fn verify<'a>(&self, note: &'a Note) -> Result<&'a Signature, NoteError> {
        let mut ours = note.signatures.iter().filter(|it| it.key_id == self.id && it.name == self.name);
        let signature = ours.next().ok_or_else(|| NoteError::Unsigned(self.name.clone()))?;
        let wrong = || NoteError::Wrong(self.name.clone());
        let (message, bytes) = match self.kind {
            KeyKind::Note => (note.text.clone(), &signature.bytes[..]),
            KeyKind::Cosignature => {
                let (time, bytes) = signature.bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
                (cosigned(&note.text, u64::from_be_bytes(*time)), bytes)
            }
        };
        let key = UnparsedPublicKey::new(&ED25519, self.public);
        key.verify(message.as_bytes(), bytes).map_err(|_| wrong())?;
        if ours.next().is_some() { Err(wrong()) } else { Ok(signature) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[self.kind.byte()], &self.public[..]].concat();
        write!(f, "{}+{}", self.label(), STANDARD.encode(bytes))
    }
}

/// What a witness signs.
fn cosigned(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// A key that signs notes. `Debug` shows its public half.
pub struct NoteSigner {
    key: VerifierKey,
    pair: Ed25519KeyPair,
}

impl NoteSigner {
    /// A signer from a PKCS #8 document.
    ///
    /// # Errors
    /// [`NoteError::Key`] when it is not one of an Ed25519 key, or the name is none.
    pub fn from_pkcs8(name: &str, kind: KeyKind, pkcs8: &[u8]) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Key("a name has no white space and no plus"));
        }
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| NoteError::Key("not an Ed25519 key"))?;
        let public =
            pair.public_key().as_ref().try_into().map_err(|_| NoteError::Key("not an Ed25519 key"))?;
        Ok(Self { key: VerifierKey::new(name, kind, public), pair })
    }

    /// The public half.
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Signs a text that ends with a newline. A witness's key signs it together with the time, in seconds since 1970.
    pub fn sign(&self, text: &str, time: u64) -> Signature {
        let sign = |message: &str| self.pair.sign(message.as_bytes()).as_ref().to_vec();
        let bytes = match self.key.kind {
            KeyKind::Note => sign(text),
            KeyKind::Cosignature => [&time.to_be_bytes()[..], &sign(&cosigned(text, time))].concat(),
        };
        Signature { name: self.key.name.clone(), key_id: self.key.id, bytes }
    }
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoteSigner").field("key", &self.key.to_string()).finish_non_exhaustive()
    }
}
