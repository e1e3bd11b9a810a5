//! Archives: looked through and stored, wherever they come from, and the addresses at which they are handed out.

pub mod location;
pub mod zip;

use std::io::{self, Cursor, Read, Seek};

use blobs::{Blob, BlobError, Blobs, Digest};
use platform::Ctx;
use platform::ports::ObjectName;
use wire::ContentError;

use crate::api::{self, S3ObjectStorageMode};
use crate::configuration::{Archive, Package};
use crate::{Error, Lambda, limits};
use zip::ZipProblem;

/// Where archives are: blobs, which all functions and layers share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CodeStore {
    blobs: Blobs,
}

/// An archive in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InBucket {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) version: Option<String>,
}

/// Where a request says that code is.
#[derive(Debug)]
pub(crate) enum Source {
    /// In the request.
    Zip(Vec<u8>),
    /// In a bucket.
    Bucket(InBucket),
    /// In the registry.
    Image(String),
}

/// The members by which requests say where code is.
#[derive(Debug, Default)]
pub(crate) struct SaidCode {
    pub(crate) zip_file: Option<Vec<u8>>,
    pub(crate) s3_bucket: Option<String>,
    pub(crate) s3_key: Option<String>,
    pub(crate) s3_object_version: Option<String>,
    pub(crate) image_uri: Option<String>,
}

impl SaidCode {
    /// The one place that they name.
    ///
    /// # Errors
    /// [`Error::Parameter`]
    pub(crate) fn source(self) -> Result<Source, Error> {
        let refused = |text: &str| Err(Error::Parameter(text.to_owned()));
        match self {
            Self { zip_file: Some(bytes), s3_bucket: None, s3_key: None, s3_object_version: None, image_uri: None } => {
                Ok(Source::Zip(bytes))
            }
            Self { zip_file: Some(_), .. } => {
                refused("Please do not provide other FunctionCode parameters when providing a ZipFile.")
            }
            Self { image_uri: Some(uri), s3_bucket: None, s3_key: None, s3_object_version: None, .. } => {
                Ok(Source::Image(uri))
            }
            Self { image_uri: Some(_), .. } => {
                refused("Please do not provide other FunctionCode parameters when providing an ImageUri.")
            }
            Self { s3_bucket: Some(bucket), s3_key: Some(key), s3_object_version: version, .. } => {
                Ok(Source::Bucket(InBucket { bucket, key, version }))
            }
            Self { s3_bucket: None, s3_key: None, .. } => refused("Please provide a source for function code."),
            Self { .. } => refused("Please provide both S3Bucket and S3Key."),
        }
    }
}

impl CodeStore {
    /// The archives in `blobs`.
    pub fn new(blobs: Blobs) -> Self {
        Self { blobs }
    }

