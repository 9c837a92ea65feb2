//! Both providers keep the port's promises; the plug-in is a real server on a Unix socket, written to the protocol.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use keyward_domain::{Entropy, SubjectId, SubjectKey, TenantId};
use keyward_keys::v2::key_management_service_server::{KeyManagementService, KeyManagementServiceServer};
use keyward_keys::v2::{
    DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse, StatusRequest, StatusResponse,
};
use keyward_keys::{KmsPlugin, KmsSettings, Moving, RingProvider};
use keyward_seal::{DataSecret, KeyRing};
use keyward_store::{KeyError, KeyProvider, WrappingKeyId, conformance};
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status};

struct Random;

impl Entropy for Random {
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).unwrap();
    }
}

/// A key management service with named keys, the last one current. Its nonce travels as an annotation.
#[derive(Clone, Default)]
struct Service(Arc<State>);

#[derive(Default)]
struct State {
    keys: Mutex<Vec<(String, [u8; 32])>>,
    decrypted: AtomicUsize,
    silent: AtomicBool,
    unwell: AtomicBool,
}

const NONCE: &str = "nonce.kms.test";

impl Service {
    fn add_key(&self, id: &str) {
        let mut key = [0; 32];
        Random.fill(&mut key);
        self.0.keys.lock().unwrap().push((id.to_owned(), key));
    }

    fn key(bytes: &[u8; 32]) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).unwrap())
    }

    /// Serves at a socket until the runtime ends.
    fn serve(&self, socket: &Path) {
        let listener = UnixListener::bind(socket).unwrap();
        let router = tonic::transport::Server::builder()
            .add_service(KeyManagementServiceServer::new(self.clone()))
            .serve_with_incoming(UnixListenerStream::new(listener));
        tokio::spawn(router);
    }
}

#[tonic::async_trait]
impl KeyManagementService for Service {
    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let key_id = self.0.keys.lock().unwrap().last().unwrap().0.clone();
        let healthz = if self.0.unwell.load(Ordering::SeqCst) { "HSM is on fire" } else { "ok" };
        Ok(Response::new(StatusResponse { version: "v2".to_owned(), healthz: healthz.to_owned(), key_id }))
    }

    async fn encrypt(&self, request: Request<EncryptRequest>) -> Result<Response<EncryptResponse>, Status> {
        let EncryptRequest { plaintext, uid } = request.into_inner();
        assert_eq!(uid.len(), 36);
        let (key_id, key) = self.0.keys.lock().unwrap().last().unwrap().clone();
        let mut nonce = [0; NONCE_LEN];
        Random.fill(&mut nonce);
        let mut ciphertext = plaintext;
        Self::key(&key)
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut ciphertext)
            .unwrap();
        let annotations = HashMap::from([(NONCE.to_owned(), nonce.to_vec())]);
        Ok(Response::new(EncryptResponse { ciphertext, key_id, annotations }))
    }

    async fn decrypt(&self, request: Request<DecryptRequest>) -> Result<Response<DecryptResponse>, Status> {
        self.0.decrypted.fetch_add(1, Ordering::SeqCst);
        if self.0.silent.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let DecryptRequest { mut ciphertext, key_id, annotations, .. } = request.into_inner();
        let key = self.0.keys.lock().unwrap().iter().find(|(id, _)| *id == key_id).map(|(_, key)| *key);
        let key = key.ok_or_else(|| Status::not_found(format!("no key {key_id}")))?;
        let damaged = |_| Status::invalid_argument("secret message of the plug-in");
        let nonce = annotations.get(NONCE).ok_or(aws_lc_rs::error::Unspecified).map_err(damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(damaged)?;
        let opened =
            Self::key(&key).open_in_place(nonce, Aad::empty(), &mut ciphertext).map_err(damaged)?.to_vec();
        Ok(Response::new(DecryptResponse { plaintext: opened }))
    }
}

