//! Checkpoints (C2SP tlog-checkpoint): the size and root of the log, signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::hash::Hash;
use crate::note::{Note, NoteError, NoteSigner, VerifierKey};
use crate::proof::{decimal, hash_line};

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// The signed note, with the log's signature.
    pub fn sign(&self, signer: &NoteSigner) -> String {
        let text = self.text();
        let signature = signer.sign(&text, 0);
        Note { text, signatures: vec![signature] }.to_string()
    }

    /// Reads the text of a note. Lines beyond the third are for extensions, and are not read.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let read = || {
            let mut lines = text.strip_suffix('\n')?.split('\n');
            let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
            let whole = !origin.is_empty() && lines.all(|line| !line.is_empty());
            let (size, root) = (decimal(size)?, hash_line(root)?);
            whole.then(|| Self { origin: origin.to_owned(), size, root })
        };
        read().ok_or(NoteError::Malformed("the text is no checkpoint"))
    }

    /// Reads a note and checks the log's signature under it, and that the log is the one that the key is named after.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn verify(note: &str, key: &VerifierKey) -> Result<Self, NoteError> {
        let note = Note::parse(note)?;
        key.verify(&note)?;
        let checkpoint = Self::parse(&note.text)?;
        if checkpoint.origin == key.name() {
            Ok(checkpoint)
        } else {
            Err(NoteError::Malformed("it is the checkpoint of another log"))
        }
    }
}