    /// Where the blobs are.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Opens an archive.
    ///
    /// # Errors
    /// [`BlobError`], also for one that is not there.
    pub async fn open(&self, digest: Digest) -> Result<Blob, BlobError> {
        let blobs = self.blobs.clone();
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("{digest} is missing"));
        let opened = blocking(move || blobs.open(&digest)).await?;
        opened.ok_or_else(|| BlobError::Io { doing: "opening code", source: missing() })
    }

    /// Looks through an archive that came with a request, and stores it.
    ///
    /// # Errors
    /// [`Error::Parameter`] for what is no archive, or too large; [`Error::Code`].
    pub(crate) async fn take(&self, bytes: Vec<u8>) -> Result<Archive, Error> {
        if bytes.len() as u64 > limits::ZIPPED_BYTES_MAX {
            let message = format!("Zipped size must be smaller than {} bytes", limits::ZIPPED_BYTES_MAX);
            return Err(Error::TooLarge(message));
        }
        let blobs = self.blobs.clone();
        blocking(move || {
            let unzipped = look_through(&mut Cursor::new(&bytes), bytes.len() as u64)?;
            let digest = blobs.put(&bytes)?;
            Ok::<_, Error>(Archive { digest, size: bytes.len() as u64, unzipped })
        })
        .await
    }

    /// The same for one that lies in a bucket, with the caller's rights to it.
    ///
    /// # Errors
    /// The same, [`Error::AccessDenied`], and [`Error::Parameter`] for an object that is not there.
    async fn fetch(&self, lambda: &Lambda, ctx: &Ctx, source: &InBucket) -> Result<Archive, Error> {
        let name = ObjectName { bucket: &source.bucket, key: &source.key, version: source.version.as_deref() };
        let object = lambda.neighbours.objects.read(ctx, name).await.map_err(|error| refused_by_s3(source, &error))?;
        if object.size > limits::ZIPPED_OBJECT_BYTES_MAX {
            return Err(unzipped_too_large());
        }
        let blobs = self.blobs.clone();
        let mut writer = blocking(move || blobs.writer(limits::ZIPPED_OBJECT_BYTES_MAX)).await?;
        let mut reader = object.content.into_reader();
        while let Some(piece) = reader.next().await.map_err(broken_off)? {
            writer = blocking(move || writer.append(&piece).map(|()| writer)).await?;
        }
        let blobs = self.blobs.clone();
        blocking(move || {
            let size = writer.size();
            let digest = writer.finish()?;
            // What is no archive needs no record, so it goes with the next collection.
            let blob = blobs.open(&digest)?.ok_or_else(|| Error::Internal(format!("{digest} went at once")))?;
            let unzipped = look_through(&mut io::BufReader::new(blob.into_file()), size)?;
            Ok(Archive { digest, size, unzipped })
        })
        .await
    }
}

/// What of code Lambda has and Pilvi has not.
///
/// # Errors
/// [`Error::NotServed`]
pub(crate) fn refuse_unserved(mode: Option<S3ObjectStorageMode>, key: Option<&str>) -> Result<(), Error> {
    if mode == Some(S3ObjectStorageMode::Reference) {
        return Err(Error::NotServed("Pilvi does not serve code that stays in its bucket (REFERENCE) yet.".to_owned()));
    }
    if key.is_some_and(|key| !key.is_empty()) {
        return Err(Error::NotServed("Pilvi does not serve keys of AWS KMS (SourceKMSKeyArn) yet.".to_owned()));
    }
    Ok(())
}

/// Checks that a function is for the processors that are here.
///
/// # Errors
/// [`Error::Parameter`]
pub(crate) fn check_architecture(lambda: &Lambda, said: Option<&[api::Architecture]>) -> Result<(), Error> {
    let here = lambda.settings.architecture.as_str();
    match said.into_iter().flatten().find(|said| said.as_str() != here) {
        None => Ok(()),
        Some(other) => Err(Error::Parameter(format!(
            "No machine of this installation runs functions of the architecture {other}: they are {here}. Set Architectures to \
             [\"{here}\"]."
        ))),
    }
}

/// Gets the code that a request names.
///
/// # Errors
/// What is wrong with it.
pub(crate) async fn package(lambda: &Lambda, ctx: &Ctx, source: Source) -> Result<Package, Error> {
    match source {
        Source::Zip(bytes) => Ok(Package::Zip(lambda.code.take(bytes).await?)),
        Source::Bucket(source) => Ok(Package::Zip(lambda.code.fetch(lambda, ctx, &source).await?)),
        Source::Image(uri) => image(lambda, ctx, uri).await,
    }
}

/// The archive that a request names, for what can be no image.
///
/// # Errors
/// What is wrong with it.
pub(crate) async fn archive(lambda: &Lambda, ctx: &Ctx, source: Source) -> Result<Archive, Error> {
    match package(lambda, ctx, source).await? {
        Package::Zip(archive) => Ok(archive),
        Package::Image { .. } => Err(Error::Parameter("Layers are made of archives.".to_owned())),
    }
}