struct World {
    _folder: TempDir,
    socket: PathBuf,
    service: Service,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::default();
        service.add_key("key-a");
        Self { socket: folder.path().join("kms.sock"), _folder: folder, service }
    }

    fn plugin(&self) -> KmsPlugin {
        let settings = KmsSettings { timeout: Duration::from_millis(300), ..KmsSettings::default() };
        KmsPlugin::at(&self.socket, &settings, Arc::new(Random)).unwrap()
    }
}

fn mary() -> SubjectKey {
    SubjectKey { tenant: TenantId::parse("t").unwrap(), subject: SubjectId::parse("mary").unwrap() }
}

#[tokio::test]
async fn a_ring_keeps_the_promises_of_the_port() {
    conformance::keys(async || RingProvider::new(KeyRing::generate(&Random), Arc::new(Random))).await;
}

#[tokio::test]
async fn a_plug_in_keeps_the_promises_of_the_port() {
    // Kept until the end: a socket lies in each world's folder.
    let worlds = Mutex::new(Vec::new());
    conformance::keys(async || {
        let world = World::new();
        world.service.serve(&world.socket);
        let plugin = world.plugin();
        worlds.lock().unwrap().push(world);
        plugin
    })
    .await;
}

#[tokio::test]
async fn a_ring_is_replaced_while_it_is_used() {
    let first = KeyRing::generate(&Random);
    let provider = RingProvider::new(first.clone(), Arc::new(Random));
    let secret = DataSecret::generate(&Random);
    let wrapped = provider.wrap(&mary(), &secret).await.unwrap();
    let second = first.rotated(&Random);
    provider.replace(second.clone());
    assert!(provider.unwrap(&mary(), &wrapped).await.is_ok());
    let again = provider.wrap(&mary(), &secret).await.unwrap();
    let id = |name: &str| WrappingKeyId(name.to_owned());
    assert_eq!((provider.key_of(&wrapped), provider.key_of(&again)), (Ok(id("1")), Ok(id("2"))));
    assert_eq!(provider.keys().await, Ok(vec![id("2"), id("1")]));
    provider.replace(second.without(1).unwrap());
    let missing = provider.unwrap(&mary(), &wrapped).await.err();
    assert_eq!(missing, Some(KeyError::Missing { key: id("1") }));
}

#[tokio::test]
async fn a_ring_that_changed_is_taken_up_when_it_is_needed() {
    let first = KeyRing::generate(&Random);
    let second = first.rotated(&Random);
    let there = Arc::new(Mutex::new(None));
    let newer = there.clone();
    let follower = RingProvider::new(first.clone(), Arc::new(Random))
        .following(Box::new(move || newer.lock().unwrap().take()));
    let rotated = RingProvider::new(second.clone(), Arc::new(Random));
    let wrapped = rotated.wrap(&mary(), &DataSecret::generate(&Random)).await.unwrap();
    assert!(matches!(follower.unwrap(&mary(), &wrapped).await, Err(KeyError::Missing { .. })));
    *there.lock().unwrap() = Some(second.clone());
    assert!(follower.unwrap(&mary(), &wrapped).await.is_ok());
    *there.lock().unwrap() = Some(second.rotated(&Random));
    let wrapped = follower.wrap(&mary(), &DataSecret::generate(&Random)).await.unwrap();
    assert_eq!(follower.key_of(&wrapped), Ok(WrappingKeyId("3".to_owned())), "it wraps under the newest key");
}

