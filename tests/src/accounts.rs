//! Accounts of a server's configuration, each with keys for the three kinds of principal.

use std::fmt::Write as _;

use wire::sigv4::{Credentials, SecretAccessKey};

/// How many accounts a server knows; a test takes one or a few.
pub(crate) const ACCOUNTS: usize = 300;

/// An account that nobody else uses.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its twelve digits.
    pub id: String,
    /// The key of its root.
    pub root: Credentials,
    /// The key of a user, who may do nothing.
    pub user: Credentials,
    /// The key of a role that no root has assumed, which may do nothing either.
    pub role: Credentials,
}

impl Account {
    /// The account numbered `number`.
    pub(crate) fn numbered(number: usize) -> Self {
        assert!(number < ACCOUNTS, "the server knows {ACCOUNTS} accounts: raise the number");
        let key = |kind: &str| Credentials {
            access_key_id: format!("AKIA{kind}{number:012}"),
            secret_access_key: SecretAccessKey::new(format!("secret/of/{kind}/{number:03}/{:+<20}", "")),
            session_token: None,
        };
        Self { id: format!("1{number:011}"), root: key("ROOT"), user: key("USER"), role: key("ROLE") }
    }

    /// The `[[access_key]]` entries of all accounts.
    pub(crate) fn configuration() -> String {
        let mut text = String::new();
        for account in (0..ACCOUNTS).map(Self::numbered) {
            let keys = [(&account.root, "root"), (&account.user, "user/idle"), (&account.role, "role/idle")];
            for (key, principal) in keys {
                let (id, secret) = (&key.access_key_id, key.secret_access_key.expose());
                let _ = writeln!(
                    text,
                    "[[access_key]]\nid = \"{id}\"\nsecret = \"{secret}\"\naccount = \"{}\"\nprincipal = \"{principal}\"",
                    account.id
                );
            }
        }
        text
    }
}
