//! What a server stands on: its files, and what is made of them before anything is served.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use base::{Clock, Principal, SystemClock, SystemRng};
use blobs::Blobs;
use blobs::files::Files;
use ecr::content::Content;
use lambda::code::CodeStore;
use platform::denials::Denials;
use platform::identity::{FixedKey, Keys};
use platform::{Keyring, Platform};
use segments::Segments;
use store::{Store, StoreOptions};
use wire::sigv4::SecretAccessKey;

use crate::config::{CloudWatchLogs, ConfiguredPrincipal, PublicUrl};
use crate::data_dir::{DataDir, make_private_dir};
use crate::root_key::RootKey;
use crate::sealing_key;
use crate::services::Foundation;
use crate::settings::Settings;
use crate::tls::ServerTls;

/// What a server stands on.
pub(super) struct Ground {
    pub(super) platform: Platform,
    /// The events of log groups.
    pub(super) segments: Arc<Segments>,
    pub(super) blobs: Blobs,
    /// The bytes of images.
    content: Content,
    /// The bytes of objects.
    objects: s3::content::Content,
    pub(super) denials: Arc<Denials>,
    /// None where connections are not encrypted.
    pub(super) tls: Option<Arc<ServerTls>>,
}

impl Ground {
    /// Opens everything.
    ///
    /// # Errors
    /// When something cannot be opened, or is not whole.
    pub(super) fn open(settings: &Settings, dir: &DataDir) -> Result<Self> {
        let clock = Arc::new(SystemClock);
        // The sealing key first: it is what tells a directory that has lost its keys from a new one.
        let sealing_key = sealing_key::load_or_make(dir, &SystemRng)?;
        let store = Store::open(&dir.state(), StoreOptions::default()).context("cannot open the state")?;
        let root_key = RootKey::load_or_make(dir, settings.account, &SystemRng)?;
        let tls = ServerTls::prepare(settings, dir, clock.now())?.map(Arc::new);
        make_private_dir(&dir.audit())?;
        let denials = Arc::new(Denials::in_folder(&dir.audit()).context("denials cannot be written down")?);
        make_private_dir(&dir.logs())?;
        let segments = Segments::open(&dir.logs(), log_files(&settings.cloudwatch_logs));
        let blobs = Blobs::open_root(&dir.blobs()).context("cannot open the blobs")?;
        let objects = Files::open_root(&dir.objects(), Arc::new(SystemRng)).context("cannot open the objects")?;
        let platform = Platform {
            store,
            clock,
            rng: Arc::new(SystemRng),
            keyring: Arc::new(Keyring::new(&sealing_key, Arc::new(SystemRng))),
            keys: Arc::new(Keys::new(fixed_keys(settings, &root_key))),
        };
        Ok(Self {
            platform,
            segments: segments.context("cannot open the logs")?,
            content: Content::open(blobs.clone(), &dir.uploads()).context("cannot open the uploads")?,
            objects: s3::content::Content::new(objects),
            blobs,
            denials,
            tls,
        })
    }

    /// What the services are made of, of a server that listens at this address.
    pub(super) fn foundation(&self, settings: &Settings, listener: SocketAddr) -> Foundation {
        Foundation {
            platform: self.platform.clone(),
            segments: self.segments.clone(),
            content: self.content.clone(),
            objects: self.objects.clone(),
            code: CodeStore::new(self.blobs.clone()),
            listener,
            denials: self.denials.clone(),
            is_secure: self.tls.is_some(),
            public_address: settings.public_url.as_ref().map(public_address),
            public_hosts: settings.public_url.as_ref().map(|url| url.host().to_owned()).into_iter().collect(),
        }
    }
}

fn public_address(url: &PublicUrl) -> ecr::PublicAddress {
    ecr::PublicAddress { authority: url.authority().to_owned(), is_secure: url.is_secure() }
}

/// How the events of log groups are kept.
fn log_files(configured: &CloudWatchLogs) -> segments::Options {
    segments::Options {
        total_bytes_max: configured.max_bytes.get(),
        group_bytes_max: configured.max_group_bytes.get(),
        ..segments::Options::default()
    }
}

/// Every key that is not in the store.
fn fixed_keys(settings: &Settings, root: &RootKey) -> Vec<FixedKey> {
    let root = FixedKey {
        access_key_id: root.access_key_id.clone(),
        secret: SecretAccessKey::new(root.secret_access_key.reveal()),
        principal: Principal::root(root.account),
    };
    let configured = settings.access_keys.iter().map(|key| FixedKey {
        access_key_id: key.id.as_str().to_owned(),
        secret: SecretAccessKey::new(key.secret.reveal()),
        principal: match &key.principal {
            ConfiguredPrincipal::Root => Principal::root(key.account),
            ConfiguredPrincipal::User(name) => FixedKey::user(key.account, name),
            ConfiguredPrincipal::Role(name) => FixedKey::role(key.account, name),
        },
    });
    std::iter::once(root).chain(configured).collect()
}
