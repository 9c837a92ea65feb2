//! A key management plug-in of the Kubernetes kind (KMS v2), over a Unix socket, as a provider.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest::{Context, SHA256};
use keyward_domain::{Entropy, SubjectKey};
use keyward_seal::DataSecret;
use keyward_store::{KeyError, KeyProvider, WrappingKeyId};
use moka::sync::Cache;
use prost::Message as _;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use zeroize::Zeroizing;

use crate::v2::key_management_service_client::KeyManagementServiceClient;
use crate::v2::{DecryptRequest, EncryptRequest, EncryptResponse, StatusRequest};

/// The first byte of what a plug-in wrapped. A key ring's forms begin with 1.
const FORM: u8 = 2;
const SECRET_BYTES: usize = 32;
/// A wrapped form may be so long. The protocol allows a ciphertext and an id of 1 KiB each, and 32 KiB of annotations.
const MAX_WRAPPED_BYTES: usize = 40 << 10;

/// How a plug-in is used.
#[derive(Debug, Clone)]
pub struct KmsSettings {
    /// The longest wait for one answer.
    pub timeout: Duration,
    /// How long an unwrapped data key is remembered in memory, so that not every reading of a subject is a call.
    pub remembered_for: Duration,
    /// How many unwrapped data keys are remembered.
    pub remembered: u64,
}

impl Default for KmsSettings {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(2), remembered_for: Duration::from_mins(10), remembered: 100_000 }
    }
}

/// A plug-in behind a Unix socket. It is connected to when it is first needed, and again whenever the link breaks.
pub struct KmsPlugin {
    client: KeyManagementServiceClient<Channel>,
    entropy: Arc<dyn Entropy>,
    remembered: Cache<Vec<u8>, Arc<DataSecret>>,
}

impl KmsPlugin {
    /// The plug-in at a socket. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`] when the path is none that a socket can have.
    pub fn at(socket: &Path, settings: &KmsSettings, entropy: Arc<dyn Entropy>) -> Result<Self, KeyError> {
        let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display()));
        let endpoint = endpoint.map_err(|_| KeyError::Unavailable("the path names no socket".to_owned()))?;
        let channel = endpoint.timeout(settings.timeout).connect_timeout(settings.timeout).connect_lazy();
        let remembered =
            Cache::builder().max_capacity(settings.remembered).time_to_live(settings.remembered_for).build();
        Ok(Self { client: KeyManagementServiceClient::new(channel), entropy, remembered })
    }

    /// An id for the plug-in's log; it says nothing about whose key it is.
    fn uid(&self) -> String {
        let mut random = [0; 16];
        self.entropy.fill(&mut random);
        uuid::Builder::from_random_bytes(random).into_uuid().to_string()
    }

    async fn decrypt(&self, who: &SubjectKey, wrapped: &[u8]) -> Result<DataSecret, KeyError> {
        let EncryptResponse { ciphertext, key_id, annotations } = decode(wrapped)?;
        let key = WrappingKeyId(key_id.clone());
        let request = DecryptRequest { ciphertext, uid: self.uid(), key_id, annotations };
        let answer = self.client.clone().decrypt(request).await.map_err(|status| refusal(&status, key))?;
        let plaintext = Zeroizing::new(answer.into_inner().plaintext);
        let (secret, bound) = plaintext.split_at_checked(SECRET_BYTES).ok_or(KeyError::Refused)?;
        // The protocol binds nothing, so the plaintext says whose it is.
        if bound != binding(who) {
            return Err(KeyError::Refused);
        }
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        bytes.copy_from_slice(secret);
        Ok(DataSecret::from_bytes(bytes))
    }
}

#[async_trait]
impl KeyProvider for KmsPlugin {
    async fn wrap(&self, who: &SubjectKey, secret: &DataSecret) -> Result<Vec<u8>, KeyError> {
        let plaintext = [secret.expose().as_slice(), &binding(who)].concat();
        let request = EncryptRequest { plaintext, uid: self.uid() };
        let answer = self.client.clone().encrypt(request).await.map_err(|status| unavailable(&status))?;
        let answer = answer.into_inner();
        if answer.ciphertext.is_empty()
            || answer.key_id.is_empty()
            || answer.encoded_len() > MAX_WRAPPED_BYTES
        {
            return Err(KeyError::Unavailable(
                "it answered with no ciphertext, no key or too much".to_owned(),
            ));
        }
        let mut wrapped = vec![FORM];
        wrapped.extend(answer.encode_to_vec());
        Ok(wrapped)
    }

    async fn unwrap(&self, who: &SubjectKey, wrapped: &[u8]) -> Result<DataSecret, KeyError> {
        // Whose it is belongs to the name under which it is remembered: a form in another's row must not open there.
        let remembered = [wrapped, &binding(who)].concat();
        if let Some(secret) = self.remembered.get(&remembered) {
            return Ok(DataSecret::clone(&secret));
        }
        let secret = self.decrypt(who, wrapped).await?;
        self.remembered.insert(remembered, Arc::new(secret.clone()));
        Ok(secret)
    }

    fn key_of(&self, wrapped: &[u8]) -> Result<WrappingKeyId, KeyError> {
        Ok(WrappingKeyId(decode(wrapped)?.key_id))
    }

    async fn keys(&self) -> Result<Vec<WrappingKeyId>, KeyError> {
        let status =
            self.client.clone().status(StatusRequest {}).await.map_err(|status| unavailable(&status))?;
        let status = status.into_inner();
        if status.healthz != "ok" || !status.version.starts_with("v2") || status.key_id.is_empty() {
            return Err(KeyError::Unavailable("the plug-in says that it does not work".to_owned()));
        }
        Ok(vec![WrappingKeyId(status.key_id)])
    }
}

fn decode(wrapped: &[u8]) -> Result<EncryptResponse, KeyError> {
    let body = wrapped.strip_prefix(&[FORM]).filter(|body| body.len() <= MAX_WRAPPED_BYTES);
    let decoded = EncryptResponse::decode(body.ok_or(KeyError::Refused)?).map_err(|_| KeyError::Refused)?;
    if decoded.key_id.is_empty() { Err(KeyError::Refused) } else { Ok(decoded) }
}

/// SHA-256 over whose key it is, each part after its length.
fn binding(who: &SubjectKey) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in ["keyward-kms/1", who.tenant.as_str(), who.subject.as_str()] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// What a plug-in's refusal to decrypt means. Plug-ins do not agree on codes: what is not plainly about the key or the
/// ciphertext counts as an outage, which loses nothing.
fn refusal(status: &Status, key: WrappingKeyId) -> KeyError {
    match status.code() {
        Code::NotFound | Code::FailedPrecondition => KeyError::Missing { key },
        Code::InvalidArgument | Code::DataLoss => KeyError::Refused,
        _ => unavailable(status),
    }
}

/// The plug-in's message may repeat what it was sent, so only the code is told.
fn unavailable(status: &Status) -> KeyError {
    KeyError::Unavailable(format!("{:?}", status.code()))
}
