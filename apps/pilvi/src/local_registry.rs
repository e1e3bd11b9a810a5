//! Which names are of the registry on this machine, and what they mean.
//!
//! Its own addresses name the registry of the installation's own account; `<account>.dkr.ecr.<region>.amazonaws.com`, with or
//! without a port, names any account's here, so that what was written for AWS runs unchanged. Images have the latter name
//! here, whichever they were asked for by.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use base::{AccountId, Region};
use ecr::Ecr;
use ecr::digest::ContentDigest;
use ecr::names::RepositoryName;
use ecr::{image, repository};
use images::{Descriptor, Reference};
use node::supply::{self, Local};
use platform::BoxFuture;
use platform::ports::{LocalImage, LocalReference, LocalRegistry};

use crate::runtimes::RuntimeImages;

/// What AWS's names of registries have in common.
const AWS_INFIX: &str = ".dkr.ecr.";
const AWS_SUFFIX: &str = ".amazonaws.com";

/// The images of ecr's repositories, with the rights of the root user of the account that they belong to.
#[derive(Debug, Clone)]
pub(crate) struct EcrImages(pub(crate) Ecr);

impl LocalRegistry for EcrImages {
    fn resolve<'a>(&'a self, name: LocalReference<'a>) -> BoxFuture<'a, Result<Option<LocalImage>, String>> {
        Box::pin(async move { self.find(name).await.map_err(|error| error.to_string()) })
    }
}

impl EcrImages {
    async fn find(&self, wanted: LocalReference<'_>) -> Result<Option<LocalImage>, ecr::Error> {
        let (ecr, store) = (&self.0, &self.0.platform.store);
        let (registry, region) = (wanted.account, wanted.region.clone());
        let name = RepositoryName { registry, region, name: wanted.repository.to_owned() };
        let repository = match repository::find(store, name).await {
            Err(ecr::Error::RepositoryNotFound(_)) => return Ok(None),
            repository => repository?,
        };
        let digest = match wanted.reference.parse::<ContentDigest>() {
            Ok(digest) => digest,
            Err(_) => match image::tag(store, &repository, wanted.reference).await? {
                Some(tag) => tag.value.digest,
                None => return Ok(None),
            },
        };
        let Some(manifest) = image::manifest(store, &repository, &digest).await? else { return Ok(None) };
        // An archived image is not to be pulled.
        if manifest.storage.is_archived {
            return Ok(None);
        }
        image::pull::pull(ecr, &manifest, ecr.platform.clock.now()).await?;
        let media_type = manifest.media_type.clone();
        Ok(Some(LocalImage { digest: digest.to_string(), media_type, size: manifest.size }))
    }
}

/// The names by which this installation's registry is known.
#[derive(Clone)]
pub(crate) struct OwnNames {
    /// The port that the server listens at.
    pub(crate) listener: SocketAddr,
    /// The address that clients reach it by, if that is another.
    pub(crate) public: Option<String>,
    /// The account and region of the names that say neither.
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    /// What the names mean.
    pub(crate) images: Arc<dyn LocalRegistry>,
    /// The images of runtimes, which are in a registry that is nowhere else.
    pub(crate) runtimes: Arc<dyn RuntimeImages>,
}

impl OwnNames {
    /// The account and region of a registry here; nothing if it is elsewhere.
    fn registry(&self, registry: &str) -> Option<(AccountId, Region)> {
        let public = self.public.as_deref().is_some_and(|public| public.eq_ignore_ascii_case(registry));
        if public || self.is_own_address(registry) {
            return Some((self.account, self.region.clone()));
        }
        let host = registry.split_once(':').map_or(registry, |(host, _)| host);
        let (account, region) = host.strip_suffix(AWS_SUFFIX)?.split_once(AWS_INFIX)?;
        Some((account.parse().ok()?, region.parse().ok()?))
    }

    /// Whether a registry is an address at which the server listens.
    fn is_own_address(&self, registry: &str) -> bool {
        let listener = self.listener;
        let port = format!(":{}", listener.port());
        let Some(host) = registry.strip_suffix(&port) else { return false };
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let listens_at = |address: IpAddr| listener.ip() == address || listener.ip().is_unspecified();
        match address {
            Some(address) => address.is_loopback() && listens_at(address) || listener.ip() == address,
            None => {
                host.eq_ignore_ascii_case("localhost")
                    && (listener.ip().is_loopback() || listener.ip().is_unspecified())
            }
        }
    }

    async fn find(&self, reference: &Reference) -> Result<Local, String> {
        if reference.registry() == lambda::runtimes::REGISTRY {
            return self.find_runtime(reference).await;
        }
        let Some((account, region)) = self.registry(reference.registry()) else { return Ok(Local::Elsewhere) };
        let named = reference.digest().map(ToString::to_string);
        let Some(name) = named.as_deref().or(reference.tag()) else { return Ok(Local::Missing) };
        let wanted = LocalReference { account, region: &region, repository: reference.repository(), reference: name };
        let Some(found) = self.images.resolve(wanted).await? else { return Ok(Local::Missing) };
        let separator = if named.is_some() { '@' } else { ':' };
        let known_as = format!("{account}{AWS_INFIX}{region}{AWS_SUFFIX}/{}{separator}{name}", reference.repository());
        let wrong = |_| format!("the registry has {} in a form that images do not have", reference.repository());
        Ok(Local::Found {
            reference: known_as.parse().map_err(|error| format!("{known_as}: {error}"))?,
            root: Box::new(Descriptor {
                media_type: found.media_type,
                digest: found.digest.parse().map_err(wrong)?,
                size: found.size,
                platform: None,
            }),
        })
    }
}

