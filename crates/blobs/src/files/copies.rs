//! Further names of many files at once.

use std::collections::BTreeMap;
use std::io;

use super::{FileId, Files};
use crate::BlobError;

impl Files {
    /// Gives the bytes of files other names, in their order; none if one of them is not there. When this returns the names are
    /// durable: each directory is synced once, however many names came into it.
    ///
    /// # Errors
    /// Those of [`Files::duplicate`]. No name is left then, as where a file is not there.
    pub fn duplicate_all(&self, ids: &[FileId]) -> Result<Option<Vec<FileId>>, BlobError> {
        let mut made = Vec::with_capacity(ids.len());
        let done = self.name_all(ids, &mut made).and_then(|are_all| match are_all {
            true => self.settle_all(&made).map(|()| true),
            false => Ok(false),
        });
        match done {
            Ok(true) => return Ok(Some(made)),
            // Those that cannot be removed now are orphans, which a sweep finds.
            _ => self.remove(&made)?,
        };
        done.map(|_| None)
    }

    /// Names files that may be there; answers whether all were.
    fn name_all(&self, ids: &[FileId], made: &mut Vec<FileId>) -> Result<bool, BlobError> {
        for id in ids {
            let Some(opened) = self.open(id)? else { return Ok(false) };
            let name = match self.give_name(&opened.file)? {
                Some(name) => name,
                None => {
                    let mut writer = self.writer(opened.size)?;
                    io::copy(&mut &opened.file, &mut writer).map_err(BlobError::io("copying a file"))?;
                    writer.finish()?
                }
            };
            made.push(name);
        }
        Ok(true)
    }

    /// Makes names durable, a directory at a time.
    fn settle_all(&self, names: &[FileId]) -> Result<(), BlobError> {
        let one_of_each: BTreeMap<u8, &FileId> = names.iter().map(|name| (name.directory(), name)).collect();
        one_of_each.into_values().try_for_each(|name| self.settle(name))
    }
}