#[tokio::test]
async fn a_plug_in_rotates_at_the_service_and_tells_a_missing_key_from_a_damaged_one() {
    let world = World::new();
    world.service.serve(&world.socket);
    let (one, secret) = (world.plugin(), DataSecret::generate(&Random));
    let old = one.wrap(&mary(), &secret).await.unwrap();
    world.service.add_key("key-b");
    let new = one.wrap(&mary(), &secret).await.unwrap();
    let id = |name: &str| WrappingKeyId(name.to_owned());
    assert_eq!((one.key_of(&old), one.key_of(&new)), (Ok(id("key-a")), Ok(id("key-b"))));
    assert_eq!(one.keys().await, Ok(vec![id("key-b")]));
    assert_eq!(one.unwrap(&mary(), &old).await.unwrap().expose(), secret.expose());

    world.service.0.keys.lock().unwrap().remove(0);
    let fresh = world.plugin();
    assert_eq!(fresh.unwrap(&mary(), &old).await.err(), Some(KeyError::Missing { key: id("key-a") }));
    assert!(fresh.unwrap(&mary(), &new).await.is_ok());
    let error = fresh.unwrap(&mary(), &[&new[..10], &new[11..]].concat()).await.err().unwrap();
    assert!(!error.to_string().contains("secret message"), "{error}");
}

#[tokio::test]
async fn data_keys_move_from_a_ring_to_a_service_and_back() {
    let world = World::new();
    world.service.serve(&world.socket);
    let ring: Arc<dyn KeyProvider> =
        Arc::new(RingProvider::new(KeyRing::generate(&Random), Arc::new(Random)));
    let service: Arc<dyn KeyProvider> = Arc::new(world.plugin());
    let id = |name: &str| WrappingKeyId(name.to_owned());
    for (from, to, old, new) in [(&ring, &service, "1", "key-a"), (&service, &ring, "key-a", "1")] {
        let secret = DataSecret::generate(&Random);
        let wrapped = from.wrap(&mary(), &secret).await.unwrap();
        let moving = Moving::new(from.clone(), to.clone());
        assert_eq!(moving.keys().await, Ok(vec![id(new), id(old)]));
        assert_eq!(moving.key_of(&wrapped), Ok(id(old)));
        let unwrapped = moving.unwrap(&mary(), &wrapped).await.unwrap();
        let moved = moving.wrap(&mary(), &unwrapped).await.unwrap();
        assert_eq!(moving.key_of(&moved), Ok(id(new)));
        assert_eq!(to.unwrap(&mary(), &moved).await.unwrap().expose(), secret.expose());
        assert!(moving.key_of(b"neither's").is_err());
    }
    let worlds = Mutex::new(Vec::new());
    conformance::keys(async || {
        let world = World::new();
        world.service.serve(&world.socket);
        let ring = RingProvider::new(KeyRing::generate(&Random), Arc::new(Random));
        let moving = Moving::new(Arc::new(ring), Arc::new(world.plugin()));
        worlds.lock().unwrap().push(world);
        moving
    })
    .await;
}

#[tokio::test]
async fn an_unwrapped_key_is_remembered() {
    let world = World::new();
    world.service.serve(&world.socket);
    let plugin = world.plugin();
    let wrapped = plugin.wrap(&mary(), &DataSecret::generate(&Random)).await.unwrap();
    for _ in 0..10 {
        plugin.unwrap(&mary(), &wrapped).await.unwrap();
    }
    assert_eq!(world.service.0.decrypted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_plug_in_that_is_down_silent_or_unwell_is_an_outage_and_ends() {
    let world = World::new();
    let plugin = world.plugin();
    let secret = DataSecret::generate(&Random);
    let outage = |error: Option<KeyError>| matches!(error, Some(KeyError::Unavailable(_)));
    assert!(outage(plugin.wrap(&mary(), &secret).await.err()), "there is no socket");
    world.service.serve(&world.socket);
    let wrapped = plugin.wrap(&mary(), &secret).await.expect("the same provider connects once it is there");
    world.service.0.silent.store(true, Ordering::SeqCst);
    assert!(outage(plugin.unwrap(&mary(), &wrapped).await.err()), "it answers nothing");
    world.service.0.silent.store(false, Ordering::SeqCst);
    assert!(plugin.unwrap(&mary(), &wrapped).await.is_ok());
    assert!(plugin.keys().await.is_ok());
    world.service.0.unwell.store(true, Ordering::SeqCst);
    assert!(outage(plugin.keys().await.err()), "it says that it is unwell");
}