impl OwnNames {
    /// The image of a runtime, which is known by its name alone.
    async fn find_runtime(&self, reference: &Reference) -> Result<Local, String> {
        let (Some(name), None, lambda::runtimes::REPOSITORY) =
            (reference.tag(), reference.digest(), reference.repository())
        else {
            return Ok(Local::Missing);
        };
        let root = self.runtimes.find(name).await?;
        Ok(root.map_or(Local::Missing, |root| Local::Found { reference: reference.clone(), root: Box::new(root) }))
    }
}

impl supply::LocalRegistry for OwnNames {
    fn resolve<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<Local, String>> {
        Box::pin(self.find(reference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// A registry that has every image whose repository is called `app`, and tells what it was asked.
    struct Echo;

    impl LocalRegistry for Echo {
        fn resolve<'a>(&'a self, name: LocalReference<'a>) -> BoxFuture<'a, Result<Option<LocalImage>, String>> {
            let media_type = format!("{} {} {}", name.account, name.region, name.reference);
            let found = LocalImage { digest: DIGEST.to_owned(), media_type, size: 7 };
            let found = (name.repository == "app").then_some(found);
            Box::pin(async { Ok(found) })
        }
    }

    impl RuntimeImages for Echo {
        fn find<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Descriptor>, String>> {
            let found =
                Descriptor { media_type: name.to_owned(), digest: DIGEST.parse().unwrap(), size: 7, platform: None };
            let found = (name == "python3.13").then_some(found);
            Box::pin(async { Ok(found) })
        }
    }

    fn names(listener: &str) -> OwnNames {
        OwnNames {
            listener: listener.parse().unwrap(),
            public: Some("registry.example".to_owned()),
            account: "111122223333".parse().unwrap(),
            region: "eu-north-1".parse().unwrap(),
            images: Arc::new(Echo),
            runtimes: Arc::new(Echo),
        }
    }

    async fn resolve(names: &OwnNames, reference: &str) -> Local {
        names.find(&reference.parse().unwrap()).await.unwrap()
    }

    #[test]
    fn addresses_at_which_the_server_listens_are_its_own() {
        for (listener, registry, expected) in [
            ("127.0.0.1:4566", "127.0.0.1:4566", true),
            ("127.0.0.1:4566", "localhost:4566", true),
            ("127.0.0.1:4566", "127.0.0.1:4567", false),
            ("127.0.0.1:4566", "127.0.0.1", false),
            ("127.0.0.1:4566", "127.0.0.2:4566", false),
            ("127.0.0.1:4566", "[::1]:4566", false),
            ("127.0.0.1:4566", "other.example:4566", false),
            ("[::1]:4566", "[::1]:4566", true),
            ("0.0.0.0:4566", "127.0.0.1:4566", true),
            ("0.0.0.0:4566", "192.0.2.1:4566", false),
            ("192.0.2.1:4566", "192.0.2.1:4566", true),
            ("192.0.2.1:4566", "localhost:4566", false),
        ] {
            assert_eq!(names(listener).is_own_address(registry), expected, "{listener} {registry}");
        }
    }

    #[tokio::test]
    async fn every_name_of_an_image_here_leads_to_the_one_that_aws_gives_it() {
        let names = names("127.0.0.1:4566");
        for reference in [
            "127.0.0.1:4566/app:v1",
            "localhost:4566/app:v1",
            "registry.example/app:v1",
            "111122223333.dkr.ecr.eu-north-1.amazonaws.com/app:v1",
            "111122223333.dkr.ecr.eu-north-1.amazonaws.com:4566/app:v1",
        ] {
            let Local::Found { reference: known_as, root } = resolve(&names, reference).await else {
                panic!("{reference} is not found")
            };
            assert_eq!(known_as.to_string(), "111122223333.dkr.ecr.eu-north-1.amazonaws.com/app:v1");
            assert_eq!((root.media_type.as_str(), root.size), ("111122223333 eu-north-1 v1", 7));
        }
        let by_digest = format!("999999999999.dkr.ecr.us-east-1.amazonaws.com/app:v1@{DIGEST}");
        let Local::Found { reference, root } = resolve(&names, &by_digest).await else { panic!("not found") };
        assert_eq!(reference.to_string(), format!("999999999999.dkr.ecr.us-east-1.amazonaws.com/app@{DIGEST}"));
        assert_eq!(root.media_type, format!("999999999999 us-east-1 {DIGEST}"));
    }

    #[tokio::test]
    async fn the_images_of_runtimes_are_here_or_nowhere() {
        let names = names("127.0.0.1:4566");
        let found = resolve(&names, "lambda.pilvi.invalid/runtime:python3.13").await;
        assert!(matches!(found, Local::Found { root, .. } if root.media_type == "python3.13"));
        let by_digest = format!("runtime:python3.13@{DIGEST}");
        for missing in ["runtime:python3.12", "other:python3.13", by_digest.as_str()] {
            assert_eq!(resolve(&names, &format!("lambda.pilvi.invalid/{missing}")).await, Local::Missing, "{missing}");
        }
    }

    #[tokio::test]
    async fn other_registries_are_elsewhere_and_other_images_missing() {
        let names = names("127.0.0.1:4566");
        for reference in ["busybox", "public.ecr.aws/app", "12.dkr.ecr.eu-north-1.amazonaws.com/app", "localhost/app"] {
            assert_eq!(resolve(&names, reference).await, Local::Elsewhere, "{reference}");
        }
        assert_eq!(resolve(&names, "localhost:4566/other").await, Local::Missing);
    }
}
