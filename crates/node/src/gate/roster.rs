//! Which hosts have joined, and which tokens are out: records of the installation.

use std::time::Duration;

use base::Timestamp;
use serde::{Deserialize, Serialize};
use store::{ListOptions, Record, Scope, SecondaryKey, Store, StoreError, Tx, Versioned};
use workload::NodeId;

use super::authority::{Authority, HostCertificate};
use super::token::{Secret, Token, is_id};
use crate::certificates::{AuthorityError, Fingerprint};

/// The most hosts.
pub const HOSTS_MAX: usize = 10_000;
/// The most tokens that are out at one time.
pub const TOKENS_MAX: usize = 1_000;
/// By which index a host is found when it connects.
const BY_CERTIFICATE: &str = "certificate";
/// How often a join or a renewal is tried that met another one.
const ATTEMPTS_MAX: u32 = 8;

/// Why a host is not let in, or a token not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// Which of these, nobody is told who does not know the secret.
    #[error("the token is not good: it is not known here, has run out, or was used before")]
    Token,
    /// The name is another host's.
    #[error("there is a node of this name already: choose another (--name), or remove it with `pilvi node rm`")]
    NameTaken,
    /// No host has that certificate.
    #[error("no node that joined has this certificate: it was removed, or the certificate was replaced")]
    Unknown,
    /// A host had it, and has it still, but its time is over. That a clock is wrong looks the same.
    #[error("this node's certificate has run out by the server's clock: unless that is wrong, it has to join again")]
    Expired,
    /// There are [`HOSTS_MAX`] hosts or [`TOKENS_MAX`] tokens.
    #[error("there are as many nodes or tokens as there may be")]
    TooMany,
    /// The authority does not sign.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A token that is out, or was used and has not run out; its record's id is the token's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JoinToken {
    secret_sha256: String,
    expires: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used: Option<Use>,
}

/// What a token was used for. The same host may ask again, should it not have heard the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Use {
    host: NodeId,
    public_key: String,
}

impl Record for JoinToken {
    const SERVICE: &'static str = "nodes";
    const KIND: &'static str = "join-token";
}

/// A host that has joined; its record's id is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinedHost {
    /// When.
    pub joined: Timestamp,
    /// With which token.
    pub token: String,
    /// By which certificates it is known: the present one, and one that it may not have heard of yet.
    pub certificates: Vec<KnownCertificate>,
}

/// A certificate that a host has, or may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownCertificate {
    /// Which.
    pub fingerprint: Fingerprint,
    /// Its end.
    pub not_after: Timestamp,
}

impl Record for JoinedHost {
    const SERVICE: &'static str = "nodes";
    const KIND: &'static str = "joined-host";

    fn secondary_keys(&self) -> Vec<SecondaryKey> {
        let key = |known: &KnownCertificate| SecondaryKey::unique(BY_CERTIFICATE, known.fingerprint.to_string());
        self.certificates.iter().map(key).collect()
    }
}

impl From<&HostCertificate> for KnownCertificate {
    fn from(made: &HostCertificate) -> Self {
        Self { fingerprint: made.fingerprint, not_after: made.not_after }
    }
}

/// Who wants to join.
pub(super) struct Applicant<'a> {
    pub(super) token: &'a str,
    pub(super) secret: &'a Secret,
    pub(super) name: &'a NodeId,
    /// As it was sent.
    pub(super) public_key_text: &'a str,
    pub(super) public_key: &'a [u8],
}

/// Hosts and tokens.
#[derive(Debug, Clone)]
pub(super) struct Roster {
    pub(super) store: Store,
}

impl Roster {
    /// Writes down a token. Those that have run out are forgotten meanwhile.
    pub(super) async fn add_token(&self, token: &Token, ttl: Duration, now: Timestamp) -> Result<(), GateError> {
        let known = self.store.list::<JoinToken>(&Scope::system(), ListOptions::default()).await?;
        let (old, good): (Vec<_>, Vec<_>) = known.items.into_iter().partition(|it| it.expires <= now);
        if good.len() >= TOKENS_MAX || (known.more && old.is_empty()) {
            return Err(GateError::TooMany);
        }
        let record = JoinToken { secret_sha256: token.secret.hash(), expires: now.plus(ttl), used: None };
        let mut tx = Tx::new();
        tx.insert(&Scope::system(), &[&token.id], &record);
        self.store.commit(tx).await?;
        for old in old {
            self.remove_if_unchanged(&old).await?;
        }
        Ok(())
    }

