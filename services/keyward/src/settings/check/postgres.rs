//! What must hold in `[postgres]`.

use super::Problems;
use crate::settings::{DurableStore, PostgresTls, Settings};

impl Settings {
    pub(super) fn check_postgres(&self, problems: &mut Problems) {
        let postgres = &self.postgres;
        problems.when(
            self.store.durable == DurableStore::Postgres && postgres.url.is_none(),
            "store.durable is \"postgres\": set postgres.url",
        );
        if let Some(url) = &postgres.url {
            let known = url.starts_with("postgres://") || url.starts_with("postgresql://");
            problems.when(!known, "postgres.url must begin with postgres:// or postgresql://");
            let login = url.rsplit_once('@').map_or("", |(login, _)| login);
            problems.when(
                login.matches(':').count() > 1,
                "postgres.url must carry no password: use postgres.password_file",
            );
            problems.when(
                url.contains('?'),
                "postgres.url must carry no parameters: they have keys of their own in [postgres]",
            );
        }
        problems.when(
            postgres.tls_certificate_file.is_some() != postgres.tls_key_file.is_some(),
            "postgres.tls_certificate_file and postgres.tls_key_file go together",
        );
        let files = postgres.tls_ca_file.is_some() || postgres.tls_certificate_file.is_some();
        problems.when(
            files && postgres.tls == PostgresTls::Off,
            "postgres.tls is \"off\": certificates are of no use",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(change: impl FnOnce(&mut Settings)) -> Vec<String> {
        let mut settings = Settings::defaults();
        change(&mut settings);
        settings.problems()
    }

    #[test]
    fn a_password_or_parameters_in_the_postgres_url_are_refused_and_not_repeated() {
        let of = |url: &str| problems(|s| s.postgres.url = Some(url.to_owned()));
        let found = of("postgres://keyward:hunter2@host/keyward");
        assert!(found.len() == 1 && found[0].contains("postgres.password_file"), "{found:?}");
        assert!(!found[0].contains("hunter2"));
        let found = of("postgres://keyward@host/keyward?sslmode=disable");
        assert!(found.len() == 1 && found[0].contains("parameters"), "{found:?}");
        assert_eq!(of("postgres://keyward@host:5432/keyward"), Vec::<String>::new());
        assert_eq!(of("postgresql://host/keyward"), Vec::<String>::new());
    }

    #[test]
    fn postgres_needs_a_url_and_certificates_need_tls() {
        let found = problems(|s| {
            s.store.durable = DurableStore::Postgres;
            s.postgres.tls = PostgresTls::Off;
            s.postgres.tls_ca_file = Some("ca.pem".into());
        });
        assert!(found.len() == 2 && found[0].contains("set postgres.url"), "{found:?}");
    }
}
