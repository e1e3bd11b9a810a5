//! Making sure that an image's layers are there.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::layers::LayerFile;
use super::{Prepared, Store};
use crate::image::Layer;
use crate::unpack::{Reading, Target, unpack, unpack_zip, verify};
use crate::{ARCHIVE_LIMITS, BlobSource, Descriptor, DiffId, Digest, Error, Image, UnpackError, archive_layer};

/// Follows an image on its way into the store. Called from several threads, which hold the store meanwhile: it must not be
/// called back.
pub trait Progress: Sync {
    /// So many bytes of a layer's blob have been read, of those that are to be read.
    fn advanced(&self, layer: &Layer, read_bytes: u64) {
        let _ = (layer, read_bytes);
    }

    /// The layer is there: unpacked now, or before.
    fn finished(&self, layer: &Layer) {
        let _ = layer;
    }

    /// Whether nobody wants the image any more.
    fn stopped(&self) -> bool {
        false
    }
}

/// Nobody watches.
impl Progress for () {}

impl Store {
    /// Unpacks those of an image's layers that are not there yet, several at a time. What two callers need at once is
    /// unpacked once. Blocks: from asynchronous code it belongs on a blocking thread.
    ///
    /// # Errors
    /// Of several the first. The layers that were finished stay until they are collected.
    pub fn prepare(&self, image: &Image, source: &dyn BlobSource, progress: &dyn Progress) -> Result<Prepared, Error> {
        self.prepare_layers(&image.layers, source, progress)
    }

    /// The same with layers of which it is not known yet what image they make: as soon as their blobs are there, while others
    /// are still on their way.
    ///
    /// # Errors
    /// As of [`Store::prepare`].
    pub fn prepare_layers(
        &self,
        wanted: &[Layer],
        source: &dyn BlobSource,
        progress: &dyn Progress,
    ) -> Result<Prepared, Error> {
        self.prepare_as(Form::Layers, wanted, source, progress)
    }

    /// Unpacks an archive that is no layer, a zip, unless it is there. Its files are root's; it is used by the name that
    /// [`archive_layer`] gives it, and collected, leased and held as layers are. At most [`ARCHIVE_LIMITS`] come out of it.
    ///
    /// # Errors
    /// As of [`Store::prepare`].
    pub fn prepare_archive(
        &self,
        archive: &Descriptor,
        source: &dyn BlobSource,
        progress: &dyn Progress,
    ) -> Result<Prepared, Error> {
        let wanted = Layer { blob: archive.clone(), diff_id: archive_layer(&archive.digest) };
        self.prepare_as(Form::Archives, &[wanted], source, progress)
    }

    fn prepare_as(
        &self,
        form: Form,
        wanted: &[Layer],
        source: &dyn BlobSource,
        progress: &dyn Progress,
    ) -> Result<Prepared, Error> {
        let diff_ids: Vec<DiffId> = wanted.iter().map(|layer| layer.diff_id).collect();
        let prepared = self.pin(&diff_ids);
        let found = |diff_id: &DiffId| wanted.iter().find(|layer| layer.diff_id == *diff_id);
        let mut layers: Vec<&Layer> = prepared.layers.iter().filter_map(found).collect();
        // The largest first: what is left at the end is small, and nobody waits for one long one.
        layers.sort_by_key(|layer| std::cmp::Reverse(layer.blob.size));
        let work = Work {
            store: self,
            form,
            source,
            progress,
            layers: &layers,
            next: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
        };
        let failure = Mutex::new(None);
        thread::scope(|scope| {
            for _ in 0..self.0.workers.min(layers.len()) {
                scope.spawn(|| {
                    if let Err(error) = work.run() {
                        work.failed.store(true, Ordering::Relaxed);
                        let mut first = failure.lock().unwrap_or_else(PoisonError::into_inner);
                        // That the others were stopped follows from the first.
                        if matches!(*first, None | Some(Error::Stopped)) {
                            *first = Some(error);
                        }
                    }
                });
            }
        });
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(prepared),
        }
    }
}