    /// Takes a token and makes a host of who has it: both or neither.
    pub(super) async fn join(
        &self,
        applicant: &Applicant<'_>,
        authority: &Authority,
        now: Timestamp,
    ) -> Result<HostCertificate, GateError> {
        for _ in 0..ATTEMPTS_MAX {
            let token = self.token(applicant, now).await?;
            let made = authority.certify(applicant.name, applicant.public_key, now)?;
            let host = self.find(applicant.name).await?;
            let mut tx = Tx::new();
            match (&token.used, host) {
                (None, None) => self.admit(&mut tx, applicant, &token, &made, now).await?,
                (None, Some(_)) => return Err(GateError::NameTaken),
                (Some(used), Some(host)) if is_again(used, applicant) && host.token == applicant.token => {
                    let known = JoinedHost { certificates: vec![KnownCertificate::from(&made)], ..host.value.clone() };
                    tx.require(&token).replace(&host, &known);
                }
                (Some(_), _) => return Err(GateError::Token),
            }
            match self.store.commit(tx).await {
                Ok(_) => return Ok(made),
                // Somebody else was faster, with this token or this name: which, the next attempt sees.
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(GateError::Token)
    }

    async fn admit(
        &self,
        tx: &mut Tx,
        applicant: &Applicant<'_>,
        token: &Versioned<JoinToken>,
        made: &HostCertificate,
        now: Timestamp,
    ) -> Result<(), GateError> {
        if self.all().await?.len() >= HOSTS_MAX {
            return Err(GateError::TooMany);
        }
        let Applicant { name, public_key_text, .. } = applicant;
        let used = Use { host: (*name).clone(), public_key: (*public_key_text).to_owned() };
        let host = JoinedHost {
            joined: now,
            token: applicant.token.to_owned(),
            certificates: vec![KnownCertificate::from(made)],
        };
        tx.replace(token, &JoinToken { used: Some(used), ..token.value.clone() });
        tx.insert(&Scope::system(), &[name.as_str()], &host);
        Ok(())
    }

    /// The token of somebody who knows its secret.
    pub(super) async fn token(
        &self,
        applicant: &Applicant<'_>,
        now: Timestamp,
    ) -> Result<Versioned<JoinToken>, GateError> {
        if !is_id(applicant.token) {
            return Err(GateError::Token);
        }
        let found = self.store.read::<JoinToken>(&Scope::system(), &[applicant.token]).await?;
        found
            .filter(|token| applicant.secret.has_hash(&token.secret_sha256) && token.expires > now)
            .ok_or(GateError::Token)
    }

    /// Whose certificate that is, and when it ends.
    pub(super) async fn who(&self, certificate: Fingerprint, now: Timestamp) -> Result<(NodeId, Timestamp), GateError> {
        let text = certificate.to_string();
        let host = self.store.find_by::<JoinedHost>(&Scope::system(), BY_CERTIFICATE, &text).await?;
        let host = host.ok_or(GateError::Unknown)?;
        let known = host.certificates.iter().find(|known| known.fingerprint == certificate);
        let not_after = known.ok_or(GateError::Unknown)?.not_after;
        if not_after <= now {
            return Err(GateError::Expired);
        }
        Ok((NodeId::try_from(host.name().to_owned()).map_err(|_| GateError::Unknown)?, not_after))
    }

    /// A further certificate for a host that shows `present`, which stays good until its end or until the next renewal: the
    /// host may not hear of the new one.
    pub(super) async fn renew(
        &self,
        host: &NodeId,
        present: Fingerprint,
        public_key: &[u8],
        authority: &Authority,
        now: Timestamp,
    ) -> Result<HostCertificate, GateError> {
        let made = authority.certify(host, public_key, now)?;
        let updated = self
            .store
            .update::<JoinedHost, GateError>(&Scope::system(), &[host.as_str()], |record| {
                record.certificates.retain(|known| known.fingerprint == present);
                // The name may be another host's by now.
                if record.certificates.is_empty() {
                    return Err(GateError::Unknown);
                }
                record.certificates.push(KnownCertificate::from(&made));
                Ok(())
            })
            .await;
        match updated {
            Err(GateError::Store(StoreError::NotFound { .. })) => return Err(GateError::Unknown),
            updated => updated?,
        };
        Ok(made)
    }

    /// Forgets a host. Answers whether there was one.
    pub(super) async fn remove(&self, host: &NodeId) -> Result<bool, GateError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some(record) = self.find(host).await? else { return Ok(false) };
            if self.remove_if_unchanged(&record).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All hosts, in the order of their names.
    pub(super) async fn all(&self) -> Result<Vec<(NodeId, JoinedHost)>, GateError> {
        let mut hosts = Vec::new();
        let mut after = None;
        loop {
            let options = ListOptions { after: after.as_deref(), ..ListOptions::default() };
            let page = self.store.list::<JoinedHost>(&Scope::system(), options).await?;
            let named = page.items.into_iter().filter_map(|it| Some((it.name().to_owned().try_into().ok()?, it.value)));
            hosts.extend(named);
            after = page.next;
            if after.is_none() {
                return Ok(hosts);
            }
        }
    }

    async fn find(&self, host: &NodeId) -> Result<Option<Versioned<JoinedHost>>, GateError> {
        Ok(self.store.read(&Scope::system(), &[host.as_str()]).await?)
    }

    async fn remove_if_unchanged<R: Record>(&self, record: &Versioned<R>) -> Result<bool, GateError> {
        let mut tx = Tx::new();
        tx.remove(record);
        match self.store.commit(tx).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_again(used: &Use, applicant: &Applicant<'_>) -> bool {
    used.host == *applicant.name && used.public_key == applicant.public_key_text
}

#[cfg(test)]
mod tests;
