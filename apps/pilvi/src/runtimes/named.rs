//! A runtime of an image that somebody named: as it is, or with our client above it.

use blobs::{BlobError, Blobs};
use images::{BlobSource, Descriptor, Digest, Image, Platform};
use serde_json::{Value, json};

use super::image::{self, Made, MakeError};
use super::name::{Family, family};
use super::tree::Tree;

/// What the runtimes in AWS's own images begin with.
const BOOTSTRAP: &str = "var/runtime/bootstrap";
/// Where interpreters are in images.
const DIRECTORIES: [&str; 3] = ["usr/local/bin", "usr/bin", "var/lang/bin"];
/// The largest document of an image that is read, in bytes.
const DOCUMENT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why an image is no runtime.
#[derive(Debug, thiserror::Error)]
pub(super) enum NamedError {
    /// It is not here.
    #[error("there is no image {0} here: `pilvi pull` brings it")]
    NotHere(String),
    /// It has nothing that could run functions.
    #[error("the image has neither /{BOOTSTRAP} nor {wanted}: functions of this runtime cannot run in it")]
    NoProgram {
        /// What would do.
        wanted: String,
    },
    /// It cannot be read.
    #[error("the image cannot be used: {0}")]
    Image(#[from] images::Error),
    /// One of its blobs has another name here than its digest.
    #[error("the image names its blobs in a way that runtimes do not: by {0}")]
    Name(Digest),
    /// A document is not what it should be.
    #[error("the image cannot be used: {0} is damaged")]
    Document(Digest),
    /// Its blobs cannot be read.
    #[error("the image cannot be read: {0}")]
    Blob(#[from] BlobError),
    /// What is put above it cannot be made.
    #[error(transparent)]
    Make(#[from] MakeError),
}

/// Makes an image a runtime. The image for this machine is chosen where there are several.
///
/// # Errors
/// [`NamedError`]
pub(super) fn make(blobs: &Blobs, name: &str, root: &Descriptor) -> Result<Made, NamedError> {
    let found = Image::resolve(blobs, root, &Platform::host())?;
    let (programs, client) = match family(name) {
        Some(Family::Python(version)) => (vec![format!("python{version}")], Client::Python),
        Some(Family::Nodejs(_)) => (vec!["node".to_owned(), "nodejs".to_owned()], Client::Nodejs),
        // The function brings its program.
        Some(Family::Provided) => return as_it_is(blobs, &found),
        _ => (Vec::new(), Client::None),
    };
    let places: Vec<String> = programs
        .iter()
        .flat_map(|program| DIRECTORIES.iter().map(move |directory| format!("{directory}/{program}")))
        .collect();
    let wanted: Vec<&str> = std::iter::once(BOOTSTRAP).chain(places.iter().map(String::as_str)).collect();
    let has = found.has(blobs, &wanted)?;
    if has.contains(BOOTSTRAP) {
        return as_it_is(blobs, &found);
    }
    let Some(program) = places.iter().find(|place| has.contains(place.as_str())) else {
        let wanted = if programs.is_empty() { "a client of ours for it".to_owned() } else { programs.join(" or ") };
        return Err(NamedError::NoProgram { wanted });
    };
    with_client(blobs, &found, &client.tree(program))
}

enum Client {
    Python,
    Nodejs,
    None,
}

impl Client {
    /// What is put above an image whose interpreter is at this path.
    fn tree(&self, program: &str) -> Tree {
        let mut tree = Tree::default();
        for directory in ["/opt", "/var/task"] {
            tree.directory(directory, 0o755);
        }
        match self {
            Self::Python => super::host::add_python_client(&mut tree, &format!("/{program}")),
            Self::Nodejs => super::host::add_nodejs_client(&mut tree, &format!("/{program}")),
            Self::None => {}
        }
        tree
    }
}

/// The image as it is.
fn as_it_is(blobs: &Blobs, image: &Image) -> Result<Made, NamedError> {
    let (manifest, bytes) = document(blobs, &image.manifest)?;
    let media_type = manifest.get("mediaType").and_then(Value::as_str).unwrap_or(image::MANIFEST).to_owned();
    let root = Descriptor { media_type, digest: image.manifest, size: bytes, platform: None };
    let layers = image.layers.iter().map(|layer| &layer.blob.digest);
    let all = [&image.manifest, &image.config].into_iter().chain(layers);
    let files = all.map(|digest| digest.blob().ok_or(NamedError::Name(*digest))).collect::<Result<_, _>>()?;
    Ok(Made { root, layer_bytes: bytes_of(image), files })
}

/// The image with a layer above it.
fn with_client(blobs: &Blobs, image: &Image, client: &Tree) -> Result<Made, NamedError> {
    let (mut config, _) = document(blobs, &image.config)?;
    let layer = image::layer(blobs, client)?;
    let damaged = || NamedError::Document(image.config);
    let digests = config.pointer_mut("/rootfs/diff_ids").and_then(Value::as_array_mut).ok_or_else(damaged)?;
    // It is not compressed, and so its own archive.
    digests.push(json!(layer.digest));
    if let Some(history) = config.get_mut("history").and_then(Value::as_array_mut) {
        history.push(json!({ "created_by": "pilvi runtime add" }));
    }
    let mut layers: Vec<Descriptor> = image.layers.iter().map(|layer| layer.blob.clone()).collect();
    if let Some(unnamed) = layers.iter().find(|layer| layer.digest.blob().is_none()) {
        return Err(NamedError::Name(unnamed.digest));
    }
    layers.push(layer);
    Ok(image::compose(blobs, &config, layers)?)
}

fn bytes_of(image: &Image) -> u64 {
    image.layers.iter().map(|layer| layer.blob.size).fold(0, u64::saturating_add)
}

/// A document, which was verified when the image was resolved, and how long it is.
fn document(blobs: &Blobs, digest: &Digest) -> Result<(Value, u64), NamedError> {
    let damaged = || NamedError::Document(*digest);
    let name = digest.blob().ok_or(NamedError::Name(*digest))?;
    let size = blobs.size(&name)?.ok_or_else(damaged)?;
    if size > DOCUMENT_BYTES_MAX {
        return Err(damaged());
    }
    let descriptor = Descriptor { media_type: String::new(), digest: *digest, size, platform: None };
    let opened = BlobSource::open(blobs, &descriptor).ok().flatten().ok_or_else(damaged)?;
    Ok((serde_json::from_reader(opened).map_err(|_| damaged())?, size))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct Bed {
        _directory: tempfile::TempDir,
        blobs: Blobs,
    }

    fn bed() -> Bed {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Blobs::open_root(&directory.path().join("blobs")).unwrap();
        Bed { _directory: directory, blobs }
    }

    fn image(bed: &Bed, files: &[&str]) -> Descriptor {
        let mut tree = Tree::default();
        files.iter().for_each(|path| tree.own(path, "x", true));
        image::make(&bed.blobs, &[tree], &BTreeMap::from([("LANG", "C".to_owned())])).unwrap().root
    }

    #[test]
    fn an_image_with_a_runtime_in_it_is_taken_as_it_is() {
        let bed = bed();
        let root = image(&bed, &["/var/runtime/bootstrap"]);
        for name in ["python3.13", "java21", "nodejs24.x"] {
            let made = make(&bed.blobs, name, &root).unwrap();
            assert_eq!((made.root.digest, made.files.len()), (root.digest, 3));
        }
        let bare = image(&bed, &["/etc/passwd"]);
        assert_eq!(make(&bed.blobs, "provided.al2023", &bare).unwrap().root.digest, bare.digest);
    }

    #[test]
    fn an_image_with_an_interpreter_gets_our_client_above_it() {
        let bed = bed();
        let root = image(&bed, &["/usr/local/bin/python3.13"]);
        let made = make(&bed.blobs, "python3.13", &root).unwrap();
        assert_eq!(made, make(&bed.blobs, "python3.13", &root).unwrap());
        let image = Image::resolve(&bed.blobs, &made.root, &Platform::host()).unwrap();
        assert_eq!((image.layers.len(), image.run.env), (2, vec!["LANG=C".to_owned()]));
        let image = Image::resolve(&bed.blobs, &made.root, &Platform::host()).unwrap();
        let wanted =
            ["var/runtime/bootstrap", "var/runtime/pilvi_runtime.py", "usr/local/bin/python3.13", "usr/bin/node"];
        assert_eq!(image.has(&bed.blobs, &wanted).unwrap().len(), 3);
        let error = make(&bed.blobs, "python3.12", &root).unwrap_err().to_string();
        assert!(error.contains("neither /var/runtime/bootstrap nor python3.12"), "{error}");
        assert!(matches!(make(&bed.blobs, "java21", &root), Err(NamedError::NoProgram { .. })));
    }
}