/// What blobs are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Layers of images.
    Layers,
    /// Zip archives.
    Archives,
}

/// What the threads of one call share.
struct Work<'a> {
    store: &'a Store,
    form: Form,
    source: &'a dyn BlobSource,
    progress: &'a dyn Progress,
    layers: &'a [&'a Layer],
    next: AtomicUsize,
    failed: AtomicBool,
}

impl Work<'_> {
    fn run(&self) -> Result<(), Error> {
        while let Some(layer) = self.layers.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            self.ensure(layer)?;
            self.progress.finished(layer);
        }
        Ok(())
    }

    fn goes_on(&self) -> bool {
        !self.failed.load(Ordering::Relaxed) && !self.progress.stopped()
    }

    fn ensure(&self, layer: &Layer) -> Result<(), Error> {
        let store = &self.store.0;
        let mut state = self.store.state();
        loop {
            let stored = state.layers.get(&layer.diff_id);
            if stored.is_some_and(|stored| stored.blobs.contains(&layer.blob.digest)) {
                return Ok(());
            }
            if !self.goes_on() {
                return Err(Error::Stopped);
            }
            if !state.busy.contains(&layer.diff_id) && state.busy.len() < store.workers {
                break;
            }
            state = store.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let is_there = state.layers.contains_key(&layer.diff_id);
        state.busy.insert(layer.diff_id);
        drop(state);
        let _turn = Turn { store: self.store, diff_id: layer.diff_id };
        self.read(layer, is_there)
    }

    /// Unpacks a layer. One that is there already is compared with the blob: to know what a layer is called is not to have
    /// it, and an image shows whatever its configuration names.
    fn read(&self, layer: &Layer, is_there: bool) -> Result<(), Error> {
        let store = &self.store.0;
        let digest = layer.blob.digest;
        let opened = self.source.open(&layer.blob).map_err(|source| Error::Read { digest, source })?;
        let blob = opened.ok_or(Error::NotFound { digest })?;
        let progress = |read| {
            self.progress.advanced(layer, read);
            self.goes_on()
        };
        let reading = Reading { layer, limits: &store.limits, progress: &progress };
        if is_there {
            verify(&reading, blob).map_err(in_layer(digest))?;
            return self.store.remember(layer.diff_id, digest);
        }
        let staged = store.disk.stage()?;
        let (root, trash) = (staged.root.as_fd(), staged.trash.as_fd());
        let unpacked = match self.form {
            Form::Layers => {
                unpack(&reading, &Target { root, trash, policy: &store.policy, limits: &store.limits }, blob)
            }
            Form::Archives => {
                unpack_zip(&reading, &Target { root, trash, policy: &store.policy, limits: &ARCHIVE_LIMITS }, blob)
            }
        };
        let unpacked = unpacked.map_err(in_layer(digest))?;
        let record = LayerFile::new(store.policy, &store.boot_id, vec![digest], unpacked);
        // With the name on disk and the entry in memory at one time, collection cannot come between.
        let mut state = self.store.state();
        staged.publish(layer.diff_id, &record)?;
        state.add(layer.diff_id, unpacked, vec![digest], false);
        Ok(())
    }
}

pub(crate) fn in_layer(digest: Digest) -> impl FnOnce(UnpackError) -> Error {
    move |error| match error {
        UnpackError::Stopped => Error::Stopped,
        UnpackError::Full => Error::Full,
        UnpackError::Read(source) => Error::Read { digest, source },
        UnpackError::BlobMismatch { found } => Error::Mismatch { expected: digest, found: Box::new(found) },
        other => Error::Layer { digest, source: Box::new(other) },
    }
}

/// The right to unpack a layer.
struct Turn<'a> {
    store: &'a Store,
    diff_id: DiffId,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.store.state().busy.remove(&self.diff_id);
        self.store.0.changed.notify_all();
    }
}
