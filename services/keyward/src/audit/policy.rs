//! Policy sets that were in force, for whoever reads what they decided.

use std::io::Write;

use keyward_audit::hex;
use keyward_policy::digest_of;
use keyward_store::{DurableStore, StoreError};

/// With fewer digits one does not name a policy set.
const DIGITS: usize = 8;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A line each: digest, and since when it is kept.
pub(super) async fn list(store: &dyn DurableStore, out: &mut impl Write) -> Result<(), Failure> {
    for (digest, since) in store.policies().await? {
        let since = prost_types::Timestamp { seconds: since.secs(), nanos: 0 };
        writeln!(out, "{}  since {since}", hex(&digest))?;
    }
    Ok(())
}

/// The text of the policy set with this digest, checked against it.
pub(super) async fn text(store: &dyn DurableStore, digest: &str) -> Result<String, Failure> {
    let named = digest.to_ascii_lowercase();
    let digits = named.len() >= DIGITS && named.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !digits {
        return Err(format!("a digest is 64 hexadecimal digits, of which {DIGITS} are enough").into());
    }
    let all = store.policies().await?.into_iter().map(|(digest, _)| digest);
    let mut fit = all.filter(|digest| hex(digest).starts_with(&named));
    let digest = fit.next().ok_or("no policy set of this digest was ever in force here")?;
    if fit.next().is_some() {
        return Err("several policy sets have digests that begin so: give more digits".into());
    }
    let row = store.policy(&digest).await?.ok_or(StoreError::NotFound)?;
    if digest_of(&row.schema, &row.text) != digest {
        return Err(
            "what is stored under this digest is another text: somebody or something changed it".into()
        );
    }
    Ok(row.text)
}

#[cfg(test)]
mod tests {
    use keyward_domain::Timestamp;
    use keyward_policy::PolicySet;
    use keyward_store::{Policies as _, PolicyRow};
    use keyward_store_embedded::EmbeddedStore;

    use super::*;

    #[tokio::test]
    async fn a_policy_is_found_by_its_first_digits_and_one_that_was_changed_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(folder.path()).await.unwrap();
        let row = |text: &str, since| {
            let (text, schema) = (text.to_owned(), PolicySet::schema().to_owned());
            PolicyRow { digest: digest_of(&schema, &text), text, schema, since: Timestamp::from_secs(since) }
        };
        let (old, new) = (row("old", 1), row("new", 2));
        for row in [&new, &old] {
            store.keep_policy(row.clone()).await.unwrap();
        }
        let mut listed = Vec::new();
        list(&store, &mut listed).await.unwrap();
        let listed = String::from_utf8(listed).unwrap();
        let lines: Vec<&str> = listed.lines().collect();
        assert!(
            lines[0].starts_with(&hex(&old.digest)) && lines[1].starts_with(&hex(&new.digest)),
            "{listed}"
        );
        assert_eq!(text(&store, &hex(&old.digest)).await.unwrap(), "old");
        assert_eq!(text(&store, &hex(&new.digest)[..8].to_uppercase()).await.unwrap(), "new");
        for (digest, why) in
            [("", "64"), ("1234567", "64"), ("old text", "64"), ("00000000", "no policy set")]
        {
            let error = text(&store, digest).await.unwrap_err().to_string();
            assert!(error.contains(why), "{digest}: {error}");
        }
        let changed = PolicyRow { digest: [7; 32], ..row("changed", 3) };
        store.keep_policy(changed).await.unwrap();
        assert!(text(&store, "07070707").await.unwrap_err().to_string().contains("changed"));
    }
}
