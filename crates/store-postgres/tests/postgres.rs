//! The PostgreSQL store keeps what the port promises, and what a server that several share makes necessary.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyward_domain::{CredentialId, DecisionId, SubjectId, SubjectKey, TenantId, Timestamp};
use keyward_store::{
    AuditLog, AuditRow, CredentialRow, Credentials, DECISION_KIND, Documents, Policies, PolicyRow, SampleRow,
    Samples, StoreError, SubjectRow, Subjects, conformance,
};
use keyward_store_postgres::{PostgresSettings, PostgresStore, STATEMENTS, SchemaState, Tls};
use keyward_testkit::{Durability, PostgresServer};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor, SqlSafeStr};
use uuid::Uuid;

/// Settings with patience: machines that run tests are busy.
fn settings(server: &PostgresServer, database: &str) -> PostgresSettings {
    let mut settings = PostgresSettings::new(server.url(database));
    settings.tls = Tls::Off;
    settings.connect_timeout = Duration::from_secs(20);
    settings.response_timeout = Duration::from_secs(20);
    settings
}

/// A database with the schema, as the superuser.
async fn migrated(server: &PostgresServer, database: &str) -> PostgresSettings {
    server.create(database).expect("a database");
    let settings = settings(server, database);
    PostgresStore::migrate(&settings).await.expect("migrated");
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn it_conforms() {
    let server = PostgresServer::start().await.expect("postgres starts");
    // A database whose texts do not sort by bytes.
    let american = "TEMPLATE template0 ENCODING UTF8 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'";
    server.sql("postgres", &format!("CREATE DATABASE template {american}")).expect("a database");
    PostgresStore::migrate(&settings(&server, "template")).await.expect("migrated");
    let numbers = AtomicUsize::new(0);
    let make = async || {
        let name = format!("check{}", numbers.fetch_add(1, Ordering::Relaxed));
        server.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template")).expect("a database");
        PostgresStore::connect(&settings(&server, &name)).await.expect("connects")
    };
    conformance::durable(make).await;
}

#[tokio::test]
async fn every_statement_is_accepted_by_the_schema() {
    let server = PostgresServer::start().await.expect("postgres starts");
    let settings = migrated(&server, "keyward").await;
    let mut connection = PgConnection::connect(&settings.url).await.expect("connects");
    let mut prepared = 0;
    for statement in STATEMENTS.iter().copied().flatten() {
        let outcome = connection.prepare((*statement).into_sql_str()).await;
        assert!(outcome.is_ok(), "{statement}\n{:?}", outcome.err());
        prepared += 1;
    }
    assert!(prepared >= 20, "{prepared} statements");
}

#[tokio::test]
async fn a_schema_that_is_not_there_is_made_once_whoever_comes() {
    let server = PostgresServer::start().await.expect("postgres starts");
    server.create("keyward").expect("a database");
    let settings = settings(&server, "keyward");
    let error = PostgresStore::connect(&settings).await.expect_err("no schema").to_string();
    assert!(error.contains("keyward migrate"), "{error}");
    let racing = (0..4).map(|_| {
        let settings = settings.clone();
        tokio::spawn(async move { PostgresStore::migrate(&settings).await })
    });
    for task in racing.collect::<Vec<_>>() {
        task.await.expect("ran").expect("all of them succeed");
    }
    assert_eq!(PostgresStore::schema(&settings).await, Ok(SchemaState::Current));
    assert_eq!(PostgresStore::migrate(&settings).await, Ok(vec![]), "nothing is left to do");
    PostgresStore::connect(&settings).await.expect("connects").ping().await.expect("answers");
}

#[tokio::test]
async fn a_newer_schema_is_refused_unless_it_only_expands() {
    let server = PostgresServer::start().await.expect("postgres starts");
    let settings = migrated(&server, "keyward").await;
    let add = |version: i64, what: &str| {
        let row = format!(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES ({version}, '{what}', TRUE, '', 0)"
        );
        server.sql("keyward", &row).expect("written");
    };
    server.sql("keyward", "ALTER TABLE subject ADD COLUMN nickname TEXT").expect("altered");
    add(98, "expand: nicknames");
    let store = PostgresStore::connect(&settings)
        .await
        .expect("a replica restarts in the middle of a rolling deploy");
    store.ping().await.expect("answers");
    assert_eq!(PostgresStore::migrate(&settings).await, Ok(vec![]), "the older program leaves it alone");

    add(99, "from the future");
    for outcome in
        [PostgresStore::connect(&settings).await.err(), PostgresStore::migrate(&settings).await.err()]
    {
        let error = outcome.expect("must be refused").to_string();
        assert!(error.contains("99 (from the future)") && error.contains("newer program"), "{error}");
    }
    store.ping().await.expect("a replica that serves already goes on");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_in_time() {
    let mut settings = PostgresSettings::new("postgres://keyward@127.0.0.1:1/keyward");
    settings.tls = Tls::Off;
    let error = PostgresStore::connect(&settings).await.expect_err("nobody listens");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
}

/// The grants of the README, as an operator would copy them.
fn grants() -> String {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("```sql\n").expect("the grants");
    rest.split_once("```").expect("their end").0.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_with_the_documented_grants_serves_and_can_do_no_more() {
    let server = PostgresServer::start().await.expect("postgres starts");
    migrated(&server, "keyward").await;
    server.sql("keyward", "CREATE ROLE keyward_serve LOGIN").expect("a role");
    server.sql("keyward", &grants()).expect("granted");
    let mut settings = settings(&server, "keyward");
    settings.url = server.url_as("keyward_serve", "keyward");
    let store = PostgresStore::connect(&settings).await.expect("connects");
    everything(&store).await;
    let advice = PostgresStore::advice(&settings).await.expect("asked");
    assert!(advice.len() == 1 && advice[0].0.contains("fsync"), "of tests' servers alone: {advice:?}");

    let mut connection = PgConnection::connect(&settings.url).await.expect("connects");
    for forbidden in [
        "DELETE FROM record",
        "DELETE FROM policy_set",
        "UPDATE policy_set SET policies = ''",
        "UPDATE record SET sealed = ''",
        "UPDATE record SET log_index = 7",
        "TRUNCATE record",
        "DELETE FROM log_head",
        "ALTER TABLE subject ADD COLUMN more TEXT",
        "DROP TABLE sample",
        "CREATE TABLE more (id INT)",
        "DELETE FROM _sqlx_migrations",
    ] {
        let error = connection.execute(forbidden).await.expect_err(forbidden);
        let code = error.as_database_error().and_then(|e| e.code().map(std::borrow::Cow::into_owned));
        assert_eq!(code.as_deref(), Some("42501"), "{forbidden}: {error}");
    }
    let error = PostgresStore::migrate(&settings).await;
    assert_eq!(error, Ok(vec![]), "nothing is to be done, and nothing was tried");
}

/// Each call that writes, once.
async fn everything(store: &PostgresStore) {
    let at = Timestamp::from_secs(1);
    let row = SubjectRow { wrapped_key: vec![1], created_at: at };
    store.ensure_subject(&alice(), row).await.expect("made");
    store.replace_wrapped_key(&alice(), &[1], vec![2]).await.expect("replaced");
    let credential = CredentialRow {
        id: CredentialId(vec![1]),
        who: alice(),
        credential: vec![1],
        name: "key".to_owned(),
        created_at: at,
        last_used_at: None,
        version: 1,
    };
    store.add_credential(credential.clone()).await.expect("added");
    store.update_credential(credential).await.expect("updated");
    for version in 0..12 {
        store.put_document(&alice(), "p", version, vec![1], at).await.expect("put");
    }
    let sample = SampleRow { decision: DecisionId(Uuid::from_u128(1)), at, sealed: vec![1] };
    store.add_samples(&alice(), "p", vec![sample]).await.expect("added");
    store.retract_samples(&alice(), DecisionId(Uuid::from_u128(1))).await.expect("retracted");
    store.clear_samples(&alice(), "p").await.expect("cleared");
    let policy = PolicyRow { digest: [1; 32], text: "p".to_owned(), schema: "s".to_owned(), since: at };
    store.keep_policy(policy).await.expect("kept");
    assert_eq!(store.append(vec![record(1)]).await, Ok(0));
    assert!(store.remove_document(&alice(), "p").await.expect("removed"));
    assert!(store.erase_subject(&alice()).await.expect("erased").anything());
}

fn alice() -> SubjectKey {
    SubjectKey {
        tenant: TenantId::parse("st-mary").expect("legal"),
        subject: SubjectId::parse("alice").expect("legal"),
    }
}

fn record(n: u128) -> AuditRow {
    AuditRow {
        commitment: [7; 32],
        kind: DECISION_KIND.to_owned(),
        tenant: alice().tenant,
        subject: Some(alice().subject),
        decision: Some(DecisionId(Uuid::from_u128(n))),
        at: Timestamp::from_secs(1),
        sealed: vec![7; 1000],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_append_at_once_leave_no_gap() {
    const REPLICAS: u128 = 4;
    const BATCHES: u128 = 25;
    let server = PostgresServer::start().await.expect("postgres starts");
    let settings = migrated(&server, "keyward").await;
    let mut tasks = Vec::new();
    for replica in 0..REPLICAS {
        let store = PostgresStore::connect(&settings).await.expect("connects");
        tasks.push(tokio::spawn(async move {
            let mut given = Vec::new();
            for batch in 0..BATCHES {
                let rows = batch % 7 + 1;
                let ids = (0..rows).map(|n| replica << 64 | batch << 32 | n);
                let first = store.append(ids.clone().map(record).collect()).await.expect("appended");
                given.extend((first..).zip(ids));
            }
            store.close().await;
            given
        }));
    }
    let mut given = Vec::new();
    for task in tasks {
        given.extend(task.await.expect("ran"));
    }
    given.sort_unstable();
    let store = PostgresStore::connect(&settings).await.expect("connects");
    let there = store.read(0, usize::MAX).await.expect("read");
    let there = there.into_iter().map(|(index, row)| (index, row.decision.expect("a decision").0.as_u128()));
    assert!(there.eq(given), "every record stands where its replica was told");
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_synced_whatever_the_servers_default_is() {
    let server = PostgresServer::start().await.expect("postgres starts");
    let settings = migrated(&server, "keyward").await;
    assert_eq!(
        server.sql("keyward", "SHOW synchronous_commit").expect("shown"),
        "off",
        "the server's default"
    );
    let store = PostgresStore::connect(&settings).await.expect("connects");
    store.append(vec![record(1)]).await.expect("appended");
    let position = "SELECT pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()";
    let mut flushed = 0;
    for n in 2..42 {
        store.append(vec![record(n)]).await.expect("appended");
        flushed += usize::from(server.sql("keyward", position).expect("asked") == "t");
    }
    // Without a sync at the commit it is flushed every 200 ms. The server's own chores may write in between.
    assert!(flushed >= 35, "{flushed} of 40 were flushed when they were acknowledged");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_and_passwords_are_held_to() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (certificate, key) = authority.server();
    let server = PostgresServer::start_with(Durability::Fast, |data| {
        let write = |name: &str, text: &str, mode| {
            std::fs::write(data.join(name), text)?;
            std::fs::set_permissions(data.join(name), std::fs::Permissions::from_mode(mode))
        };
        write("server.crt", &certificate, 0o644)?;
        write("server.key", &key, 0o600)?;
        let rules =
            "hostssl all keyward all scram-sha-256\nhost all keyward all reject\nhost all all all trust\n";
        write("pg_hba.conf", rules, 0o600)?;
        Ok(["-c", "ssl=on"].map(OsString::from).to_vec())
    });
    let server = server.await.expect("postgres starts");
    migrated(&server, "keyward").await;
    server.sql("keyward", "CREATE ROLE keyward LOGIN SUPERUSER PASSWORD 'hunter2'").expect("a role");

    let mut good = settings(&server, "keyward");
    good.url = server.url_as("keyward", "keyward");
    good.tls = Tls::VerifyFull;
    good.root_certificates_pem = Some(authority.pem().into_bytes());
    good.password = Some("hunter2".to_owned().into());
    let store = PostgresStore::connect(&good).await.expect("connects");
    store.append(vec![record(1)]).await.expect("appended");
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE application_name = 'keyward'";
    assert_eq!(server.sql("keyward", encrypted).expect("asked"), "t");

    let localhost = server.url_as("keyward", "keyward").replace("127.0.0.1", "localhost");
    let refused = [
        (
            "another authority",
            PostgresSettings { root_certificates_pem: Some(other.pem().into_bytes()), ..good.clone() },
        ),
        ("the public authorities", PostgresSettings { root_certificates_pem: None, ..good.clone() }),
        ("another name", PostgresSettings { url: localhost.clone(), ..good.clone() }),
        ("plaintext", PostgresSettings { tls: Tls::Off, ..good.clone() }),
        (
            "a wrong password",
            PostgresSettings { password: Some("swordfish".to_owned().into()), ..good.clone() },
        ),
    ];
    for (what, settings) in refused {
        let error =
            PostgresStore::connect(&settings).await.err().unwrap_or_else(|| panic!("{what} must be refused"));
        let text = error.to_string();
        assert!(!text.contains("hunter2") && !text.contains("swordfish"), "{what}: {text}");
    }
    let by_any_name = PostgresSettings { url: localhost, tls: Tls::VerifyCa, ..good };
    PostgresStore::connect(&by_any_name).await.expect("the name is not asked for");
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("sound");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed"))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// Certificate and key of a server at 127.0.0.1.
    fn server(&self) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("sound");
        (params.signed_by(&key, &self.0).expect("signed").pem(), key.serialize_pem())
    }
}
