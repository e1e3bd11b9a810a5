//! This program as the launcher executes it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// This program in memory, never to be changed again. Only what the kernel loads of it: what it has for debuggers would be
/// most of it.
pub(super) fn sealed_copy() -> io::Result<OwnedFd> {
    let program = File::open("/proc/self/exe")?;
    let length = loaded_bytes(&program)?.unwrap_or(u64::MAX);
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know the flag, and need none.
    let copy = memfd_create("pilvi", flags | MemfdFlags::EXEC).or_else(|_| memfd_create("pilvi", flags))?;
    let mut copy = File::from(copy);
    io::copy(&mut program.take(length), &mut copy)?;
    let content = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    // Its mode, too: what nobody may execute makes no launcher. Kernels before 6.3 do not know that seal.
    fcntl_add_seals(&copy, SealFlags::SEAL | content | SealFlags::EXEC)
        .or_else(|_| fcntl_add_seals(&copy, SealFlags::SEAL | content))?;
    // A descriptor that can only read, so that what is executed is not busy being written.
    Ok(File::open(format!("/proc/self/fd/{}", copy.as_raw_fd()))?.into())
}

/// Where the last part of an ELF file ends that is loaded; none if it is another kind of file than expected. Offsets are those
/// of the 64-bit format (elf(5)).
fn loaded_bytes(program: &File) -> io::Result<Option<u64>> {
    const LOADED: u64 = 1;
    let mut head = [0; 64];
    program.read_exact_at(&mut head, 0)?;
    let is_elf64 = head.starts_with(b"\x7fELF\x02");
    let (Some(table), Some(entry_bytes), Some(entries)) =
        (number(&head, 32, 8), number(&head, 54, 2), number(&head, 56, 2))
    else {
        return Ok(None);
    };
    let mut end = None;
    let mut entry = [0; 56];
    for index in 0..entries {
        program.read_exact_at(&mut entry, table + index * entry_bytes)?;
        if number(&entry, 0, 4) == Some(LOADED)
            && let (Some(offset), Some(bytes)) = (number(&entry, 8, 8), number(&entry, 32, 8))
        {
            end = end.max(offset.checked_add(bytes));
        }
    }
    Ok(end.filter(|_| is_elf64))
}

/// A number of the machine's byte order.
fn number(bytes: &[u8], offset: usize, length: usize) -> Option<u64> {
    let mut number = [0; 8];
    let part = bytes.get(offset..offset + length)?;
    if cfg!(target_endian = "little") {
        number[..length].copy_from_slice(part);
    } else {
        number[8 - length..].copy_from_slice(part);
    }
    Some(u64::from_ne_bytes(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loaded_of_this_program_is_a_part_of_it() {
        let program = File::open("/proc/self/exe").unwrap();
        let loaded = loaded_bytes(&program).unwrap().unwrap();
        assert!(loaded > 4096 && loaded <= program.metadata().unwrap().len());
        let copy = File::from(sealed_copy().unwrap());
        assert_eq!(copy.metadata().unwrap().len(), loaded);
    }

    #[test]
    fn the_copy_cannot_be_changed_by_whoever_opens_it() {
        let copy = sealed_copy().unwrap();
        let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
        if let Ok(again) = File::options().write(true).open(path) {
            assert!(again.write_all_at(b"x", 0).is_err());
            assert!(again.set_len(0).is_err());
        }
    }

    #[test]
    fn the_copy_cannot_be_made_what_nobody_executes() {
        use std::os::unix::fs::PermissionsExt;
        let copy = sealed_copy().unwrap();
        let knows = rustix::fs::fcntl_get_seals(&copy).unwrap().contains(SealFlags::EXEC);
        let none = std::fs::Permissions::from_mode(0o000);
        let changed = std::fs::set_permissions(format!("/proc/self/fd/{}", copy.as_raw_fd()), none);
        assert!(changed.is_err() || !knows);
        assert!(
            knows || memfd_create("none", MemfdFlags::EXEC).is_err(),
            "a kernel that knows the flag knows the seal"
        );
    }

    #[test]
    fn another_kind_of_file_is_taken_as_it_is() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[b'x'; 64], 0).unwrap();
        file.write_all_at(&[0; 2], 56).unwrap();
        assert_eq!(loaded_bytes(&file).unwrap(), None);
    }
}
