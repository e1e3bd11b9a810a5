//! Files with holes.

use super::header::{BLOCK, unsigned};
use super::{SPARSE_EXTENTS_MAX, TarError};

/// A piece of a sparse file that has content. Between the pieces are holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Where in the file it begins.
    pub(crate) offset: u64,
    /// How many bytes it has.
    pub(crate) length: u64,
}

/// Whether pieces lie in order and apart, within the file, and have as many bytes as the archive holds for them.
pub(crate) fn check(extents: &[Extent], file_size: u64, stored: u64) -> Result<(), TarError> {
    let (mut end, mut sum) = (0_u64, 0_u64);
    for extent in extents {
        if extent.offset < end {
            return Err(TarError::Sparse);
        }
        end = extent.offset.checked_add(extent.length).ok_or(TarError::Sparse)?;
        sum = sum.checked_add(extent.length).ok_or(TarError::Sparse)?;
    }
    if end > file_size || sum != stored { Err(TarError::Sparse) } else { Ok(()) }
}

/// Takes the pieces from GNU's fields: two numbers of twelve digits each. An empty field ends them.
pub(crate) fn take_gnu(fields: &[u8], extents: &mut Vec<Extent>) -> Result<(), TarError> {
    for field in fields.chunks_exact(24) {
        if field[0] == 0 {
            break;
        }
        if extents.len() == SPARSE_EXTENTS_MAX {
            return Err(TarError::TooLong("list of pieces"));
        }
        extents.push(Extent { offset: unsigned(&field[..12], "offset")?, length: unsigned(&field[12..], "size")? });
    }
    Ok(())
}

/// Takes the pieces from a block that follows GNU's header; whether another block follows.
pub(crate) fn take_gnu_block(block: &[u8; BLOCK], extents: &mut Vec<Extent>) -> Result<bool, TarError> {
    take_gnu(&block[..504], extents)?;
    Ok(block[504] != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_must_fit_together() {
        let extents = |pairs: &[(u64, u64)]| -> Vec<Extent> {
            pairs.iter().map(|&(offset, length)| Extent { offset, length }).collect()
        };
        assert!(check(&extents(&[(0, 5), (10, 5), (20, 0)]), 20, 10).is_ok());
        assert!(check(&[], 1 << 40, 0).is_ok());
        for (pairs, size, stored) in [
            (&[(10, 5), (0, 5)][..], 20, 10),
            (&[(0, 6), (5, 5)], 20, 11),
            (&[(0, 5)], 4, 5),
            (&[(0, 5)], 5, 6),
            (&[(u64::MAX, 1)], u64::MAX, 1),
            (&[(0, u64::MAX), (u64::MAX, u64::MAX)], u64::MAX, u64::MAX),
        ] {
            assert!(matches!(check(&extents(pairs), size, stored), Err(TarError::Sparse)), "{pairs:?}");
        }
    }
}