/// An image of the registry here: `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG` or `…@DIGEST`.
async fn image(lambda: &Lambda, ctx: &Ctx, uri: String) -> Result<Package, Error> {
    use platform::ports::LocalReference;
    let invalid = || Error::Parameter(format!("Source image {uri} is not valid. Provide a valid source image."));
    let (registry, name) = uri.split_once('/').ok_or_else(invalid)?;
    let host = registry.split_once(':').map_or(registry, |(host, _)| host);
    let (account, region) = host
        .strip_suffix(".amazonaws.com")
        .and_then(|host| host.split_once(".dkr.ecr."))
        .and_then(|(account, region)| Some((account.parse().ok()?, region.parse().ok()?)))
        .ok_or_else(invalid)?;
    let (repository, reference) = match name.split_once('@') {
        Some((repository, digest)) => (repository.rsplit_once(':').map_or(repository, |(name, _)| name), digest),
        None => name.rsplit_once(':').ok_or_else(invalid)?,
    };
    if region != ctx.region {
        return Err(invalid());
    }
    let local = LocalReference { account, region: &region, repository, reference };
    let found = lambda.neighbours.images.resolve(local).await.map_err(Error::Internal)?;
    let found = found
        .ok_or_else(|| Error::Parameter(format!("Source image {uri} does not exist. Provide a valid source image.")))?;
    let resolved = format!("{registry}/{repository}@{}", found.digest);
    Ok(Package::Image { resolved, digest: found.digest, overrides: Default::default(), uri })
}

fn look_through(archive: &mut (impl Read + Seek), size: u64) -> Result<u64, Error> {
    let refused = |text: &str| Error::Parameter(text.to_owned());
    match zip::verify(archive, size) {
        Ok(contents) if contents.files == 0 => Err(refused("Uploaded file must be a non-empty zip")),
        Ok(contents) => Ok(contents.bytes),
        Err(ZipProblem::TooLarge) => Err(unzipped_too_large()),
        Err(ZipProblem::Empty) => Err(refused("Uploaded file must be a non-empty zip")),
        Err(problem) => {
            tracing::debug!(%problem, "an archive is refused");
            Err(refused("Could not unzip uploaded file. Please check your file, then try to upload again."))
        }
    }
}

fn unzipped_too_large() -> Error {
    Error::Parameter(format!("Unzipped size must be smaller than {} bytes", limits::UNZIPPED_BYTES_MAX))
}

/// What S3 says, as Lambda hands it on.
fn refused_by_s3(source: &InBucket, error: &wire::Error) -> Error {
    let (code, message) = (&error.code, &error.message);
    match error.status {
        403 => Error::AccessDenied(format!(
            "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for \
             {}/{}. S3 Error Code: {code}. S3 Error Message: {message}",
            source.bucket, source.key
        )),
        300..=499 => Error::Parameter(format!(
            "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
        )),
        _ => Error::Elsewhere(error.clone()),
    }
}

fn broken_off(error: ContentError) -> Error {
    Error::Elsewhere(error.into())
}

/// Does what blocks on the disk, or takes long.
pub(crate) async fn blocking<T: Send + 'static, E: Send + From<BlobError> + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let done = tokio::task::spawn_blocking(work).await;
    // A panic in there has been printed; nothing else keeps the work from ending.
    done.unwrap_or_else(|_| Err(BlobError::Io { doing: "reading code", source: io::ErrorKind::Other.into() }.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_said_to_be_in_one_place() {
        let text = |text: &str| Some(text.to_owned());
        assert!(matches!(SaidCode { zip_file: Some(vec![1]), ..Default::default() }.source(), Ok(Source::Zip(_))));
        let bucket = || SaidCode { s3_bucket: text("b"), s3_key: text("k"), ..Default::default() };
        assert!(matches!(bucket().source(), Ok(Source::Bucket(_))));
        assert!(matches!(SaidCode { image_uri: text("i"), ..Default::default() }.source(), Ok(Source::Image(_))));
        for wrong in [
            SaidCode::default(),
            SaidCode { s3_bucket: text("b"), ..Default::default() },
            SaidCode { zip_file: Some(vec![1]), ..bucket() },
            SaidCode { image_uri: text("i"), ..bucket() },
        ] {
            assert!(matches!(wrong.source(), Err(Error::Parameter(_))));
        }
    }
}
